import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { Retention } from '../../shared/archive/archive.ts'
import { openFileArchive } from '../../shared/archive/file.ts'
import { openFileAudit } from '../../shared/archive/file-audit.ts'
import { appendStep } from '../../shared/cases/case-log.ts'
import {
  type CaseName,
  type DrainId,
  type MailboxId,
  type ObjectKey,
  sha256,
} from '../../shared/contract/ids.ts'
import { ledgerKey, rawKey, snapshotKey } from '../../shared/contract/object-key.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import { memoryOctets } from '../../shared/octets.ts'
import type { Certificate } from '../../shared/operations/reconciliation/certificate.ts'
import { storeCertificate } from '../../shared/operations/reconciliation/stored-certificate.ts'
import type { Checkpoint } from '../../shared/operations/verification/checkpoint.ts'
import { readCheckpoint } from '../../shared/operations/verification/checkpoint.ts'
import type { Finding } from '../../shared/operations/verification/finding.ts'
import {
  type ArchiveVerification,
  type MailboxVerification,
  type VerifyOptions,
  type VerifyPorts,
  verifyArchive,
} from '../../shared/operations/verify-archive.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import type { StateStore } from '../../shared/state/state.ts'
import { isCode } from '../contract/archive.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { recordMessages } from '../support/recorded-archive.ts'
import { draftOf, MAILBOX, messageEntry } from '../support/segments.ts'
import { digestOf } from '../support/stores.ts'

const POLICY: Retention = { mode: 'governance', days: 10 }
const HOUR_LATER = new Date(Date.now() + 3_600_000)

const LOCKED = { lockMode: 'governance', retainUntil: daysFromNow(100) } as const

interface Verified {
  readonly findings: Finding[]
  readonly kinds: string[]
  readonly result: ArchiveVerification
  readonly mailboxes: MailboxVerification[]
  readonly checkpoints: Checkpoint[]
}

async function verify(ports: VerifyPorts, options: Partial<VerifyOptions> = {}): Promise<Verified> {
  const findings: Finding[] = []
  const mailboxes: MailboxVerification[] = []
  const checkpoints: Checkpoint[] = []
  const result = await verifyArchive(
    ports,
    {
      mailboxes: undefined,
      policyOf: () => POLICY,
      deep: false,
      sample: 1,
      seed: 'seed',
      // What the tests store is older than a drain at work.
      now: HOUR_LATER,
      ...options,
    },
    {
      found: (finding) => findings.push(finding),
      verified: (mailbox) => mailboxes.push(mailbox),
      progress: () => {},
      checkpoint: (checkpoint) => checkpoints.push(structuredClone(checkpoint)),
    },
  )
  if (result.complete && !options.from) assert.equal(result.findings, findings.length)
  return { findings, kinds: findings.map(({ kind }) => kind), result, mailboxes, checkpoints }
}

class World extends MemoryStore {
  readonly state: StateStore = openMemoryState()

  /** Three segments with six messages. */
  static async open(): Promise<World> {
    const world = new World()
    await recordMessages(world.archive, SEGMENTS, { state: world.state, retention: POLICY })
    return world
  }

  /** As if they had not been. */
  remove(...keys: ObjectKey[]): void {
    for (const key of keys) this.objects.delete(key)
  }
}

const SEGMENTS = [
  ['one', 'two'],
  ['three', 'four'],
  ['five', 'six'],
] as const
const ONE = rawKey(MAILBOX, digestOf('one'))

