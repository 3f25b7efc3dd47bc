import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Archive } from '../../shared/archive/archive.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { IngestError } from '../../shared/errors.ts'
import { bundleFormat } from '../../shared/export/bundle.ts'
import { emlFormat } from '../../shared/export/eml-folder.ts'
import { mboxFormat } from '../../shared/export/mbox.ts'
import type { ExportFormat } from '../../shared/export/part.ts'
import { bundleReadme } from '../../shared/export/readme.ts'
import { EXPORT } from '../../shared/limits.ts'
import { type ExportOptions, exportMessages } from '../../shared/operations/export.ts'
import { openProver } from '../../shared/operations/prove.ts'
import { sealLedgers } from '../../shared/operations/seal.ts'
import type { MessageQuery } from '../../shared/query/query.ts'
import { decodeProof, verifyProof } from '../../shared/seal/proof.ts'
import type { Signer } from '../../shared/seal/signer.ts'
import { DrainWorld, message } from '../support/drain-world.ts'
import { without } from '../support/programs.ts'
import { digestOf } from '../support/stores.ts'

const INVOICES = 'invoices' as MailboxId
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const SIGNER: Signer = {
  publicKey: async () => publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  sign: async (octets) => sign(null, octets, privateKey),
}
const TEXTS = [
  ...Array.from({ length: 7 }, (_, n) => message(`message ${n}`, `body ${n}\r\nFrom here on\r\n>From there`)),
  'Subject: no line end\r\n\r\nlast line',
  '',
]

const folders: string[] = []
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
function newFolder(): string {
  folders.push(mkdtempSync(join(tmpdir(), 'mailsluice-export-')))
  return folders.at(-1) as string
}

const world = new DrainWorld()
before(async () => {
  for (const text of TEXTS) world.store.deliver(text)
  await world.drain()
  await sealLedgers([INVOICES], { archive: world.archive, signer: SIGNER, authorities: [] })
})

function bundle(archive: Archive): ExportFormat {
  return bundleFormat({ prover: openProver(archive), signer: SIGNER, readme: bundleReadme('ed25519') })
}

function run(
  folder: string,
  format: ExportFormat,
  {
    archive = world.archive,
    query = {},
    ...options
  }: ExportOptions & { archive?: Archive; query?: MessageQuery } = {},
) {
  const ports = { ...world.ports(), archive }
  return exportMessages(query, { folder, format }, [INVOICES], ports, { partMessages: 4, ...options })
}

/** The standard tool says that every file is what the list says. */
function checkSums(folder: string): void {
  execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder, stdio: 'pipe' })
}

function unpacked(zip: string): string {
  const folder = newFolder()
  execFileSync('unzip', ['-q', zip, '-d', folder], { stdio: 'pipe' })
  return folder
}

const openssl = (folder: string, sums: string, signature: string): string =>
  execFileSync(
    'openssl',
    [
      ...['pkeyutl', '-verify', '-pubin', '-inkey', 'public-key.pem'],
      ...['-rawin', '-in', sums, '-sigfile', signature],
    ],
    { cwd: folder, encoding: 'utf8', stdio: 'pipe' },
  )

/** An archive whose n-th read of a message dies. */
function dyingAt(n: number): Archive {
  let reads = 0
  return {
    ...world.archive,
    get(key) {
      if (key.startsWith('raw/') && ++reads === n)
        return Promise.reject(new IngestError('ARCHIVE_UNAVAILABLE', 'the network is gone'))
      return world.archive.get(key)
    },
  }
}

