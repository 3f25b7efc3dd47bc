import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Archive } from '../../shared/archive/archive.ts'
import { openMemoryArchive } from '../../shared/archive/memory.ts'
import type { DrainId, MailboxId, ObjectKey } from '../../shared/contract/ids.ts'
import { ledgerKey, sealKey } from '../../shared/contract/object-key.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { openProver, segmentOf } from '../../shared/operations/prove.ts'
import { type SealPorts, sealLedgers } from '../../shared/operations/seal.ts'
import { decodeProof, type Proof, verifyProof } from '../../shared/seal/proof.ts'
import { readStoredSeal } from '../../shared/seal/seals.ts'
import type { Signer } from '../../shared/seal/signer.ts'
import { digestOf, draftOf, messageEntry } from '../support/segments.ts'

const [INVOICES, ORDERS] = ['invoices', 'orders'] as MailboxId[] as [MailboxId, MailboxId]
const BOTH = [INVOICES, ORDERS]

function signerOf({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }): Signer {
  return {
    publicKey: async () => publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: async (octets) =>
      sign(privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256', octets, privateKey),
  }
}

const SIGNER = signerOf(generateKeyPairSync('ed25519'))

async function append(archive: Archive, mailbox: MailboxId, ...texts: string[]): Promise<void> {
  const ledger = await openLedger(mailbox, { archive, state: undefined })
  const entries = texts.map((text, index) => messageEntry(text, { id: ledger.nextSeq * 100 + index }))
  await ledger.commit(draftOf(entries), undefined)
}

function seal(archive: Archive, ports: Partial<SealPorts> = {}) {
  return sealLedgers(BOTH, { archive, signer: SIGNER, authorities: [], ...ports })
}

async function prove(archive: Archive, mailbox: MailboxId, text: string): Promise<Proof> {
  const seq = await segmentOf(mailbox, digestOf(text), archive)
  assert.ok(seq)
  const proof = await openProver(archive).prove(mailbox, seq, digestOf(text))
  return decodeProof(JSON.stringify(proof), 'the proof')
}

const facts = (text: string) => ({ sha256: digestOf(text), octets: text.length })

/** The same archive with other octets under one key, or none. */
async function tampered(archive: Archive, key: ObjectKey, change: (text: string) => string | undefined) {
  const copy = openMemoryArchive()
  for await (const { key: each } of archive.list('')) {
    const { body } = await archive.get(each)
    const text = Buffer.concat(await body.toArray()).toString('utf8')
    const content = each === key ? change(text) : text
    if (content === undefined) continue
    await copy.put(each, memoryOctets(Buffer.from(content)), {
      contentType: 'application/x-ndjson',
      writtenFor: { seq: 1, drain: 'd' as DrainId },
    })
  }
  return copy
}

async function sealedArchive(): Promise<Archive> {
  const archive = openMemoryArchive()
  await append(archive, INVOICES, 'one', 'two')
  await append(archive, ORDERS, 'three')
  await seal(archive)
  await append(archive, INVOICES, 'four')
  await append(archive, INVOICES, 'five')
  await seal(archive)
  return archive
}

describe('sealing ledgers', () => {
  test('covers every line once, header lines too, and chains the seals', async () => {
    const archive = await sealedArchive()
    const [first, second] = await Promise.all([readStoredSeal(1, archive), readStoredSeal(2, archive)])

    assert.equal(first.seal.treeSize, 3 + 2)
    assert.equal(second.seal.treeSize, 2 + 2)
    assert.equal(first.seal.previous, null)
    assert.equal(second.seal.previous, first.digest)
    assert.deepEqual(
      [...second.coverage].map(([mailbox, { seq }]) => [mailbox, seq]),
      [
        [INVOICES, 3],
        [ORDERS, 1],
      ],
    )
  })

  test('seals nothing when nothing was added', async () => {
    const archive = openMemoryArchive()
    assert.deepEqual((await seal(archive)).seals, [])
    await append(archive, ORDERS, 'one')
    assert.equal((await seal(archive)).seals.length, 1)
    assert.deepEqual((await seal(archive)).seals, [])
  })

  test('two at a time make one seal of each number, and leave nothing out', async () => {
    const archive = openMemoryArchive()
    await append(archive, ORDERS, 'one')
    let more = true
    const signer: Signer = {
      ...SIGNER,
      async sign(octets) {
        if (more) {
          more = false
          await append(archive, ORDERS, 'two')
          await seal(archive)
        }
        return SIGNER.sign(octets)
      },
    }
    await seal(archive, { signer })

    for (const text of ['one', 'two'])
      verifyProof(facts(text), await prove(archive, ORDERS, text), await SIGNER.publicKey())
    assert.equal(await archive.find(sealKey(2)), undefined)
  })

  for (const [what, key, change] of [
    ['the last segment that was sealed is removed', ledgerKey(INVOICES, 3), () => undefined],
    ['it was changed', ledgerKey(INVOICES, 3), (text: string) => text.replace('INBOX', 'OTHER')],
  ] as const)
    test(`a ledger is not sealed further when ${what}; the others are`, async () => {
      const archive = await tampered(await sealedArchive(), key, change)
      await append(archive, ORDERS, 'six')
      const report = await seal(archive)

      assert.deepEqual(
        report.broken.map(({ mailbox, error }) => [mailbox, error.code]),
        [[INVOICES, 'LEDGER_CORRUPT']],
      )
      assert.equal(report.seals.length, 1)
    })

  test('a ledger that was written anew, chain and all, is not sealed further', async () => {
    const archive = await sealedArchive()
    const rewritten = openMemoryArchive()
    for (const texts of [['one', 'zwei'], ['four'], ['five'], ['six']])
      await append(rewritten, INVOICES, ...texts)
    for await (const { key } of archive.list('')) {
      if (key.startsWith(`ledger/${INVOICES}/`)) continue
      const { body } = await archive.get(key)
      await rewritten.put(key, memoryOctets(Buffer.concat(await body.toArray())), {
        contentType: 'application/x-ndjson',
        writtenFor: { seq: 1, drain: 'd' as DrainId },
      })
    }

    const report = await seal(rewritten)
    assert.deepEqual(
      report.broken.map(({ error }) => error.code),
      ['LEDGER_CORRUPT'],
    )
    assert.deepEqual(report.seals, [])
    await assert.rejects(prove(rewritten, INVOICES, 'one'), {
      code: 'SEAL_INVALID',
      message: /^segment 1 of invoices has SHA-256 [0-9a-f]{64}; sealed was [0-9a-f]{64}$/,
    })
  })

  test('nothing is sealed after a seal that its key did not sign', async () => {
    const archive = await tampered(await sealedArchive(), sealKey(2), (text) =>
      text.replace(/sealedAt\\":\\"20/, 'sealedAt\\":\\"19'),
    )
    await append(archive, ORDERS, 'six')

    await assert.rejects(seal(archive), { code: 'SEAL_INVALID' })
  })

  test('a seal stands without a timestamp that could not be had, and the report says so', async () => {
    const archive = openMemoryArchive()
    await append(archive, ORDERS, 'one')
    const { IngestError } = await import('../../shared/errors.ts')
    const down = {
      url: 'https://tsa.example',
      stamp: async () => {
        throw new IngestError('TIMESTAMP_UNAVAILABLE', 'https://tsa.example: HTTP 503')
      },
    }
    const up = { url: 'https://other.example', stamp: async () => Buffer.from('token') }
    const report = await seal(archive, { authorities: [down, up] })

    assert.deepEqual(
      report.unstamped.map(({ code }) => code),
      ['TIMESTAMP_UNAVAILABLE'],
    )
    assert.deepEqual((await readStoredSeal(1, archive)).signed.timestamps, [
      { authority: 'https://other.example', response: Buffer.from('token').toString('base64') },
    ])
  })
})

describe('a proof', () => {
  for (const [kind, signer] of [
    ['Ed25519', SIGNER],
    ['P-256', signerOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }))],
  ] as const)
    test(`of each message verifies by message and public key alone (${kind})`, async () => {
      const archive = openMemoryArchive()
      await append(archive, INVOICES, 'one', 'two')
      await append(archive, ORDERS, 'three')
      await seal(archive, { signer })

      for (const [mailbox, text] of [
        [INVOICES, 'one'],
        [INVOICES, 'two'],
        [ORDERS, 'three'],
      ] as const) {
        const proven = verifyProof(facts(text), await prove(archive, mailbox, text), await signer.publicKey())
        assert.equal(proven.mailbox, mailbox)
        assert.equal(proven.entry.sha256, digestOf(text))
      }
    })

  test('is small: it has the path to a root over all lines, and not the lines', async () => {
    const archive = openMemoryArchive()
    for (let n = 0; n < 40; n++)
      await append(archive, INVOICES, ...Array.from({ length: 50 }, (_, m) => `message ${n}.${m}`))
    await seal(archive)

    const proof = await prove(archive, INVOICES, 'message 17.3')
    assert.ok(proof.path.length <= 11)
    assert.ok(JSON.stringify(proof).length < 4096)
  })

  test('of a ledger that ends before it was sealed is not to be had, and the ledger is named', async () => {
    const archive = await tampered(await sealedArchive(), ledgerKey(INVOICES, 3), () => undefined)

    await assert.rejects(prove(archive, INVOICES, 'four'), {
      code: 'SEAL_INVALID',
      message: 'the ledger of invoices ends before segment 3, which was sealed',
    })
  })

  test('of a message that no seal covers yet is not to be had', async () => {
    const archive = await sealedArchive()
    await append(archive, ORDERS, 'later')

    await assert.rejects(prove(archive, ORDERS, 'later'), { code: 'NOT_SEALED' })
  })

  const changed: [string, (proof: Proof) => Partial<Proof>][] = [
    ['the entry', ({ entry }) => ({ entry: entry.replace('INBOX', 'OTHER') })],
    ['the mailbox', () => ({ mailbox: 'orders' })],
    ['the segment', ({ segment }) => ({ segment: segment + 1 })],
    ['the line', ({ line }) => ({ line: line + 1 })],
    ['the place', ({ leafIndex }) => ({ leafIndex: leafIndex + 1 })],
    ['a hash of the path', ({ path }) => ({ path: [digestOf('x'), ...path.slice(1)] })],
    ['the length of the path', ({ path }) => ({ path: path.slice(1) })],
    ['the seal', ({ seal }) => ({ seal: seal.replace(/"sealedAt":"20/, '"sealedAt":"19') })],
    ['the signature', () => ({ signature: Buffer.alloc(64).toString('base64') })],
  ]
  for (const [what, change] of changed)
    test(`is refused when ${what} was changed`, async () => {
      const archive = await sealedArchive()
      const proof = await prove(archive, INVOICES, 'two')
      const key = await SIGNER.publicKey()
      verifyProof(facts('two'), proof, key)

      assert.throws(() => verifyProof(facts('two'), { ...proof, ...change(proof) }, key), {
        code: 'PROOF_INVALID',
      })
    })

  test('is refused for another message, and by another key, also when the proof brings that key', async () => {
    const archive = await sealedArchive()
    const proof = await prove(archive, INVOICES, 'two')
    const stranger = signerOf(generateKeyPairSync('ed25519'))
    const forged = {
      ...proof,
      publicKey: await stranger.publicKey(),
      signature: (await stranger.sign(Buffer.from(proof.seal))).toString('base64'),
    }

    const invalid = { code: 'PROOF_INVALID' }
    assert.throws(() => verifyProof(facts('one'), proof, proof.publicKey), invalid)
    assert.throws(() => verifyProof(facts('two'), proof, forged.publicKey), invalid)
    assert.throws(() => verifyProof(facts('two'), forged, proof.publicKey), invalid)
    assert.throws(() => verifyProof(facts('two'), proof, 'no key'), invalid)
    const rsa = signerOf(generateKeyPairSync('rsa', { modulusLength: 2048 }))
    assert.throws(() => verifyProof(facts('two'), proof, 'no key'), invalid)
    const pem = await rsa.publicKey()
    assert.throws(() => verifyProof(facts('two'), proof, pem), /expected PEM of an Ed25519 or P-256 key/)
  })

  test('that is none is refused by what is wrong with it', () => {
    assert.throws(() => decodeProof('{', 'x.json'), /x\.json: not JSON/)
    assert.throws(() => decodeProof('{"type":"mailsluice-proof","v":1}', 'x.json'), { code: 'PROOF_INVALID' })
  })
})