describe('an archive that is verified', () => {
  test('as drains left it has no finding, and is told by its numbers', async () => {
    const world = await World.open()

    const { findings, result, mailboxes } = await verify(world, { deep: true })

    assert.deepEqual(findings, [])
    assert.deepEqual(result, { mailboxes: 1, findings: 0, complete: true, locks: true })
    const [outside, { head, ...mailbox }] = mailboxes as [MailboxVerification, MailboxVerification]
    assert.equal(outside.mailbox, undefined)
    assert.deepEqual(mailbox, {
      mailbox: MAILBOX,
      segments: 3,
      messages: 6,
      octets: 22,
      inspected: 9,
      read: 9,
      held: 0,
      underWay: 0,
      findings: {},
    })
    assert.deepEqual(head, { seq: 3, sha256: (await world.archive.find(ledgerKey(MAILBOX, 3)))?.sha256 })
  })

  test('is found whole, also mailboxes that are not configured any more', async () => {
    const world = await World.open()
    for (const mailbox of ['a', 'orders', 'orders-2'])
      await recordMessages(world.archive, [['seven']], { mailbox: mailbox as MailboxId, retention: POLICY })

    const { findings, mailboxes } = await verify(world)

    assert.deepEqual(findings, [])
    assert.deepEqual(
      mailboxes.map(({ mailbox, messages }) => [mailbox, messages]),
      [
        [undefined, 0],
        ['a', 1],
        [MAILBOX, 6],
        ['orders', 1],
        ['orders-2', 1],
      ],
    )
  })

  /** One kind of tampering each: what somebody does, and what has to be found, and nothing else. */
  const TAMPERING: Record<string, [(world: World) => Promise<void>, ...(readonly [string, string])[]]> = {
    'a removed message': [async (world) => world.remove(ONE), ['object-missing', ONE]],
    'a message put over with other octets': [
      (world) => world.putOver(ONE, Buffer.from('on!')),
      ['extra-version', ONE],
    ],
    'a message replaced, its recorded version gone': [
      async (world) => {
        world.remove(ONE)
        await world.putOver(ONE, Buffer.from('one'))
        world.change(ONE, { versionId: 'another' })
      },
      ['extra-version', ONE],
      ['version-missing', ONE],
    ],
    'a hidden message': [(world) => world.hide(ONE), ['delete-marker', ONE]],
    'a message with another checksum': [
      async (world) => world.change(ONE, { sha256: digestOf('on!') }),
      ['checksum-differs', ONE],
    ],
    'a message without a checksum': [
      async (world) => world.change(ONE, { sha256: undefined }),
      ['checksum-differs', ONE],
    ],
    'a lock that is gone': [
      async (world) => world.change(ONE, { retainUntil: undefined, lockMode: undefined }),
      ['not-locked', ONE],
    ],
    'a shortened retention': [
      async (world) => world.change(ONE, { retainUntil: daysFromNow(5) }),
      ['retention-shortened', ONE],
      ['retention-below-policy', ONE],
    ],
    'a segment whose retention is shortened': [
      async (world) => world.change(ledgerKey(MAILBOX, 2), { retainUntil: daysFromNow(5) }),
      ['retention-below-policy', ledgerKey(MAILBOX, 2)],
    ],
    'a removed segment': [
      async (world) => world.remove(ledgerKey(MAILBOX, 2)),
      ['segment-missing', ledgerKey(MAILBOX, 2)],
      // What it named is nobody's now.
      ['unrecorded', rawKey(MAILBOX, digestOf('four'))],
      ['unrecorded', rawKey(MAILBOX, digestOf('three'))],
    ],
    'the last segment removed': [
      async (world) => world.remove(ledgerKey(MAILBOX, 3)),
      ['history-rewritten', snapshotKey(MAILBOX)],
      ['unrecorded', rawKey(MAILBOX, digestOf('five'))],
      ['unrecorded', rawKey(MAILBOX, digestOf('six'))],
    ],
    'the whole ledger removed': [
      async (world) => world.remove(...[1, 2, 3].map((seq) => ledgerKey(MAILBOX, seq))),
      ['history-rewritten', snapshotKey(MAILBOX)],
      ...['three', 'four', 'one', 'two', 'five', 'six']
        .map((text) => rawKey(MAILBOX, digestOf(text)))
        .sort()
        .map((key) => ['unrecorded', key] as const),
    ],
    'segments that changed places': [
      async ({ objects }) => {
        const [second, third] = [ledgerKey(MAILBOX, 2), ledgerKey(MAILBOX, 3)]
        const [a = [], b = []] = [objects.get(second), objects.get(third)]
        objects.set(second, b).set(third, a)
      },
      ['segment-unreadable', ledgerKey(MAILBOX, 2)],
      ['segment-unreadable', ledgerKey(MAILBOX, 3)],
      ['history-rewritten', snapshotKey(MAILBOX)],
      ...['three', 'four', 'five', 'six']
        .map((text) => rawKey(MAILBOX, digestOf(text)))
        .sort()
        .map((key) => ['unrecorded', key] as const),
    ],
    'a segment with one octet changed': [
      async ({ objects }) => {
        const key = ledgerKey(MAILBOX, 2)
        const [version] = objects.get(key) ?? []
        assert.ok(version?.content)
        const content = Buffer.from(version.content.toString().replace('"INBOX"', '"inbox"'))
        objects.set(key, [{ ...version, content }])
      },
      ['chain-broken', ledgerKey(MAILBOX, 3)],
      ['checksum-differs', ledgerKey(MAILBOX, 2)],
    ],
    'a history that was rewritten, with a chain that holds': [
      async (world) => {
        world.remove(...[1, 2, 3].map((seq) => ledgerKey(MAILBOX, seq)))
        const forged = new MemoryStore()
        await recordMessages(
          forged.archive,
          [
            ['one', 'two'],
            ['three', 'five'],
            ['four', 'six'],
          ],
          { retention: POLICY },
        )
        for (const seq of [1, 2, 3])
          world.objects.set(ledgerKey(MAILBOX, seq), forged.objects.get(ledgerKey(MAILBOX, seq)) ?? [])
      },
      ['history-rewritten', snapshotKey(MAILBOX)],
      ...['four', 'five']
        .map((text) => rawKey(MAILBOX, digestOf(text)))
        .sort()
        .map((key) => ['segment-differs', key] as const),
    ],
    'a message that nobody recorded': [
      (world) => world.putOver(rawKey(MAILBOX, digestOf('seven')), Buffer.from('seven')),
      ['unrecorded', rawKey(MAILBOX, digestOf('seven'))],
    ],
    'keys that are none of ours': [
      async (world) => {
        for (const key of ['AAA', 'raw/invoices/\uffff', 'raw/invoices/zzz', 'raw/é', 'readme.txt'])
          await world.putOver(key as ObjectKey, Buffer.from('x'))
      },
      ['unrecorded', 'AAA'],
      ['unrecorded', 'raw/é'],
      ['unrecorded', 'readme.txt'],
      ['unrecorded', 'raw/invoices/zzz'],
      ['unrecorded', 'raw/invoices/\uffff'],
    ],
    'evidence without a lock': [
      (world) => world.putOver('evidence/x.json' as ObjectKey, Buffer.from('{}')),
      ['not-locked', 'evidence/x.json'],
    ],
  }
  for (const [what, [tamper, ...expected]] of Object.entries(TAMPERING))
    test(`shows ${what}`, async () => {
      const world = await World.open()
      await tamper(world)

      const { findings } = await verify(world)

      assert.deepEqual(
        findings.map(({ kind, key }) => [kind, key]),
        expected,
      )
      for (const { expected: wanted, found } of findings) assert.notEqual(wanted, found)
    })

  test('takes what was deleted as deleted: with a receipt, or with an intent that may have been carried out', async () => {
    const world = await World.open()
    const deletion = (text: string) =>
      ({
        sha256: digestOf(text),
        octets: text.length,
        ground: 'erasure',
        by: 'officer',
        reason: 'law',
      }) as const
    const ledger = await openLedger(MAILBOX, world)
    await ledger.commit(
      draftOf([
        { type: 'delete', ...deletion('one') },
        { type: 'deleted', ...deletion('one') },
        messageEntry('one', { id: 9, outcome: 'duplicate' }),
        { type: 'delete', ...deletion('two') },
        { type: 'delete', ...deletion('three') },
        { type: 'deleted', ...deletion('four') },
      ]),
      POLICY,
    )
    world.remove(ONE, rawKey(MAILBOX, digestOf('two')))

    const { findings } = await verify(world)

    assert.deepEqual(
      findings.map(({ kind, key }) => [kind, key]),
      [['unrecorded', rawKey(MAILBOX, digestOf('four'))]],
    )
  })

  test('shows a history that is another than a certificate was given for, whatever became of the snapshot', async () => {
    const world = await World.open()
    const head = await world.archive.find(ledgerKey(MAILBOX, 3))
    assert.ok(head?.sha256)
    const certificate = {
      type: 'certificate',
      v: 1,
      mailbox: MAILBOX,
      at: new Date().toISOString(),
    } as Certificate
    const ledger = { seq: 3, sha256: head.sha256 }
    const key = await storeCertificate({ ...certificate, ledger }, world.archive, POLICY)
    const unnoted = { ...world, state: undefined }
    assert.deepEqual((await verify(unnoted)).findings, [])
    world.remove(ledgerKey(MAILBOX, 3))

    const { findings } = await verify(unnoted)

    const { kind, key: source, expected, found } = findings[0] as Finding
    assert.deepEqual([kind, source], ['history-rewritten', key])
    assert.match(expected, new RegExp(`segment 3 with SHA-256 ${head.sha256}`))
    assert.match(found, /ends with segment 2/)
  })

  test('takes the oldest version of a segment for the one that was recorded', async () => {
    const world = await World.open()
    const key = ledgerKey(MAILBOX, 2)
    const [version] = world.objects.get(key) ?? []
    await world.putOver(key, version?.content as Buffer)

    const { findings } = await verify(world)

    assert.deepEqual(
      findings.map(({ kind, versionId }) => [kind, versionId]),
      [['extra-version', world.objects.get(key)?.[0]?.facts.versionId]],
    )
  })

  test('shows mail in governance mode where compliance is configured', async () => {
    const { kinds } = await verify(await World.open(), { policyOf: () => ({ mode: 'compliance', days: 1 }) })

    assert.deepEqual(new Set(kinds), new Set(['lock-mode']))
  })

  test('shows a message that was stored under a shorter policy than today', async () => {
    const { kinds } = await verify(await World.open(), { policyOf: () => ({ ...POLICY, days: 30 }) })

    assert.equal(kinds.filter((kind) => kind === 'retention-below-policy').length, 9)
  })

  test('says of an object without a lock what the bucket locks new ones by, for that may be the whole of it', async () => {
    const world = await World.open()
    for (const key of [ONE, ledgerKey(MAILBOX, 2)])
      world.change(key, { retainUntil: undefined, lockMode: undefined })
    let asked = 0
    const defaultRetention = async (): Promise<Retention> => {
      asked++
      return { mode: 'compliance', days: 30 }
    }
    const { findings } = await verify({ ...world, audit: { ...world.audit, defaultRetention } })

    assert.deepEqual([findings.map(({ kind }) => kind), asked], [['not-locked', 'not-locked'], 1])
    for (const { found } of findings)
      assert.match(
        found,
        /^no retention; today's default of the bucket is compliance for 30 days, and either/,
      )
  })

  test('counts legal holds', async () => {
    const world = await World.open()
    world.change(ONE, { legalHold: true })

    const { mailboxes } = await verify(world)

    assert.deepEqual(
      mailboxes.map(({ held }) => held),
      [0, 1],
    )
  })

  test('shows a message that an open case holds and that has no legal hold, and a case that was meddled with', async () => {
    const world = await World.open()
    const messages = ['one', 'two'].map(
      (text) => ({ type: 'message', mailbox: MAILBOX, sha256: digestOf(text) }) as const,
    )
    const order = { by: 'officer', reason: 'order of 3 March' }
    const held = { state: 'open', queries: [{}], searched: 1, messages } as const
    await appendStep(
      'ott' as CaseName,
      world.archive,
      () => ({ step: 'opened', ...order, ...held }),
      new Date(),
    )
    world.change(ONE, { legalHold: true })
    for (const key of world.objects.keys()) if (key.startsWith('evidence/')) world.change(key, LOCKED)

    const { findings } = await verify(world)

    assert.deepEqual(
      findings.map(({ kind, key, expected }) => [kind, key, expected]),
      [['hold-missing', rawKey(MAILBOX, digestOf('two')), 'a legal hold, for ott']],
    )
    const step = [...world.objects.keys()].find((key) => key.startsWith('evidence/')) as ObjectKey
    world.remove(step)
    await world.putOver(step, Buffer.from('{}\n'))
    world.change(step, LOCKED)
    assert.deepEqual((await verify(world)).kinds, ['case-corrupt'])
    await assert.rejects(verify(world, { mailboxes: [MAILBOX] }), isCode('CASE_CORRUPT'))
  })

  test('leaves a drain at work the time to record what it has stored', async () => {
    const world = await World.open()
    const octets = memoryOctets(Buffer.from('seven'))
    await world.archive.put(rawKey(MAILBOX, octets.sha256), octets, {
      contentType: 'message/rfc822',
      writtenFor: { seq: 4, drain: 'at-work' as DrainId },
    })

    const { findings, mailboxes } = await verify(world, { now: new Date() })

    assert.deepEqual(findings, [])
    assert.equal(mailboxes[1]?.underWay, 1)
  })

  test('is inspected in part when a sample is asked for, and listed whole', async () => {
    const world = new World()
    const texts = Array.from({ length: 200 }, (_, i) => `message ${i}`)
    await recordMessages(world.archive, [texts], { retention: POLICY })
    world.remove(rawKey(MAILBOX, digestOf('message 7')))

    const first = await verify(world, { sample: 0.2 })
    const again = await verify(world, { sample: 0.2 })
    const other = await verify(world, { sample: 0.2, seed: 'another' })

    assert.deepEqual(first.kinds, ['object-missing'])
    const { messages = 0, inspected = 0 } = first.mailboxes[1] ?? {}
    assert.equal(messages, 200)
    assert.ok(inspected > 10 && inspected < 90, `${inspected} inspected`)
    assert.equal(again.mailboxes[1]?.inspected, inspected)
    assert.equal(other.kinds[0], 'object-missing')
  })

  for (const messagesInMemory of [10_000, 300])
    test(`that was left in the middle is gone on with, and nothing is told twice or left out, ${messagesInMemory} records in memory`, async () => {
      const world = new World()
      const texts = Array.from({ length: 2500 }, (_, i) => `message ${i}`)
      await recordMessages(world.archive, [texts.slice(0, 1000), texts.slice(1000)], { retention: POLICY })
      const removed = ['message 3', 'message 900', 'message 1700', 'message 2499'].map((text) =>
        rawKey(MAILBOX, digestOf(text)),
      )
      world.remove(...removed)
      await world.putOver(ledgerKey(MAILBOX, 1), Buffer.from('put over'))
      await recordMessages(world.archive, [['one']], { mailbox: 'z' as MailboxId, retention: POLICY })
      const whole = await verify(world)
      const told: Finding[] = []
      const verified: MailboxVerification[] = []
      let from: Checkpoint | undefined
      let runs = 0

      while (true) {
        const ending = new AbortController()
        ending.abort()
        const part = await verify(world, { signal: ending.signal, from, messagesInMemory })
        told.push(...part.findings)
        verified.push(...part.mailboxes)
        runs++
        if (part.result.complete) {
          assert.deepEqual(part.result, whole.result)
          assert.deepEqual(verified, whole.mailboxes)
          break
        }
        // As it comes back from a file.
        from = readCheckpoint(JSON.stringify(part.checkpoints.at(-1)))
        assert.ok(from)
      }

      assert.ok(runs > 2, `${runs} runs`)
      assert.deepEqual(told, whole.findings)
    })
})

