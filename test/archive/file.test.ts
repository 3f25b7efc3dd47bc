import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Archive, PutOptions } from '../../shared/archive/archive.ts'
import { openFileArchive } from '../../shared/archive/file.ts'
import { openFileAudit } from '../../shared/archive/file-audit.ts'
import { openFileCustody } from '../../shared/archive/file-custody.ts'
import { formatSharedSidecar, formatSidecar } from '../../shared/archive/sidecar.ts'
import { type DrainId, mailboxId, type ObjectKey, type Sha256 } from '../../shared/contract/ids.ts'
import { ledgerKey, rawKey } from '../../shared/contract/object-key.ts'
import { memoryOctets, type Octets } from '../../shared/octets.ts'
import { archiveContract, isCode } from '../contract/archive.ts'
import { auditContract } from '../contract/audit.ts'

const OPTIONS: PutOptions = {
  contentType: 'application/x-ndjson',
  writtenFor: { seq: 2, drain: 'later' as DrainId },
}
const KEY = ledgerKey(mailboxId('m'), 1)
const BODY = memoryOctets(Buffer.from('a segment\n'))
const DAYS_AGO = new Date(Date.now() - 2 * 86_400_000)

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-archive-'))
  after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

archiveContract(
  'files',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-archive-'))
    return {
      archive: openFileArchive(join(folder, 'made', 'on the way')),
      close: () => rm(folder, { recursive: true, force: true }),
    }
  },
  { versions: 'one content for each key', locks: 'files cannot be locked against their owner' },
)

auditContract(
  'files',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-archive-'))
    return {
      archive: openFileArchive(folder),
      audit: openFileAudit(folder),
      close: () => rm(folder, { recursive: true, force: true }),
    }
  },
  'one content for each key',
)

describe('an archive of files', () => {
  test('keeps objects read-only, under their keys, and nothing else beside them', async () => {
    const folder = await temporaryFolder()
    await openFileArchive(folder).put(KEY, BODY, OPTIONS)

    assert.equal((await stat(join(folder, KEY))).mode & 0o222, 0)
    assert.deepEqual((await readdir(folder)).sort(), ['.incoming', '.metadata', 'ledger'])
    assert.deepEqual(await readdir(join(folder, '.incoming')), [])
  })

  test('gives an object that somebody removed its octets back, and none to one whose metadata is of others', async () => {
    const folder = await temporaryFolder()
    const archive = openFileArchive(folder)
    await archive.put(KEY, BODY, OPTIONS)
    await rm(join(folder, KEY))

    const others = memoryOctets(Buffer.from('another segment\n'))
    await assert.rejects(archive.put(KEY, others, OPTIONS), isCode('ARCHIVE_CONFLICT'))
    assert.equal((await archive.put(KEY, BODY, OPTIONS)).outcome, 'exists')

    assert.equal(await text((await archive.get(KEY)).body), 'a segment\n')
    assert.deepEqual(await readdir(join(folder, '.incoming')), [])
  })

  test('leaves nothing behind when a put is refused', async () => {
    const folder = await temporaryFolder()
    const archive = openFileArchive(folder)

    const lie = { ...BODY, buffer: undefined, length: 3 }
    await assert.rejects(archive.put(KEY, lie, OPTIONS), isCode('ARCHIVE_UNAVAILABLE'))

    assert.deepEqual(await readdir(join(folder, '.incoming')), [])
    assert.deepEqual(await listed(archive), [])
  })

  test('lists none of its own folders nor foreign names', async () => {
    const folder = await temporaryFolder()
    const archive = openFileArchive(folder)
    await archive.put(KEY, BODY, OPTIONS)
    await writeFile(join(folder, '.DS_Store'), '')
    await mkdir(join(folder, 'lost+found'))

    assert.deepEqual(await listed(archive), [KEY])
  })

  test('does not pass over a link in silence', {
    skip: process.platform === 'win32' && 'no links',
  }, async () => {
    const folder = await temporaryFolder()
    await symlink(tmpdir(), join(folder, 'raw'))

    await assert.rejects(listed(openFileArchive(folder)), isCode('ARCHIVE_CONFLICT'))
  })

  test('tells an object that was changed on the disk before its last octet', async () => {
    const folder = await temporaryFolder()
    const archive = openFileArchive(folder)
    await archive.put(KEY, BODY, OPTIONS)
    await chmod(join(folder, KEY), 0o644)
    await writeFile(join(folder, KEY), 'A segment\n')

    await assert.rejects(buffer((await archive.get(KEY)).body), isCode('ARCHIVE_CONFLICT'))
  })

  test('finds an object that somebody put there by hand, without its facts', async () => {
    const folder = await temporaryFolder()
    const archive = openFileArchive(folder)
    await mkdir(dirname(join(folder, KEY)), { recursive: true })
    await writeFile(join(folder, KEY), 'by hand')

    const result = await archive.put(KEY, BODY, OPTIONS)

    assert.ok(result.outcome === 'exists')
    assert.equal(result.facts.octets, 7)
    assert.equal(result.facts.writtenFor, undefined)
  })

  test('is unusable, and says so, where a file stands in its way', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'file'), '')

    await assert.rejects(openFileArchive(join(folder, 'file')).check(), isCode('ARCHIVE_UNAVAILABLE'))
    await assert.rejects(
      openFileArchive(join(folder, 'file', 'archive')).check(),
      isCode('ARCHIVE_MISCONFIGURED'),
    )
  })

  test('that may not be written is ARCHIVE_DENIED', { skip: notRoot() }, async () => {
    const folder = await temporaryFolder()
    process.seteuid?.(65534)
    try {
      await assert.rejects(openFileArchive(join(folder, 'archive')).check(), isCode('ARCHIVE_DENIED'))
    } finally {
      process.seteuid?.(0)
    }
  })
})

