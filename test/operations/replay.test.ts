import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MailboxConfig } from '../../shared/contract/config.ts'
import { eventSchema } from '../../shared/contract/event.ts'
import type { DrainId, MailboxId } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import type { RouteConfig } from '../../shared/contract/routes.ts'
import { IngestError } from '../../shared/errors.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import type { Entry, MessageEntry } from '../../shared/ledger/segment.ts'
import { memoryOctets } from '../../shared/octets.ts'
import {
  parseAgain,
  type ReplayOptions,
  type ReplayPorts,
  replayMessages,
} from '../../shared/operations/replay.ts'
import type { ReplayTally } from '../../shared/operations/replay-progress.ts'
import type { MessageQuery } from '../../shared/query/query.ts'
import type { SendResult } from '../../shared/queue/queue.ts'
import { workAhead } from '../../shared/work-ahead.ts'
import { DrainWorld, message } from '../support/drain-world.ts'
import { draftOf, messageEntry } from '../support/segments.ts'

const NAMES = Array.from({ length: 25 }, (_, n) => `message ${String(n).padStart(2, '0')}`)

async function drained(texts: readonly string[] = NAMES.map((name) => message(name))): Promise<DrainWorld> {
  const world = new DrainWorld()
  for (const text of texts) world.store.deliver(text)
  await world.drain()
  return world
}

function replay(
  world: DrainWorld,
  query: MessageQuery = {},
  options: Partial<ReplayOptions> = {},
  ports: Partial<ReplayPorts> = {},
  mailboxes: readonly MailboxConfig[] = [world.mailbox],
) {
  return replayMessages(
    query,
    { mailboxes, routes: [] },
    { ...world.ports(), ...ports },
    { replay: 'replay-1', wait: async () => {}, ...options },
  )
}

