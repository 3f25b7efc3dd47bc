import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Retention } from '../../shared/archive/archive.ts'
import { openMemoryCustody } from '../../shared/archive/memory-custody.ts'
import type { MailboxId, ObjectKey, Sha256 } from '../../shared/contract/ids.ts'
import { coverageKey, rawKey, sealKey } from '../../shared/contract/object-key.ts'
import { verifyLedger } from '../../shared/ledger/verify.ts'
import { openSpool } from '../../shared/octets.ts'
import { extendRetention } from '../../shared/operations/retention.ts'
import { sealLedgers } from '../../shared/operations/seal.ts'
import type { Checkpoint } from '../../shared/operations/verification/checkpoint.ts'
import { sealedAnchor } from '../../shared/operations/verification/evidence.ts'
import type { Finding } from '../../shared/operations/verification/finding.ts'
import { type VerifyOptions, verifyArchive } from '../../shared/operations/verify-archive.ts'
import { openInlineParser } from '../../shared/parser/inline.ts'
import { readSealedLedgers } from '../../shared/seal/sealed-ledgers.ts'
import { readStoredSeal } from '../../shared/seal/seals.ts'
import type { Signer } from '../../shared/seal/signer.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import { isCode } from '../contract/archive.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { recordMessages } from '../support/recorded-archive.ts'
import { MAILBOX } from '../support/segments.ts'
import { digestOf } from '../support/stores.ts'

// An archive against its evidence: seals, and retention that was lengthened. Who tampers here has every right but the key that seals.

const POLICY: Retention = { mode: 'governance', days: 10 }
const ORDERS = 'orders' as MailboxId
const ONE = rawKey(MAILBOX, digestOf('one'))
const DAY_MS = 86_400_000

function newKey(): Signer & { readonly key: KeyObject } {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = createPublicKey(privateKey)
  return {
    key,
    publicKey: async () => key.export({ type: 'spki', format: 'pem' }).toString(),
    sign: async (octets) => sign(null, octets, privateKey),
  }
}

const OURS = newKey()
const TRUSTED = { sealKey: async () => OURS.key }

/** Two mailboxes, sealed after the first and after the second segment of one. */
class SealedWorld extends MemoryStore {
  readonly state = openMemoryState()

  static async open(signers: readonly [Signer, Signer] = [OURS, OURS]): Promise<SealedWorld> {
    const world = new SealedWorld()
    await world.record([['one', 'two']])
    await world.record([['other']], ORDERS)
    await world.seal(signers[0])
    await world.record([['three']])
    await world.seal(signers[1])
    return world
  }

  record(segments: readonly (readonly string[])[], mailbox: MailboxId = MAILBOX): Promise<void> {
    return recordMessages(this.archive, segments, { mailbox, retention: POLICY })
  }

  async seal(signer: Signer): Promise<void> {
    const { archive } = this
    await sealLedgers([MAILBOX, ORDERS], { archive, signer, authorities: [] })
    for (const key of this.objects.keys()) if (key.startsWith('evidence/')) this.lock(key)
  }

  lock(key: ObjectKey): void {
    this.change(key, {
      lockMode: 'governance',
      retainUntil: new Date(Date.now() + 100 * DAY_MS).toISOString(),
    })
  }

  remove(prefix: string): void {
    for (const key of this.objects.keys()) if (key.startsWith(prefix)) this.objects.delete(key)
  }

  /** Everything of a mailbox as if it had been drained so: chain, objects and what they say of themselves fit each other. */
  async rewrite(segments: readonly (readonly string[])[]): Promise<void> {
    this.remove(`ledger/${MAILBOX}/`)
    this.remove(`raw/${MAILBOX}/`)
    await this.record(segments)
  }

  replaceText(key: ObjectKey, change: (text: string) => string): void {
    const [version] = this.objects.get(key) ?? []
    assert.ok(version?.content)
    const content = Buffer.from(change(version.content.toString()))
    assert.notDeepEqual(content, version.content)
    this.objects.set(key, [{ ...version, content }])
  }

  async findings(options: Partial<VerifyOptions> = TRUSTED): Promise<readonly Finding[]> {
    return (await this.verify(options)).findings
  }

  async verify(options: Partial<VerifyOptions>) {
    const findings: Finding[] = []
    const checkpoints: Checkpoint[] = []
    const result = await verifyArchive(
      this,
      {
        mailboxes: undefined,
        policyOf: () => POLICY,
        deep: false,
        sample: 1,
        seed: '',
        now: new Date(Date.now() + 3_600_000),
        ...options,
      },
      {
        found: (finding) => findings.push(finding),
        verified: () => {},
        progress: () => {},
        checkpoint: (checkpoint) => checkpoints.push(structuredClone(checkpoint)),
      },
    )
    return { findings, checkpoints, result }
  }
}