describe('an archive of files that is verified', () => {
  async function opened(): Promise<VerifyPorts & { readonly folder: string }> {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-verify-'))
    after(() => rm(folder, { recursive: true, force: true }))
    const archive = openFileArchive(folder)
    await recordMessages(archive, SEGMENTS)
    return { folder, archive, audit: openFileAudit(folder), state: undefined }
  }

  test('has no finding as it was left, and has no locks to be looked at', async () => {
    const { findings, result } = await verify(await opened(), { deep: true })

    assert.deepEqual(findings, [])
    assert.equal(result.locks, false)
  })

  test('shows a changed octet when the octets are read', async () => {
    const world = await opened()
    await chmod(join(world.folder, ONE), 0o644)
    await writeFile(join(world.folder, ONE), 'onE')

    assert.deepEqual((await verify(world)).kinds, [])
    const { findings } = await verify(world, { deep: true })

    assert.deepEqual(
      findings.map(({ kind, key, found }) => [kind, key, found]),
      [['content-differs', ONE, `SHA-256 ${digestOf('onE')}`]],
    )
  })

  test('shows a message of another length, one that was removed, and one that was put there', async () => {
    const world = await opened()
    const two = rawKey(MAILBOX, digestOf('two'))
    const added = rawKey(MAILBOX, sha256(digestOf('one').replace(/.$/, '0')))
    await chmod(join(world.folder, ONE), 0o644)
    await writeFile(join(world.folder, ONE), 'one and more')
    await rm(join(world.folder, two))
    await writeFile(join(world.folder, added), 'forged')
    const old = new Date(0)
    await utimes(join(world.folder, added), old, old)

    const { findings } = await verify(world)

    assert.deepEqual(
      new Set(findings.map(({ kind, key }) => `${kind} ${key}`)),
      new Set([`octets-differ ${ONE}`, `object-missing ${two}`, `unrecorded ${added}`]),
    )
  })
})

function daysFromNow(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString()
}
