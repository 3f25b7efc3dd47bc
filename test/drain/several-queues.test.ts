import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RouteConfig } from '../../shared/contract/routes.ts'
import type { EventQueues } from '../../shared/queue/queue.ts'
import { Crash, crashingPorts } from '../support/crashing-ports.ts'
import { DrainWorld, message } from '../support/drain-world.ts'

// A message that goes to several queues: what the ledger says of each, and what a crash or a queue that refuses makes of it.

const TEXTS = ['one', 'two', 'three'].map((subject) => message(subject))
const NAMES = ['default', 'invoices', 'audit']
const EVERYWHERE: readonly RouteConfig[] = [
  { queue: 'audit', when: {}, continue: true },
  { queue: ['default', 'invoices'], when: {} },
]

function newWorld(texts: readonly string[] = TEXTS): DrainWorld {
  const world = new DrainWorld({ afterArchive: 'delete' })
  world.routes = EVERYWHERE
  for (const text of texts) world.store.deliver(text)
  return world
}

/** The queues of a world, of which some refuse. */
function refusing(queues: EventQueues, names: readonly string[]): EventQueues {
  return {
    ...queues,
    send: async (queue, events) =>
      names.includes(queue)
        ? events.map(() => ({ sent: false, refused: 'busy' }))
        : queues.send(queue, events),
  }
}

/** Event ids in each queue, taken off it. */
async function takeIds(world: DrainWorld): Promise<Record<string, string[]>> {
  const ids: Record<string, string[]> = {}
  for (const name of NAMES) ids[name] = (await world.takeEvents(name)).map(({ id }) => id).sort()
  return ids
}

function everywhere(ids: readonly string[]): Record<string, string[]> {
  return Object.fromEntries(NAMES.map((name) => [name, [...ids].sort()]))
}

describe('a message for several queues', () => {
  test('is announced on each, under one id, and the ledger names them all', async () => {
    const world = newWorld(TEXTS.slice(0, 1))
    const report = await world.drain()

    assert.deepEqual([report.counts.announced, report.counts.acknowledged], [1, 1])
    assert.deepEqual(await takeIds(world), everywhere([world.eventId(message('one'))]))
    const [entry] = await world.entries()
    assert.ok(entry?.type === 'message' && entry.outcome === 'announced' && entry.queue === undefined)
    assert.deepEqual(entry.queues, [{ queue: 'audit' }, { queue: 'default' }, { queue: 'invoices' }])
    await world.assertLedgerVerifies()
  })

  test('that one queue refuses is pending for it alone: nothing is acknowledged, and nobody else gets a repeat', async () => {
    const world = newWorld()
    const ids = TEXTS.map((text) => world.eventId(text))

    const first = await world.drain({}, { queues: refusing(world.queues, ['invoices', 'audit']) })
    assert.deepEqual([first.counts.pending, first.counts.acknowledged], [3, 0])
    assert.deepEqual(await takeIds(world), { ...everywhere([]), default: [...ids].sort() })

    const second = await world.drain({}, { queues: refusing(world.queues, ['invoices']) })
    assert.deepEqual([second.counts.announcedLate, second.counts.acknowledged], [0, 0])
    assert.deepEqual(await takeIds(world), { ...everywhere([]), audit: [...ids].sort() })

    const third = await world.drain({}, { queues: refusing(world.queues, ['invoices']) })
    assert.deepEqual([third.counts.announcedLate, third.counts.segments], [0, 0])
    assert.deepEqual(await takeIds(world), everywhere([]))

    const fourth = await world.drain()
    assert.deepEqual([fourth.counts.announcedLate, fourth.counts.acknowledged], [3, 3])
    assert.deepEqual(await takeIds(world), { ...everywhere([]), invoices: [...ids].sort() })
    assert.deepEqual(world.store.messages(), [])
    await world.assertLedgerVerifies()
  })

  test('that waits for a queue which its routes no longer name is done when the others have it', async () => {
    const world = newWorld(TEXTS.slice(0, 1))
    await world.drain({}, { queues: refusing(world.queues, ['invoices']) })
    await takeIds(world)

    world.routes = [{ queue: ['default', 'audit'], when: {} }]
    const report = await world.drain()

    assert.deepEqual([report.counts.announcedLate, report.counts.acknowledged], [1, 1])
    assert.deepEqual(await takeIds(world), everywhere([]))
    await world.assertLedgerVerifies()
  })

  for (const moment of ['before', 'after'] as const)
    test(`is in every queue when the drain died ${moment} any of its calls: repeats at most, under the same id`, async () => {
      const whole = newWorld()
      const { ports, calls } = crashingPorts(whole.ports(), undefined)
      await whole.drain({}, ports)
      assert.ok(calls() > 10, `a drain makes ${calls()} calls`)
      for (let call = 1; call <= calls(); call++) {
        const world = newWorld()
        const crashing = crashingPorts(world.ports(), { call, moment })
        await assert.rejects(world.drain({}, crashing.ports), Crash, `call ${call} ends it`)
        const left = world.store.messages().length
        const seen = await takeIds(world)
        if (left < TEXTS.length)
          for (const name of NAMES) assert.equal(new Set(seen[name]).size, TEXTS.length, `${call}: ${name}`)

        for (let run = 0; run < 2; run++) await world.drain()

        const again = await takeIds(world)
        for (const name of NAMES)
          assert.deepEqual(
            [...new Set([...(seen[name] ?? []), ...(again[name] ?? [])])].sort(),
            TEXTS.map((text) => world.eventId(text)).sort(),
            `${crashing.diedAt()}, call ${call}: ${name}`,
          )
        assert.deepEqual(world.store.messages(), [])
        await world.assertLedgerVerifies()
      }
    })
})