const kindsOf = (findings: readonly Finding[]) => findings.map(({ kind, key }) => [kind, key])

describe('an archive that is compared with its seals', () => {
  test('as it was sealed has no finding, and tells the seal; what came later is not covered yet', async () => {
    const world = await SealedWorld.open()
    await world.record([['four']])
    const { findings, result } = await world.verify(TRUSTED)

    assert.deepEqual(findings, [])
    assert.equal(result.seal?.seq, 2)
  })

  const FORGED: Record<string, [(world: SealedWorld) => Promise<void>, RegExp]> = {
    'whose history was rewritten as a whole, with a chain that holds': [
      (world) => world.rewrite([['one', 'zwei'], ['three']]),
      /^segment 2 has SHA-256 /,
    ],
    'whose history was rewritten and went on': [
      (world) => world.rewrite([['one'], ['three'], ['four']]),
      /^segment 2 has SHA-256 /,
    ],
    'whose end was cut off': [(world) => world.rewrite([['one', 'two']]), /^the ledger ends with segment 1$/],
    'of which nothing is left': [(world) => world.rewrite([]), /^the ledger ends with segment 0$/],
  }
  for (const [what, [forge, found]] of Object.entries(FORGED))
    test(`shows a mailbox ${what}`, async () => {
      const world = await SealedWorld.open()
      await forge(world)
      const findings = await world.findings()

      assert.deepEqual(kindsOf(findings), [['history-rewritten', sealKey(2)]])
      assert.match(findings[0]?.found as string, found)
      const sealed = await readSealedLedgers(world.archive)
      const anchor = sealedAnchor(MAILBOX, sealed)
      const { problems } = await verifyLedger(MAILBOX, world.archive, undefined, anchor)
      assert.deepEqual(
        problems.map(({ kind, key }) => [kind, key]),
        [['history-rewritten', sealKey(2)]],
      )
    })

  test('shows a forged history that was sealed anew with another key to whoever trusts the right one alone', async () => {
    const world = await SealedWorld.open()
    await world.rewrite([['one', 'zwei'], ['three']])
    world.remove('evidence/')
    await world.seal(newKey())

    assert.deepEqual(await world.findings({}), [])
    const { findings, result } = await world.verify(TRUSTED)
    assert.deepEqual(kindsOf(findings), [['seal-invalid', sealKey(1)]])
    assert.match(findings[0]?.found as string, /signed by another key than the one that is trusted/)
    assert.equal(result.seal, undefined)
  })

  const BROKEN: Record<string, [(world: SealedWorld) => unknown, number, RegExp]> = {
    'that is missing': [(world) => world.remove(sealKey(1)), 1, /missing, yet .*2\.ndjson is there/],
    'whose text was changed': [
      (world) =>
        world.replaceText(sealKey(2), (text) => text.replace('sealedAt\\":\\"20', 'sealedAt\\":\\"19')),
      2,
      /signature is not by the key that it names/,
    ],
    'that is none': [(world) => world.replaceText(sealKey(2), () => '{}\n'), 2, /seal/],
    'whose coverage was changed': [
      async (world) => {
        const { seal } = await readStoredSeal(2, world.archive)
        world.replaceText(coverageKey(seal.coverage as Sha256), (text) => text.replace(/"seq":\d/, '"seq":9'))
      },
      2,
      /its octets have another SHA-256/,
    ],
  }
  for (const [what, [tamper, seq, found]] of Object.entries(BROKEN))
    test(`shows a seal ${what}`, async () => {
      const world = await SealedWorld.open()
      await tamper(world)
      const findings = (await world.findings()).filter(({ kind }) => kind === 'seal-invalid')

      assert.deepEqual(kindsOf(findings), [['seal-invalid', sealKey(seq)]])
      assert.match(findings[0]?.found as string, found)
      await assert.rejects(world.findings({ mailboxes: [MAILBOX] }), isCode('SEAL_INVALID'))
    })

  test('shows a seal that does not follow the one before: that one was made anew', async () => {
    const [world, other] = [await SealedWorld.open(), new SealedWorld()]
    await other.record([['one', 'two']])
    await other.seal(OURS)
    world.objects.set(sealKey(1), other.objects.get(sealKey(1)) ?? [])
    const findings = await world.findings()

    assert.deepEqual(kindsOf(findings), [['seal-invalid', sealKey(2)]])
    assert.match(findings[0]?.found as string, /follows another seal/)
  })

  test('relies on the last seal that the trusted key has signed: the keys before may have been others', async () => {
    assert.deepEqual(await (await SealedWorld.open([newKey(), OURS])).findings(), [])
    const world = await SealedWorld.open([OURS, newKey()])
    assert.deepEqual(kindsOf(await world.findings()), [['seal-invalid', sealKey(2)]])
    await world.rewrite([['one', 'zwei'], ['three']])
    assert.deepEqual(kindsOf(await world.findings()), [
      ['seal-invalid', sealKey(2)],
      ['history-rewritten', sealKey(1)],
    ])
  })

  test('asks for no key where nothing was sealed', async () => {
    const world = new SealedWorld()
    await world.record([['one']])
    const asked = { sealKey: () => Promise.reject(new Error('asked')) }

    assert.deepEqual(await world.findings(asked), [])
  })

  test('tells a fault of the seals once, whoever goes on later', async () => {
    const world = await SealedWorld.open()
    world.remove(sealKey(1))
    const first = await world.verify({ ...TRUSTED, signal: AbortSignal.abort() })
    const from = first.checkpoints.at(-1) as Checkpoint
    const second = await world.verify({ ...TRUSTED, from })

    assert.deepEqual(
      [first, second].map(({ findings, result }) => [findings.length, result.findings]),
      [
        [1, 1],
        [0, 1],
      ],
    )
    assert.deepEqual([first.result.complete, second.result.complete], [false, true])
  })
})