describe('a put that was killed', () => {
  const DEAD = '5d3c0bd5-3f33-4be0-8e2e-0f9ab4c9f2a1'
  const sidecar = {
    key: KEY,
    octets: BODY.length,
    sha256: BODY.sha256,
    contentType: 'application/x-ndjson',
    writtenFor: { seq: 1, drain: 'dead' as DrainId },
    storedAt: DAYS_AGO.toISOString(),
    put: DEAD,
  }

  /** As the dead process left it. */
  async function left(
    files: { data?: Buffer; json?: Buffer; ending?: Buffer; named?: Buffer },
    age = DAYS_AGO,
  ): Promise<string> {
    const folder = await temporaryFolder()
    await mkdir(join(folder, '.incoming'))
    await mkdir(dirname(join(folder, '.metadata', KEY)), { recursive: true })
    const paths = {
      data: join(folder, '.incoming', `${DEAD}.data`),
      json: join(folder, '.incoming', `${DEAD}.json`),
      ending: join(folder, '.incoming', `${DEAD}.json.ending`),
      named: join(folder, '.metadata', `${KEY}.json`),
    }
    for (const [kind, path] of Object.entries(paths)) {
      const content = files[kind as keyof typeof paths]
      if (content === undefined) continue
      await writeFile(path, content)
      await utimes(path, age, age)
    }
    return folder
  }

  const data = BODY.buffer as Buffer
  const json = formatSidecar(sidecar)

  for (const [who, look] of Object.entries({
    'who lists': async (archive: Archive) => (await Array.fromAsync(archive.list('ledger/')))[0],
    'who looks for it': (archive: Archive) => archive.find(KEY),
  }))
    test(`after its commit is completed by ${who}: a drain that follows knows the segment`, async () => {
      const archive = openFileArchive(await left({ data, json, named: json }, new Date()))

      assert.deepEqual([(await look(archive))?.key, (await look(archive))?.octets], [KEY, BODY.length])
      assert.equal(await text((await archive.get(KEY)).body), 'a segment\n')
    })

  test('before its commit is not listed, and not found', async () => {
    const archive = openFileArchive(await left({ data, json }, new Date()))
    assert.deepEqual(await Array.fromAsync(archive.list('ledger/')), [])
    assert.equal(await archive.find(KEY), undefined)
  })

  test('after its commit is completed by the next put of the key, and is the one that counts', async () => {
    const archive = openFileArchive(await left({ data, json, named: json }, new Date()))

    const result = await archive.put(KEY, memoryOctets(Buffer.from('another segment\n')), OPTIONS)

    assert.ok(result.outcome === 'exists')
    assert.deepEqual(result.facts.writtenFor, sidecar.writtenFor)
    assert.equal(await text((await archive.get(KEY)).body), 'a segment\n')
  })

  for (const [when, files] of Object.entries({
    'after its commit': { data, json, named: json },
    'after its commit, and whose cleaner was killed too': { data, ending: json, named: json },
  }))
    test(`${when} is completed a day later`, async () => {
      const folder = await left(files)
      const archive = openFileArchive(folder)

      await archive.check()

      assert.equal(await text((await archive.get(KEY)).body), 'a segment\n')
      assert.deepEqual(await readdir(join(folder, '.incoming')), [])
    })

  for (const [when, files] of Object.entries({
    'before its commit': { data, json },
    'while it wrote its metadata': { data, json: json.subarray(0, 20) },
    'before it had metadata': { data },
    'before its commit, and whose cleaner was killed too': { data, ending: json },
    'when another put had the key': {
      data,
      json,
      named: formatSidecar({ ...sidecar, put: '00000000-0000-4000-8000-000000000000' }),
    },
  }))
    test(`${when} is removed a day later, and stored nothing`, async () => {
      const folder = await left(files)
      const archive = openFileArchive(folder)

      await archive.check()

      assert.deepEqual(await readdir(join(folder, '.incoming')), [])
      assert.deepEqual(await listed(archive), [])
    })

  test('just now may be alive, and is left alone', async () => {
    const folder = await left({ data, json }, new Date())

    await openFileArchive(folder).check()

    assert.equal((await readdir(join(folder, '.incoming'))).length, 2)
  })

  test('or failed after its commit can be completed when its trouble has passed', async () => {
    const folder = await temporaryFolder()
    const trouble = dirname(join(folder, KEY))
    await mkdir(dirname(trouble))
    await symlink(join(folder, 'nowhere'), trouble)
    await assert.rejects(openFileArchive(folder).put(KEY, BODY, OPTIONS), isCode('ARCHIVE_CONFLICT'))
    await rm(trouble)
    const archive = openFileArchive(folder)

    const result = await archive.put(KEY, memoryOctets(Buffer.from('another segment\n')), OPTIONS)

    assert.equal(result.outcome, 'exists')
    assert.equal(await text((await archive.get(KEY)).body), 'a segment\n')
  })

  test('and whose key was taken by hand keeps its octets for who looks into it', async () => {
    const folder = await left({ data, json, named: json })
    await mkdir(dirname(join(folder, KEY)), { recursive: true })
    await writeFile(join(folder, KEY), 'by hand')

    await openFileArchive(folder).check()

    assert.deepEqual((await readdir(join(folder, '.incoming'))).sort(), [
      `${DEAD}.data`,
      `${DEAD}.json.ending`,
    ])
  })

  test('and whose object was lost does not keep others from working', async () => {
    const folder = await left({ json, named: json })
    const archive = openFileArchive(folder)

    await archive.put(ledgerKey(mailboxId('m'), 2), BODY, OPTIONS)

    assert.deepEqual(await listed(archive), [ledgerKey(mailboxId('m'), 2)])
  })
})