describe('a replay', () => {
  test('announces the same events under the same ids, in order, and marks them', async () => {
    const world = await drained()
    const first = await world.takeEvents()
    const report = await replay(world)
    const again = await world.takeEvents()

    const { last, ...counts } = report
    assert.deepEqual(counts, { sent: { default: 25 }, messages: 25, failures: [], failed: 0 })
    assert.equal(`${last?.mailbox}/${last?.sha256}`, first.at(-1)?.id)
    assert.deepEqual(
      again.map(({ id }) => id),
      first.map(({ id }) => id),
    )
    for (const [index, event] of again.entries()) {
      assert.ok(eventSchema.parse(event))
      const { replay: mark, time, ...rest } = event
      const { time: firstTime, ...before } = first[index] as typeof event
      assert.equal(mark, 'replay-1')
      assert.deepEqual(rest, before)
    }
    assert.equal((await world.entries()).length, 25)
  })

  test('announces what the query means, to one queue when it is told so', async () => {
    const world = await drained()
    await world.takeEvents()
    const report = await replay(world, { subject: ['message 1?'] }, { queue: 'invoices' })

    assert.deepEqual(report.sent, { invoices: 10 })
    assert.equal((await world.takeEvents('default')).length, 0)
    assert.equal((await world.takeEvents('invoices')).length, 10)
  })

  test('sends nothing in a dry run, and says what it would', async () => {
    const world = await drained()
    await world.takeEvents()

    assert.deepEqual((await replay(world, {}, { dryRun: true })).sent, { default: 25 })
    assert.deepEqual(await world.takeEvents(), [])
  })

  test('keeps its rate: it waits for what is left of each interval, and does not catch up', async () => {
    const world = await drained(NAMES.slice(0, 4).map((name) => message(name)))
    let nowMs = 1_000_000
    const waits: number[] = []
    // Reading the third message takes a second.
    const takes = [0, 40, 1000, 0]
    const now = (): Date => new Date(nowMs)
    let paced = 0
    await replay(
      world,
      {},
      {
        rate: 10,
        now,
        progress: () => {
          nowMs += takes[paced++] ?? 0
        },
        wait: async (ms) => {
          waits.push(Math.round(ms))
          nowMs += ms
        },
      },
    )

    assert.deepEqual(waits, [60, 100])
  })

  test('goes on after a message that is gone, or that a queue refuses, and tells each', async () => {
    const world = await drained()
    const events = await world.takeEvents()
    const { archive, queues } = world.ports()
    const [lost, refused] = events.map(({ id }) => id) as [string, string]
    const report = await replay(
      world,
      {},
      {},
      {
        archive: {
          ...archive,
          get: (key) =>
            key === rawKey('invoices' as MailboxId, lost.split('/')[1] as never)
              ? Promise.reject(new IngestError('ARCHIVE_CONFLICT', 'there is no such object'))
              : archive.get(key),
        },
        queues: {
          ...queues,
          send: async (queue, batch) => {
            const taken = batch.filter(({ id }) => id !== refused)
            const results = [...(await queues.send(queue, taken))]
            return batch.map(({ id }) =>
              id === refused ? { sent: false, refused: 'no' } : (results.shift() as SendResult),
            )
          },
        },
      },
    )

    assert.deepEqual(
      report.failures.map(({ sha256, reason }) => [sha256, reason]),
      [
        [lost.split('/')[1], 'there is no such object'],
        [refused.split('/')[1], 'default: no'],
      ],
    )
    assert.deepEqual(report.sent, { default: 23 })
  })

  test('ends at once when the queue is not there, and rejects with that', async () => {
    const world = await drained()
    const missing = {
      ...world.ports().queues,
      send: () => Promise.reject(new IngestError('QUEUE_MISSING', 'gone')),
    }

    await assert.rejects(replay(world, {}, {}, { queues: missing }), { code: 'QUEUE_MISSING' })
  })

  test('goes on behind whatever place it has reached, and tells the whole in the end', async () => {
    const world = await drained()
    const ids = (await world.takeEvents()).map(({ id }) => id)
    const reached: ReplayTally[] = []
    const whole = await replay(world, {}, { reached: (tally) => reached.push(structuredClone(tally)) })
    await world.takeEvents()

    assert.deepEqual(
      reached.map(({ messages }) => messages),
      NAMES.map((_, n) => n + 1),
    )
    for (const from of reached) {
      assert.deepEqual(await replay(world, {}, { from }), whole)
      assert.deepEqual(
        (await world.takeEvents()).map(({ id }) => id),
        ids.slice(from.messages),
      )
    }
  })

  test('goes on in the right mailbox, whatever order the configuration has now', async () => {
    const world = await drained(NAMES.slice(0, 3).map((name) => message(name)))
    const other = { ...world.mailbox, id: 'later' as MailboxId }
    const ledger = await openLedger(other.id, { archive: world.archive, state: undefined })
    const octets = memoryOctets(Buffer.from(message('of the other')))
    const writtenFor = { seq: 1, drain: 'd' as DrainId }
    await world.archive.put(rawKey(other.id, octets.sha256), octets, {
      contentType: 'message/rfc822',
      writtenFor,
    })
    await ledger.commit(
      draftOf([messageEntry('', { sha256: octets.sha256, octets: octets.length })]),
      undefined,
    )
    await world.takeEvents()
    let from: ReplayTally | undefined
    const reached = (tally: ReplayTally): void => {
      if (tally.messages === 2) from = structuredClone(tally)
    }
    await replay(world, {}, { reached }, {}, [other, world.mailbox])
    const all = (await world.takeEvents()).map(({ id }) => id)
    await replay(world, {}, { from }, {}, [world.mailbox, other])

    assert.equal(all.length, 4)
    assert.deepEqual(
      (await world.takeEvents()).map(({ id }) => id),
      all.slice(2),
    )
  })

  test('has not reached a message before every queue has answered for it and for all before', async () => {
    const world = await drained()
    const { queues } = world.ports()
    const routes: RouteConfig[] = [
      { queue: ['audit', 'invoices'], when: { subject: 'message 0*' } },
      { queue: 'default', when: {} },
    ]
    const answered = { default: 0, audit: 0, invoices: 0 }
    const ahead: number[] = []
    await replayMessages(
      {},
      { mailboxes: [world.mailbox], routes },
      {
        ...world.ports(),
        queues: {
          ...queues,
          send: async (queue, batch) => {
            // One queue is slow.
            if (queue === 'invoices') for (let turns = 0; turns < 50; turns++) await nextTurn()
            const results = await queues.send(queue, batch)
            answered[queue as keyof typeof answered] += batch.length
            return results
          },
        },
      },
      {
        replay: 'replay-1',
        wait: async () => {},
        reached: ({ messages }) => {
          const { invoices, audit, default: others } = answered
          assert.ok(Math.min(messages, 10) <= Math.min(invoices, audit) && messages - 10 <= others)
          ahead.push(others)
        },
      },
    )

    assert.equal(ahead.length, 25)
    assert.ok((ahead[0] as number) >= 10, 'the slow queue held nothing up')
  })

  test('stops in good order', async () => {
    const world = await drained()
    await world.takeEvents()
    let asked = 0
    const report = await replay(world, {}, { keepGoing: () => ++asked <= 7 })

    assert.equal(report.messages, 7)
    assert.equal((await world.takeEvents()).length, 7)
  })
})

