import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Retention } from '../../shared/archive/archive.ts'
import type { MailboxId, Sha256 } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { verifyLedger } from '../../shared/ledger/verify.ts'
import { deleteExpired, simulateExpiry } from '../../shared/operations/expired.ts'
import { forget } from '../../shared/operations/forget.ts'
import { extendRetention, showRetention } from '../../shared/operations/retention.ts'
import type { MessageQuery } from '../../shared/query/query.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import { Crash, type Crasher, openCrasher } from '../support/crashing-ports.ts'
import { CustodyWorld, ORDER } from '../support/custody-world.ts'
import { message } from '../support/drain-world.ts'
import { digestOf } from '../support/stores.ts'

const DAY_MS = 86_400_000
const EVERYTHING: MessageQuery = {}
const A = message('a')
const B = message('b')
const C = message('c')

/** Three archived messages, each kept for that time. */
async function archive(retention?: Retention): Promise<CustodyWorld> {
  const world = new CustodyWorld(retention ? { retention } : {})
  for (const text of [A, B, C]) world.store.deliver(text)
  await world.drain()
  world.clock = new Date()
  return world
}

const inDays = (days: number): Date => new Date(Math.floor((Date.now() + days * DAY_MS) / 1000) * 1000)
const GOVERNANCE: Retention = { mode: 'governance', days: 10 }

function factsOf(world: CustodyWorld, text: string) {
  return world.memory.objects.get(rawKey(world.mailbox.id, digestOf(text)))?.[0]?.facts
}

async function simulated(world: CustodyWorld, at: Date, more: object = {}): Promise<Record<string, unknown>> {
  const result: Record<string, unknown> = {}
  const ports = { ...world.custodyPorts(), ...more }
  for await (const { message: it, obstacles } of simulateExpiry(EVERYTHING, at, [world.mailbox.id], ports))
    result[it.entry.subject as string] = obstacles.map((obstacle) =>
      obstacle.kind === 'legal-hold' ? `held ${obstacle.cases.join()}` : obstacle.kind,
    )
  return result
}

async function deletedBy(world: CustodyWorld, crasher?: Crasher): Promise<string[]> {
  const deleted: string[] = []
  const all = deleteExpired(EVERYTHING, [world.mailbox.id], ORDER, world.custodyPorts(crasher))
  for await (const { message: it, obstacles, error } of all)
    if (obstacles.length === 0 && !error) deleted.push(it.entry.subject as string)
  return deleted
}

function forgetting(world: CustodyWorld, text: string, crasher?: Crasher, more: object = {}) {
  const ports = { ...world.custodyPorts(crasher), ...more }
  const digests = new Set<Sha256>([digestOf(text)])
  return Array.fromAsync(forget(digests, [world.mailbox.id], ORDER, ports, { dryRun: false }))
}

async function assertVerifies(world: CustodyWorld): Promise<void> {
  const { problems, unrecorded } = await verifyLedger(world.mailbox.id, world.archive)
  assert.deepEqual({ problems, unrecorded }, { problems: [], unrecorded: [] })
}

describe('retention', () => {
  test('is shown with its mode, its end, and the cases that hold a message', async () => {
    const world = await archive(GOVERNANCE)
    await world.hold('ott', { subject: ['b'] })

    const shown = await Array.fromAsync(showRetention(EVERYTHING, [world.mailbox.id], world.custodyPorts()))

    assert.deepEqual(
      shown.map(({ facts, cases }) => [facts?.lockMode, facts?.legalHold, cases]),
      [
        ['governance', false, []],
        ['governance', true, ['ott']],
        ['governance', false, []],
      ],
    )
  })

  test('becomes longer for what a query means, in the mode that it has, and is never shorter', async () => {
    const world = await archive(GOVERNANCE)
    const extend = (query: MessageQuery, until: Date) =>
      Array.fromAsync(
        extendRetention(query, until, [world.mailbox.id], ORDER, world.custodyPorts(), { dryRun: false }),
      )
    const before = factsOf(world, B)?.retainUntil

    const longer = await extend({ subject: ['a'] }, inDays(30))
    const shorter = await extend({ subject: ['b'] }, inDays(5))

    assert.deepEqual([longer[0]?.outcome, shorter[0]?.outcome], ['extended', 'enough'])
    const { lockMode, retainUntil } = factsOf(world, A) ?? {}
    assert.deepEqual([lockMode, retainUntil], ['governance', inDays(30).toISOString()])
    assert.equal(factsOf(world, B)?.retainUntil, before)
  })

  test('that is lengthened leaves the order and its result as evidence, and a dry run leaves nothing', async () => {
    const world = await archive(GOVERNANCE)
    const evidence = async () =>
      (await Array.fromAsync(world.archive.list('evidence/retention/'))).map(({ key }) => key)
    const extend = (dryRun: boolean) =>
      Array.fromAsync(
        extendRetention(EVERYTHING, inDays(30), [world.mailbox.id], ORDER, world.custodyPorts(), { dryRun }),
      )

    await extend(true)
    assert.deepEqual(await evidence(), [])
    await extend(false)

    const [done, ordered, ...more] = await evidence()
    assert.deepEqual(more, [])
    assert.match(done ?? '', /-done\.ndjson$/)
    assert.match(ordered ?? '', /-ordered\.ndjson$/)
    const lines = (await (await world.archive.get(done as never)).body.toArray()).join('').trim().split('\n')
    const [header, first] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual([header?.by, header?.reason, header?.messages], [ORDER.by, ORDER.reason, 3])
    assert.deepEqual([first?.sha256, first?.outcome], [digestOf(A), 'extended'])
  })
})