describe('messages of one segment', () => {
  const MAILBOX = mailboxId('m')
  const message = (number: number) => memoryOctets(Buffer.from(`message ${number}\n`))
  const keyOf = ({ sha256 }: { sha256: Sha256 }): ObjectKey => rawKey(MAILBOX, sha256)
  const metadataOf = (folder: string, key: ObjectKey) => stat(join(folder, '.metadata', `${key}.json`))
  const writtenFor = (seq: number): PutOptions => ({ ...OPTIONS, writtenFor: { ...OPTIONS.writtenFor, seq } })
  const octets = Array.from({ length: 40 }, (_, number) => message(100 + number))
  const keys = octets.map(keyOf) as [ObjectKey, ObjectKey, ...ObjectKey[]]

  async function stored(): Promise<{ folder: string; archive: Archive }> {
    const folder = await temporaryFolder()
    const archive = openFileArchive(folder)
    await Promise.all(octets.map((body) => archive.put(keyOf(body), body, OPTIONS)))
    return { folder, archive }
  }

  test('share their metadata, and nothing is left beside them', async () => {
    const { folder, archive } = await stored()
    const further = Array.from({ length: 60 }, (_, number) => message(10 + number))
    await Promise.all(further.map((body) => archive.put(keyOf(body), body, OPTIONS)))
    await archive.put(keyOf(message(5)), message(5), writtenFor(3))

    const inodeOf = async (key: ObjectKey) => (await metadataOf(folder, key)).ino
    const inodes = await Promise.all([...keys, ...further.map(keyOf)].map(inodeOf))
    assert.equal(new Set(inodes).size, 1)
    assert.notEqual(await inodeOf(keyOf(message(5))), inodes[0])
    assert.deepEqual(await readdir(join(folder, '.incoming')), [])
    assert.equal((await archive.find(keys[1]))?.sha256, octets[1]?.sha256)
    assert.deepEqual((await archive.find(keys[1]))?.writtenFor, OPTIONS.writtenFor)
    assert.deepEqual((await archive.find(keyOf(message(5))))?.writtenFor, { ...OPTIONS.writtenFor, seq: 3 })
  })

  test('leave nothing behind when all of their puts are refused', async () => {
    const folder = await temporaryFolder()
    const archive = openFileArchive(folder)
    const lie = { ...message(1), buffer: undefined, length: 3 }

    const puts = [1, 2].map(() => archive.put(keyOf(lie), lie, OPTIONS))

    for (const { status } of await Promise.allSettled(puts)) assert.equal(status, 'rejected')
    assert.deepEqual(await readdir(join(folder, '.incoming')), [])
    assert.equal((await archive.put(keyOf(lie), message(1), OPTIONS)).outcome, 'created')
  })

  test('that are put twice at the same time are stored once', async () => {
    const folder = await temporaryFolder()
    const archive = openFileArchive(folder)

    const results = await Promise.all(
      [1, 1, 1].map((n) => archive.put(keyOf(message(n)), message(n), OPTIONS)),
    )

    assert.equal(results.filter(({ outcome }) => outcome === 'created').length, 1)
    assert.deepEqual(await readdir(join(folder, '.incoming')), [])
  })

  test('get metadata of their own when the shared one has lost the name that was known', async () => {
    const { folder, archive } = await stored()
    for (const key of keys) await rm(join(folder, '.metadata', `${key}.json`))

    assert.equal((await archive.put(keyOf(message(4)), message(4), OPTIONS)).outcome, 'created')
    assert.deepEqual((await archive.find(keyOf(message(4))))?.writtenFor, OPTIONS.writtenFor)
    assert.deepEqual(await readdir(join(folder, '.incoming')), [])
  })

  test('that are deleted take nothing from the others', async () => {
    const { folder, archive } = await stored()

    await openFileCustody(folder).delete({ key: keys[0], versionId: undefined }, { bypassGovernance: false })

    assert.equal(await archive.find(keys[0]), undefined)
    assert.deepEqual((await archive.find(keys[1]))?.writtenFor, OPTIONS.writtenFor)
    assert.equal((await archive.put(keys[0], octets[0] as Octets, OPTIONS)).outcome, 'created')
  })

  test('are known when they have metadata of their own, as all had once', async () => {
    const { folder, archive } = await stored()
    const [key, other] = keys
    const { sha256, length } = octets[0] as Octets
    const put = '5d3c0bd5-3f33-4be0-8e2e-0f9ab4c9f2a1'
    const facts = { contentType: 'message/rfc822', storedAt: '2026-01-01T00:00:00.000Z' }
    const sidecar = {
      ...facts,
      key,
      sha256,
      octets: length,
      put,
      writtenFor: { seq: 7, drain: 'old' as DrainId },
    }
    const path = join(folder, '.metadata', `${key}.json`)
    await rm(path)
    await writeFile(path, formatSidecar(sidecar))

    assert.deepEqual((await archive.find(key))?.writtenFor, sidecar.writtenFor)
    assert.equal((await archive.put(key, octets[0] as Octets, OPTIONS)).outcome, 'exists')
    assert.deepEqual((await archive.find(other))?.writtenFor, OPTIONS.writtenFor)
  })

  const GROUP = '9f3c0bd5-3f33-4be0-8e2e-0f9ab4c9f2a1'
  const [body] = octets as [Octets, ...Octets[]]
  const [key] = keys

  /** As a process left it that was killed on its way. */
  async function left(
    what: { data?: boolean; shared?: boolean; named?: boolean },
    age = DAYS_AGO,
  ): Promise<string> {
    const folder = await temporaryFolder()
    const incoming = join(folder, '.incoming')
    const named = join(folder, '.metadata', `${key}.json`)
    await mkdir(incoming)
    await mkdir(dirname(named), { recursive: true })
    const { contentType, writtenFor } = OPTIONS
    const json = formatSharedSidecar({ contentType, writtenFor, storedAt: age.toISOString(), group: GROUP })
    const files = [
      what.data && {
        path: join(incoming, `${GROUP},${key.replaceAll('/', ',')}.data`),
        content: body.buffer,
      },
      what.shared && { path: join(incoming, `${GROUP}.json`), content: json },
      what.named && { path: named, content: json },
    ]
    for (const file of files) {
      if (!file) continue
      await writeFile(file.path, file.content as Buffer)
      await utimes(file.path, age, age)
    }
    return folder
  }

  for (const [who, look] of Object.entries({
    'who lists': async (archive: Archive) => (await Array.fromAsync(archive.list('raw/m/')))[0]?.key,
    'who looks for it': async (archive: Archive) => (await archive.find(key))?.key,
    'who puts it': async (archive: Archive) => {
      const result = await archive.put(key, body, writtenFor(9))
      return result.outcome === 'exists' ? result.facts.key : undefined
    },
  }))
    test(`whose process was killed after the commit of one: it is completed by ${who}`, async () => {
      const archive = openFileArchive(await left({ data: true, named: true }, new Date()))

      assert.equal(await look(archive), key)
      assert.deepEqual(await buffer((await archive.get(key)).body), body.buffer)
      assert.deepEqual((await archive.find(key))?.writtenFor, OPTIONS.writtenFor)
    })

  test('whose process was killed before a commit are not there, and another segment may have them', async () => {
    const archive = openFileArchive(await left({ data: true, shared: true }, new Date()))

    assert.deepEqual(await Array.fromAsync(archive.list('')), [])
    assert.equal(await archive.find(key), undefined)
    assert.equal((await archive.put(key, body, writtenFor(9))).outcome, 'created')
    assert.equal((await archive.find(key))?.writtenFor?.seq, 9)
  })

  test('of a dead process are completed or removed a day later', async () => {
    for (const { before, listed: expected } of [
      { before: { data: true, named: true }, listed: [key] },
      { before: { data: true, named: true, shared: true }, listed: [key] },
      { before: { data: true, shared: true }, listed: [] },
      { before: { data: true }, listed: [] },
    ]) {
      const folder = await left(before)
      const archive = openFileArchive(folder)

      await archive.check()

      assert.deepEqual(await readdir(join(folder, '.incoming')), [])
      assert.deepEqual(await listed(archive), expected)
    }
  })

  test('whose process may be alive are left alone', async () => {
    const folder = await left({ data: true, shared: true }, new Date())
    await openFileArchive(folder).check()
    assert.equal((await readdir(join(folder, '.incoming'))).length, 2)
  })
})