describe('an export', () => {
  test('as .eml files has every message octet by octet, and sums that sha256sum checks', {
    skip: without('sha256sum'),
  }, async () => {
    const folder = newFolder()
    const report = await run(folder, emlFormat())

    assert.deepEqual([report.messages, report.errors, report.parts], [TEXTS.length, 0, 3])
    for (const text of TEXTS) {
      const digest = digestOf(text)
      const file = join(folder, INVOICES, digest.slice(0, 2), `${digest}.eml`)
      assert.equal(readFileSync(file, 'latin1'), text)
    }
    checkSums(folder)
    assert.equal(readFileSync(join(folder, 'SHA256SUMS'), 'utf8').split('\n').length, TEXTS.length + 1)
  })

  test('lists .eml files in the order of the archive, whichever is written first', async () => {
    const own = new DrainWorld()
    const texts = [message('large', 'x'.repeat(2 * EXPORT.memoryMessageOctets)), ...TEXTS]
    for (const text of texts) own.store.deliver(text)
    await own.drain()
    const folder = newFolder()
    await exportMessages({}, { folder, format: emlFormat() }, [INVOICES], own.ports())

    checkSums(folder)
    const listed = readFileSync(join(folder, 'SHA256SUMS'), 'utf8').trimEnd().split('\n')
    assert.deepEqual(
      listed.map((line) => line.slice(0, 64)),
      texts.map((text) => digestOf(text)),
    )
  })

  test('as mbox is what another program reads as the same messages', async () => {
    const folder = newFolder()
    await run(folder, mboxFormat(), { partMessages: 100, query: { subject: ['message'] } })
    const [name] = readdirSync(folder).filter((file) => file.endsWith('.mbox'))
    assert.equal(name, 'invoices-0001.mbox')
    checkSums(folder)
    const text = readFileSync(join(folder, name), 'latin1')

    assert.equal(text.match(/^From \S+@\S+ \w{3} \w{3} [\d ]\d \d\d:\d\d:\d\d \d{4}$/gm)?.length, 7)
    assert.equal(text.match(/^>From here on\r$/gm)?.length, 7)
    assert.equal(text.match(/^>>From there\r$/gm)?.length, 7)
  })

  test('as a bundle is checked by unzip, sha256sum and openssl alone', {
    skip: without('unzip', 'sha256sum', 'openssl'),
  }, async () => {
    const folder = newFolder()
    const report = await run(folder, bundle(world.archive))
    assert.deepEqual([report.messages, report.parts, report.complete], [TEXTS.length, 3, true])
    checkSums(folder)
    const counts: Record<string, number>[] = []
    const key = await SIGNER.publicKey()
    for (const zip of ['part-0001.zip', 'part-0002.zip', 'part-0003.zip']) {
      const part = unpacked(join(folder, zip))
      checkSums(part)
      assert.match(openssl(part, 'SHA256SUMS', 'SHA256SUMS.sig'), /Verified Successfully/)
      assert.match(openssl(part, 'seals/0000000001.json', 'seals/0000000001.sig'), /Verified Successfully/)
      const listed = readFileSync(join(part, 'SHA256SUMS'), 'utf8')
      const there = readdirSync(part, { recursive: true, withFileTypes: true }).filter((each) =>
        each.isFile(),
      )
      // All but the list and its signature.
      assert.equal(listed.split('\n').length - 1, there.length - 2)
      for (const file of readdirSync(join(part, 'messages', INVOICES))) {
        const octets = readFileSync(join(part, 'messages', INVOICES, file))
        const proof = decodeProof(
          readFileSync(join(part, 'proofs', INVOICES, file.replace('.eml', '.json')), 'utf8'),
          file,
        )
        verifyProof({ sha256: digestOf(octets), octets: octets.length }, proof, key)
      }
      assert.equal(readFileSync(join(part, 'errors.ndjson'), 'utf8'), '')
      counts.push(JSON.parse(readFileSync(join(part, 'counts.json'), 'utf8'))[INVOICES])
    }
    assert.deepEqual(
      counts.map(({ messages, proven }) => [messages, proven]),
      [
        [4, 4],
        [4, 4],
        [1, 1],
      ],
    )

    const changed = unpacked(join(folder, 'part-0001.zip'))
    const sums = join(changed, 'SHA256SUMS')
    writeFileSync(sums, readFileSync(sums, 'utf8').replace(/^./, 'f'))
    assert.throws(() => openssl(changed, 'SHA256SUMS', 'SHA256SUMS.sig'))
    assert.throws(() => checkSums(changed))
  })

  for (const [name, format] of [
    ['eml', () => emlFormat()],
    ['mbox', () => mboxFormat()],
    ['bundle', () => bundle(world.archive)],
  ] as const)
    test(`as ${name} goes on wherever it died, and is the same in the end`, async () => {
      const whole = newFolder()
      await run(whole, format())
      const expected = readFileSync(join(whole, 'SHA256SUMS'), 'utf8')
      for (let n = 1; n <= TEXTS.length; n++) {
        const folder = newFolder()
        await assert.rejects(run(folder, format(), { archive: dyingAt(n) }), { code: 'ARCHIVE_UNAVAILABLE' })
        assert.equal(existsSync(join(folder, 'SHA256SUMS')), false)
        const { messages, complete } = await run(folder, format())

        assert.deepEqual([messages, complete], [TEXTS.length, true])
        assert.equal(readFileSync(join(folder, 'SHA256SUMS'), 'utf8'), expected)
        assert.deepEqual(
          readdirSync(folder).filter((file) => file.endsWith('.partial')),
          [],
        )
      }
    })

  test('that was stopped in good order goes on too, and ends with what was there when it began', async () => {
    const own = new DrainWorld()
    for (const text of TEXTS.slice(0, 6)) own.store.deliver(text)
    await own.drain()
    const folder = newFolder()
    const go = (options: ExportOptions) =>
      exportMessages({}, { folder, format: emlFormat() }, [INVOICES], own.ports(), {
        partMessages: 2,
        ...options,
      })
    let asked = 0
    const first = await go({ keepGoing: () => ++asked <= 5 })
    own.store.deliver(message('later'))
    await own.drain()
    const second = await go({})

    assert.deepEqual([first.complete, first.parts], [false, 2])
    assert.deepEqual([second.complete, second.messages, second.resumed], [true, 6, 2])
  })

  test('names a message that is gone or was changed, and has all others', {
    skip: without('unzip', 'sha256sum'),
  }, async () => {
    const lost = rawKey(INVOICES, digestOf(TEXTS[2] as string))
    const other = rawKey(INVOICES, digestOf(TEXTS[3] as string))
    const archive: Archive = {
      ...world.archive,
      get: (key) => {
        if (key === lost)
          return Promise.reject(new IngestError('ARCHIVE_CONFLICT', `${key}: there is no such object`))
        return world.archive.get(key === other ? rawKey(INVOICES, digestOf(TEXTS[4] as string)) : key)
      },
    }
    const folder = newFolder()
    const report = await run(folder, bundle(world.archive), { archive, partMessages: 100 })
    const part = unpacked(join(folder, 'part-0001.zip'))
    const errors = readFileSync(join(part, 'errors.ndjson'), 'utf8')

    assert.deepEqual([report.messages, report.errors], [TEXTS.length - 2, 2])
    assert.match(errors, /"code":"ARCHIVE_CONFLICT".*there is no such object/)
    assert.match(errors, /its octets have SHA-256/)
    checkSums(part)
  })

  test('says which messages have no proof yet', { skip: without('unzip', 'sha256sum') }, async () => {
    const own = new DrainWorld()
    own.store.deliver(TEXTS[0] as string)
    await own.drain()
    const folder = newFolder()
    await exportMessages({}, { folder, format: bundle(own.archive) }, [INVOICES], own.ports())
    const part = unpacked(join(folder, 'part-0001.zip'))

    assert.match(readFileSync(join(part, 'errors.ndjson'), 'utf8'), /NOT_SEALED/)
    assert.equal(readdirSync(join(part, 'messages', INVOICES)).length, 1)
    checkSums(part)
  })

  test('as a bundle is not given away with a signature that its own key does not verify', async () => {
    const other = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' })
    const folder = newFolder()
    for (const pem of [String(other), 'no key']) {
      const signer: Signer = { ...SIGNER, publicKey: async () => pem }
      const format = bundleFormat({ prover: openProver(world.archive), signer, readme: '' })
      await assert.rejects(run(folder, format), { code: 'SIGNING_KEY_UNUSABLE' })
      assert.deepEqual(
        readdirSync(folder).filter((file) => file.endsWith('.zip')),
        [],
      )
    }
  })

  test('does not mix with another in one folder', async () => {
    const folder = newFolder()
    await run(folder, emlFormat())
    await assert.rejects(run(folder, mboxFormat()), { code: 'EXPORT_FAILED' })
    await assert.rejects(run(folder, emlFormat(), { query: { class: ['list'] } }), { code: 'EXPORT_FAILED' })
  })

  test('to a place that cannot be written to says where', async () => {
    const file = join(newFolder(), 'file')
    writeFileSync(file, '')
    await assert.rejects(run(join(file, 'x'), emlFormat()), { code: 'EXPORT_FAILED' })
  })
})