describe('what may be deleted on a day', () => {
  test('is what no lock, hold, case, configuration or pending announcement keeps, and each is named', async () => {
    const world = await archive(GOVERNANCE)
    await world.hold('ott', { subject: ['b'] })
    await world
      .custodyPorts()
      .custody.hold(
        { key: rawKey(world.mailbox.id, digestOf(C)), versionId: factsOf(world, C)?.versionId },
        'on',
      )

    assert.deepEqual(await simulated(world, inDays(9)), {
      a: ['retention'],
      b: ['held ott', 'retention'],
      c: ['retention'],
    })
    assert.deepEqual(await simulated(world, inDays(11)), { a: [], b: ['held ott'], c: ['held '] })
    const rule = { retentionOf: () => ({ mode: 'governance', days: 20 }) }
    assert.deepEqual(await simulated(world, inDays(11), rule), {
      a: ['policy'],
      b: ['held ott', 'policy'],
      c: ['policy'],
    })
  })

  test('is not what a queue has not taken yet, for its event is made from the message', async () => {
    const world = new CustodyWorld()
    world.store.deliver(A)
    const broken = openMemoryQueues({ queues: {} })
    await world.drain({}, { queues: broken })

    assert.deepEqual(await simulated(world, inDays(100)), { a: ['not-announced'] })
    assert.deepEqual(await deletedBy(world), [])
  })

  test('is what a longer retention by the store’s own account does not keep', async () => {
    const world = await archive()
    world.memory.change(rawKey(world.mailbox.id, digestOf(A)), {
      lockMode: 'compliance',
      retainUntil: inDays(50).toISOString(),
    })

    assert.deepEqual(await simulated(world, inDays(49)), { a: ['retention'], b: [], c: [] })
  })
})

describe('the deletion of what has expired', () => {
  test('leaves intent and receipt in the ledger, which verifies, and nothing in the archive', async () => {
    const world = await archive()
    await world.hold('ott', { subject: ['b'] })

    assert.deepEqual(await deletedBy(world), ['a', 'c'])

    assert.equal(factsOf(world, A), undefined)
    assert.equal(factsOf(world, B)?.legalHold, true)
    const entries = (await world.entries()).filter(({ type }) => type === 'delete' || type === 'deleted')
    assert.deepEqual(
      entries.map((entry) => ('ground' in entry ? [entry.type, entry.sha256, entry.ground, entry.by] : [])),
      [
        ['delete', digestOf(A), 'expired', ORDER.by],
        ['delete', digestOf(C), 'expired', ORDER.by],
        ['deleted', digestOf(A), 'expired', ORDER.by],
        ['deleted', digestOf(C), 'expired', ORDER.by],
      ],
    )
    await assertVerifies(world)
    assert.deepEqual(await simulated(world, inDays(100)), { b: ['held ott'] })
    assert.deepEqual(await deletedBy(world), [])
  })

  test('is refused by the store for what was held since it was looked at, and has no receipt then', async () => {
    const world = await archive()
    const ports = world.custodyPorts()
    const all = deleteExpired({ subject: ['a'] }, [world.mailbox.id], ORDER, {
      ...ports,
      custody: {
        delete: async (version, options) => {
          await ports.custody.hold(version, 'on')
          return ports.custody.delete(version, options)
        },
      },
    })

    const [kept] = await Array.fromAsync(all)

    assert.equal(kept?.error?.code, 'VERSION_PROTECTED')
    assert.equal(
      (await world.entries()).some(({ type }) => type === 'deleted'),
      false,
    )
    await assertVerifies(world)
  })

  test('may die at any call: nothing is gone without an intent, and the next one finishes it', async () => {
    const measured = openCrasher(undefined)
    await deletedBy(await archive(), measured)
    assert.ok(measured.calls() > 10)
    for (const moment of ['before', 'after'] as const)
      for (let call = 1; call <= measured.calls(); call++) {
        const world = await archive()
        await assert.rejects(deletedBy(world, openCrasher({ call, moment })), Crash)

        const intended = (await world.entries()).flatMap((entry) =>
          entry.type === 'delete' ? [entry.sha256] : [],
        )
        for (const text of [A, B, C])
          if (!factsOf(world, text)) assert.ok(intended.includes(digestOf(text)), `call ${call}`)
        await assertVerifies(world)

        await deletedBy(world)
        const receipts = (await world.entries()).filter(({ type }) => type === 'deleted')
        assert.equal(receipts.length, 3, `${moment} call ${call}`)
        for (const text of [A, B, C]) assert.equal(factsOf(world, text), undefined)
        await assertVerifies(world)
      }
  })
})