test('processes that race for keys and are killed at any moment leave whole objects with their own facts', async () => {
  const folder = await temporaryFolder()
  const script = fileURLToPath(new URL('../support/archive-writer.ts', import.meta.url))
  const created = new Map<string, { sha256: string; drain: string; seq: number }>()
  let first = 1
  for (let round = 1; round <= 5; round++) {
    const writers = ['a', 'b', 'c'].map((name) => {
      const drain = `${round}${name}`
      const child = spawn(process.execPath, [script, folder, drain, String(first)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      return { drain, child, said: text(child.stdout), exit: once(child, 'exit') }
    })
    await Promise.all(writers.map(({ child }) => once(child.stdout, 'readable')))
    for (const { child } of writers) {
      await sleep(Math.random() * 60)
      child.kill('SIGKILL')
    }
    for (const { drain, said, exit } of writers) {
      await exit
      // The last line may be cut off.
      for (const line of (await said).split('\n').slice(0, -1)) {
        const [key = '', sha256 = '', seq = ''] = line.split(' ')
        assert.equal(created.has(key), false, `${key} was created twice`)
        created.set(key, { sha256, drain, seq: Number(seq) })
        if (key.startsWith('ledger/')) first = Math.max(first, Number(seq) - 5)
      }
    }
  }
  const archive = openFileArchive(folder)
  assert.ok(created.size > 50, `only ${created.size} objects`)

  for (const [key, { sha256, drain, seq }] of created) {
    const facts = await archive.find(key as ObjectKey)
    assert.equal(facts?.sha256, sha256)
    assert.deepEqual(facts.writtenFor, { seq, drain })
  }
  for (const key of await listed(archive)) {
    const { body, facts } = await archive.get(key)
    assert.ok(facts.sha256 && facts.writtenFor, `${key} has no metadata`)
    await buffer(body)
  }
  // Keys that a killed process had committed and not finished are as usable as any other.
  for (let seq = 1; seq <= first + 60; seq++) {
    const key = ledgerKey(mailboxId('shared'), seq)
    await archive.put(key, BODY, OPTIONS)
    await buffer((await archive.get(key)).body)
  }
})

async function listed(archive: Archive): Promise<ObjectKey[]> {
  const keys: ObjectKey[] = []
  for await (const { key } of archive.list('')) keys.push(key)
  return keys
}

function notRoot(): string | false {
  return process.getuid?.() === 0 ? false : 'only root can become somebody who may not'
}