describe('retention that was lengthened', () => {
  const until = new Date(Math.floor(Date.now() / 1000) * 1000 + 50 * DAY_MS)

  async function lengthened(): Promise<SealedWorld> {
    const world = new SealedWorld()
    await world.record([['one', 'two']])
    const ports = {
      ...world,
      custody: openMemoryCustody(world.objects),
      parser: openInlineParser(),
      spool: openSpool(),
      retentionOf: () => undefined,
      now: () => new Date(),
    }
    const order = { by: 'officer', reason: 'audit' }
    const query = { ids: [digestOf('one')] }
    await Array.fromAsync(extendRetention(query, until, [MAILBOX], order, ports, { dryRun: false }))
    for (const key of world.objects.keys()) if (key.startsWith('evidence/')) world.lock(key)
    assert.equal(world.objects.get(ONE)?.[0]?.facts.retainUntil, until.toISOString())
    return world
  }

  /** The evidence of what was done. */
  function evidenceOf(world: SealedWorld): ObjectKey {
    const key = [...world.objects.keys()].find((each) => each.endsWith('-done.ndjson'))
    assert.ok(key)
    return key
  }

  test('and is kept so is no finding', async () => {
    assert.deepEqual(await (await lengthened()).findings(), [])
  })

  test('and is shortened again to what the ledger says is found, by the evidence of it', async () => {
    const world = await lengthened()
    const before = world.objects.get(rawKey(MAILBOX, digestOf('two')))?.[0]?.facts.retainUntil
    world.change(ONE, { retainUntil: before })
    const [finding, ...more] = await world.findings()

    assert.deepEqual(more, [])
    assert.deepEqual([finding?.kind, finding?.key], ['retention-shortened', ONE])
    assert.equal(
      finding?.expected,
      `kept until ${until.toISOString()}, as lengthened by ${evidenceOf(world)}`,
    )
    assert.equal(finding?.found, `until ${before}`)
  })

  test('of a version that is not there any more says nothing of the one that is', async () => {
    const world = await lengthened()
    const before = world.objects.get(rawKey(MAILBOX, digestOf('two')))?.[0]?.facts.retainUntil
    world.change(ONE, { retainUntil: before })
    world.replaceText(evidenceOf(world), (text) => text.replace('"versionId":"1"', '"versionId":"0"'))

    assert.deepEqual(kindsOf(await world.findings()), [])
  })

  test('by evidence that cannot be read is found as such', async () => {
    const world = await lengthened()
    const key = evidenceOf(world)
    world.replaceText(key, (text) => text.slice(0, -3))

    assert.deepEqual(kindsOf(await world.findings()), [['evidence-unreadable', key]])
    await assert.rejects(world.findings({ mailboxes: [MAILBOX] }), isCode('ARCHIVE_CONFLICT'))
  })
})