describe('what a law wants to be forgotten', () => {
  test('is deleted before its time; its tombstone stays and the chain verifies', async () => {
    const world = await archive(GOVERNANCE)

    const [forgotten] = await forgetting(world, A)

    assert.equal(forgotten?.outcome, 'forgotten')
    assert.equal(factsOf(world, A), undefined)
    assert.deepEqual((await world.entries()).at(-1), {
      type: 'deleted',
      sha256: digestOf(A),
      octets: A.length,
      versionId: (await world.entries()).flatMap((entry) =>
        entry.type === 'message' && entry.sha256 === digestOf(A) ? [entry.versionId] : [],
      )[0],
      ground: 'erasure',
      ...ORDER,
    })
    await assertVerifies(world)
    assert.equal((await forgetting(world, A))[0]?.outcome, 'forgotten-before')
  })

  test('goes with every version under its key, also one that nobody recorded', async () => {
    const world = await archive(GOVERNANCE)
    const key = rawKey(world.mailbox.id, digestOf(A))
    await world.memory.putOver(key, Buffer.from(A))

    await forgetting(world, A)

    assert.equal(world.memory.objects.has(key), false)
  })

  test('is not archived again when the server shows it under another id', async () => {
    const world = await archive(GOVERNANCE)
    await forgetting(world, A)
    world.store.deliver(A)

    const report = await world.drain()

    assert.equal(report.error, undefined)
    assert.equal(report.counts.duplicates, 1)
    assert.equal(factsOf(world, A), undefined)
    await assertVerifies(world)
  })

  test('stays for a legal hold, whose case is named', async () => {
    const world = await archive(GOVERNANCE)
    await world.hold('ott', { subject: ['a'] })

    const [kept] = await forgetting(world, A)

    assert.deepEqual([kept?.outcome, kept?.obstacles], ['refused', [{ kind: 'legal-hold', cases: ['ott'] }]])
    assert.ok(factsOf(world, A))
    assert.equal(
      (await world.entries()).some(({ type }) => type === 'delete'),
      false,
    )
  })

  test('stays in compliance mode, until when is told', async () => {
    const world = await archive({ mode: 'compliance', days: 10 })

    const [kept] = await forgetting(world, A)

    assert.equal(kept?.outcome, 'refused')
    const [obstacle] = kept?.obstacles ?? []
    assert.ok(obstacle?.kind === 'retention')
    assert.deepEqual([obstacle.mode, obstacle.until], ['compliance', factsOf(world, A)?.retainUntil])
    assert.ok(factsOf(world, A))
  })

  test('stays where the store tells no date and compliance is what is configured and recorded', async () => {
    const world = await archive({ mode: 'compliance', days: 10 })
    world.memory.change(rawKey(world.mailbox.id, digestOf(A)), {
      lockMode: undefined,
      retainUntil: undefined,
    })
    const retentionOf = (_: MailboxId): Retention => ({ mode: 'compliance', days: 10 })

    assert.equal((await forgetting(world, A, undefined, { retentionOf }))[0]?.outcome, 'refused')
  })

  test('may die at any call, and is finished by the next one', async () => {
    const measured = openCrasher(undefined)
    await forgetting(await archive(GOVERNANCE), A, measured)
    for (const moment of ['before', 'after'] as const)
      for (let call = 1; call <= measured.calls(); call++) {
        const world = await archive(GOVERNANCE)
        await assert.rejects(forgetting(world, A, openCrasher({ call, moment })), Crash)
        await assertVerifies(world)

        const [{ outcome } = {}] = await forgetting(world, A)

        assert.match(outcome ?? '', /^forgotten/, `${moment} call ${call}`)
        assert.equal(factsOf(world, A), undefined)
        assert.equal((await world.entries()).filter(({ type }) => type === 'deleted').length, 1)
        await assertVerifies(world)
      }
  })
})