describe('parsing again', () => {
  const changesOf = async (world: DrainWorld) => {
    const found = await Array.fromAsync(parseAgain({}, ['invoices' as MailboxId], world.ports()))
    return found.map(({ changes }) => changes)
  }

  test('finds nothing where the parser reads what it read then', async () => {
    const world = await drained()
    assert.deepEqual(new Set(await changesOf(world)), new Set([undefined]))
  })

  test('shows what is read in another way, and does not compare what older entries never had', async () => {
    const world = new DrainWorld()
    const octets = memoryOctets(Buffer.from(message('one')))
    const writtenFor = { seq: 1, drain: 'd' as DrainId }
    await world.archive.put(rawKey('invoices' as MailboxId, octets.sha256), octets, {
      contentType: 'message/rfc822',
      writtenFor,
    })
    const recorded: Partial<MessageEntry> = {
      sha256: octets.sha256,
      octets: octets.length,
      class: 'bounce',
      parse: 'parsed',
      from: 'a@example.com',
      subject: 'one',
      messageId: 'one@example.com',
    }
    const entries: Entry[] = [
      messageEntry('', recorded),
      messageEntry('', { ...recorded, id: 2, to: ['x@y.example'], attachments: [] }),
    ]
    const ledger = await openLedger('invoices' as MailboxId, { archive: world.archive, state: undefined })
    await ledger.commit(draftOf(entries), undefined)

    assert.deepEqual(await changesOf(world), [
      { class: { recorded: 'bounce', now: 'ordinary' } },
      {
        class: { recorded: 'bounce', now: 'ordinary' },
        threadKey: { recorded: undefined, now: 'one@example.com' },
        to: { recorded: ['x@y.example'], now: ['b@example.com'] },
      },
    ])
  })
})

describe('work ahead', () => {
  async function* count(to: number) {
    for (let n = 1; n <= to; n++) yield n
  }

  test('keeps the order, and has no more under way than it may', async () => {
    let underWay = 0
    let most = 0
    const work = async (n: number) => {
      most = Math.max(most, ++underWay)
      await new Promise((resolve) => setImmediate(resolve))
      underWay--
      return n * 2
    }

    assert.deepEqual(await Array.fromAsync(workAhead(count(9), 3, work)), [2, 4, 6, 8, 10, 12, 14, 16, 18])
    assert.equal(most, 3)
  })

  test('hands over what is left when its reader stops, also by a failure', async () => {
    const unused: number[] = []
    const work = async (n: number) => {
      if (n === 3) throw new Error('three')
      return n
    }
    const seen: number[] = []
    await assert.rejects(async () => {
      for await (const n of workAhead(count(9), 4, work, async (n) => void unused.push(n))) seen.push(n)
    }, /three/)

    assert.deepEqual(
      [seen, unused],
      [
        [1, 2],
        [4, 5, 6],
      ],
    )
  })
})
