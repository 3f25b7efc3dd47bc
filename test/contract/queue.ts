import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { asciiJson } from '../../shared/bounded-event.ts'
import { QUEUE } from '../../shared/limits.ts'
import type { EventQueues, OutgoingEvent, ReceivedEvent } from '../../shared/queue/queue.ts'
import { anyText } from '../support/arbitrary-events.ts'
import { isCode } from './archive.ts'

// What every queue adapter promises (shared/queue/queue.ts), run on each of them.

export interface OpenedQueues {
  readonly queues: EventQueues
  close(): Promise<void>
}

/** Promises that an adapter or the engine behind it may lack. */
export type Promised = 'missing queues' | 'several of one group at once'

/** Queues that are there, by their name in the configuration: each test takes some that no other has used. */
const THERE = Object.fromEntries([
  ...Array.from({ length: 20 }, (_, i) => [`standard-${i + 1}`, `events-${i + 1}`]),
  ...Array.from({ length: 10 }, (_, i) => [`fifo-${i + 1}`, `events-${i + 1}.fifo`]),
]) as Readonly<Record<string, string>>

export function queueContract(
  name: string,
  /** Opens queues of which those that `missing` names are not there. */
  open: (
    there: Readonly<Record<string, string>>,
    missing: Readonly<Record<string, string>>,
  ) => Promise<OpenedQueues>,
  /** Why it lacks what it lacks: printed with each test that is left out. */
  lacks: Partial<Record<Promised, string>> = {},
): void {
  describe(`${name} keeps the queues' promises`, () => {
    let opened: OpenedQueues
    let queues: EventQueues
    const unused = { standard: 0, fifo: 0 }
    before(async () => {
      opened = await open(THERE, { missing: 'there-is-none', 'missing-fifo': 'there-is-none.fifo' })
      queues = opened.queues
    })
    after(() => opened.close())

    const fresh = (kind: 'standard' | 'fifo' = 'standard') => `${kind}-${++unused[kind]}`
    const promised = (what: Promised): { skip: string | false } => ({
      skip: lacks[what] === undefined ? false : `lacks ${what}: ${lacks[what]}`,
    })

    test('an event that was sent is received as it was', async () => {
      const queue = fresh()

      assert.deepEqual(await queues.send(queue, [event('one')]), [{ sent: true }])

      const [received] = await receive(queue)
      assert.equal(received?.body, event('one').body)
      assert.equal(received.receiveCount, 1)
    })

    for (const count of [0, 1, 10, 11, 95])
      test(`of ${count} events each has a result, and each is received`, async () => {
        const queue = fresh()
        const events = Array.from({ length: count }, (_, i) => event(`${i}`))

        const results = await queues.send(queue, events)

        assert.deepEqual(
          results,
          events.map(() => ({ sent: true })),
        )
        assertSame(await receiveAll(queue, count), events)
      })

    test('events that are too much for one batch go in several', async () => {
      const queue = fresh()
      const events = Array.from({ length: 40 }, (_, i) => event(`${i}`, QUEUE.eventOctets))

      const results = await queues.send(queue, events)

      assert.ok(results.every(({ sent }) => sent))
      assertSame(await receiveAll(queue, 40), events)
    })

    test('an event that is refused for good says why, and the others are sent', async () => {
      const queue = fresh()
      const events = ['a', 'b', 'c', 'd'].map((id) => event(id, id === 'c' ? 1_100_000 : 100))

      const results = await queues.send(queue, events)

      assert.deepEqual(
        results.map(({ sent }) => sent),
        [true, true, false, true],
      )
      const [, , refused] = results
      assert.ok(refused && !refused.sent)
      assert.match(refused.refused, /^queue standard-\d+: ./)
      const [a, b, , d] = events as [OutgoingEvent, OutgoingEvent, OutgoingEvent, OutgoingEvent]
      assertSame(await receiveAll(queue, 3), [a, b, d])
    })

    test('whatever characters mail brings, an event comes out as it went in', async () => {
      const queue = fresh()
      const texts = [
        ...fc.sample(anyText(40), 60),
        '\ud800',
        '\udfff\ud800',
        '\ufffe\uffff',
        '\0\b\x1b\x7f\x85',
        '\u{1f4e7}',
      ]
      const events = texts.map((text, i) => ({ ...event(`${i}`), body: asciiJson({ text }) }))

      await queues.send(queue, events)

      const received = (await receiveAll(queue, texts.length)).map(
        (body) => (JSON.parse(body) as { text: string }).text,
      )
      assert.deepEqual(received.sort(), texts.sort())
    })

    for (const missing of ['not-configured', 'constructor', '__proto__', ''])
      test(`a queue that is not configured is QUEUE_MISSING: ${JSON.stringify(missing)}`, async () => {
        await assertAll(missing, 'QUEUE_MISSING')
      })

    for (const missing of ['missing', 'missing-fifo'])
      test(
        `a queue that is configured and not there is QUEUE_MISSING: ${missing}`,
        promised('missing queues'),
        async () => {
          await assertAll(missing, 'QUEUE_MISSING')
        },
      )

    test('an event is with one consumer until its visibility timeout has passed', async () => {
      const queue = fresh()
      await queues.send(queue, [event('one')])

      assert.equal((await receive(queue, { visibilitySeconds: 300 })).length, 1)

      assert.deepEqual(await receive(queue, { waitSeconds: 0 }), [])
    })

    test('an event that is not removed comes again, and tells how often it came', async () => {
      const queue = fresh()
      await queues.send(queue, [event('one')])

      for (const count of [1, 2, 3]) {
        const [received] = await receive(queue, { visibilitySeconds: 1, waitSeconds: 20 })
        assert.equal(received?.body, event('one').body)
        assert.equal(received.receiveCount, count)
      }
    })

    test('an event that is kept with no visibility timeout can be received again at once', async () => {
      const queue = fresh()
      await queues.send(queue, [event('one')])

      for (let time = 0; time < 3; time++)
        assert.equal((await receive(queue, { visibilitySeconds: 0, waitSeconds: 20 })).length, 1)
    })

    test('an event that is removed does not come again, and may be removed twice', async () => {
      const queue = fresh()
      await queues.send(queue, [event('one'), event('two')])
      const [received] = await receive(queue, { visibilitySeconds: 3, maxEvents: 1 })
      assert.ok(received)

      await received.remove()
      await received.remove()

      const left = [event('one'), event('two')].filter(({ body }) => body !== received.body)
      assertSame(await receiveAll(queue, 1), left)
      assert.deepEqual(await receive(queue, { waitSeconds: 4 }), [])
    })

    test('no more events are received than were asked for, and never more than ten', async () => {
      const queue = fresh()
      await queues.send(
        queue,
        Array.from({ length: 20 }, (_, i) => event(`${i}`)),
      )

      assert.ok((await receive(queue, { maxEvents: 1 })).length <= 1)
      assert.ok((await receive(queue, { maxEvents: 3 })).length <= 3)
      assert.ok((await queues.receive(queue, { waitSeconds: 1, visibilitySeconds: 30 })).length <= 10)
    })

    test('who waits for events wakes when one is sent', async () => {
      const [queue, empty] = [fresh(), fresh()]
      const settled: string[] = []
      // Who is not woken is done in the order of asking.
      const waiting = [empty, queue].map(async (name) => {
        const { length } = await receive(name, { waitSeconds: 5 })
        settled.push(`${name}: ${length}`)
      })
      await sleep(500)

      await queues.send(queue, [event('one')])

      await Promise.all(waiting)
      assert.deepEqual(settled, [`${queue}: 1`, `${empty}: 0`])
    })

    test('a check tells kind, address and how many events wait', async () => {
      const [standard, fifo] = [fresh(), fresh('fifo')]
      await queues.send(standard, [event('one'), event('two'), event('three')])

      const facts = await until(
        () => queues.check(standard),
        ({ approximateMessages }) => approximateMessages === 3,
      )

      assert.equal(facts.name, standard)
      assert.equal(facts.fifo, false)
      assert.ok(facts.url.endsWith(THERE[standard] ?? '?'), facts.url)
      assert.deepEqual(
        [(await queues.check(fifo)).fifo, (await queues.check(fifo)).approximateMessages],
        [true, 0],
      )
    })

    test('of a FIFO queue, events of one group come in the order of the calls', async () => {
      const queue = fresh('fifo')
      const numbered = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, i) =>
          ['a', 'b'].map((group) => event(`${group}-${from + i}`, 100, group)),
        ).flat()

      const results = await Promise.all([
        queues.send(queue, numbered(0, 12)),
        queues.send(queue, numbered(12, 15)),
        queues.send(queue, numbered(15, 20)),
      ])

      assert.ok(results.flat().every(({ sent }) => sent))
      const received = (await receiveAll(queue, 40)).map((body) => (JSON.parse(body) as { id: string }).id)
      for (const group of ['a', 'b'])
        assert.deepEqual(
          received.filter((id) => id.startsWith(group)),
          Array.from({ length: 20 }, (_, i) => `${group}-${i}`),
        )
    })

    test('of a FIFO queue, a group stands still while one of its events is with a consumer', async () => {
      const queue = fresh('fifo')
      await queues.send(queue, [event('a-1', 100, 'a'), event('a-2', 100, 'a'), event('b-1', 100, 'b')])
      const [first] = await receive(queue, { maxEvents: 1, visibilitySeconds: 300 })
      assert.equal(first?.body, event('a-1', 100, 'a').body)

      const others = await receive(queue, { visibilitySeconds: 300 })
      assert.deepEqual(
        others.map(({ body }) => body),
        [event('b-1', 100, 'b').body],
      )

      await first.remove()
      const [next] = await receive(queue, { visibilitySeconds: 300 })
      assert.equal(next?.body, event('a-2', 100, 'a').body)
    })

    test(
      'of a FIFO queue, several events of one group may come at once, in order',
      promised('several of one group at once'),
      async () => {
        const queue = fresh('fifo')
        const events = ['a-1', 'a-2', 'a-3'].map((id) => event(id, 100, 'a'))
        await queues.send(queue, events)

        const received = await receive(queue, { visibilitySeconds: 300 })

        assert.deepEqual(
          received.map(({ body }) => body),
          events.map(({ body }) => body),
        )
      },
    )

    test('of a FIFO queue, an event that is sent again is dropped, also when it was removed', async () => {
      const queue = fresh('fifo')
      for (let time = 0; time < 2; time++)
        assert.deepEqual(await queues.send(queue, [event('one'), event('two')]), [
          { sent: true },
          { sent: true },
        ])
      assertSame(await receiveAll(queue, 2), [event('one'), event('two')])

      assert.deepEqual(await queues.send(queue, [event('one'), event('three')]), [
        { sent: true },
        { sent: true },
      ])

      assertSame(await receiveAll(queue, 1), [event('three')])
      assert.deepEqual(await receive(queue, { waitSeconds: 1 }), [])
    })

    test('of a FIFO queue, ids and groups may be anything and stay different', async () => {
      const queue = fresh('fifo')
      const ids = [
        'x'.repeat(128),
        'x'.repeat(129),
        `${'x'.repeat(129)}y`,
        'with space',
        'ümläut',
        '~!@#$%^&*()_+={}[]|\\:;"\'<>,.?/',
        '',
      ]
      const events = ids.map((id, i) => ({ ...event(`${i}`, 100, id), id }))

      const results = await queues.send(queue, events)

      assert.ok(
        results.every(({ sent }) => sent),
        JSON.stringify(results),
      )
      assertSame(await receiveAll(queue, ids.length), events)
    })

    interface Receiving {
      readonly waitSeconds?: number
      readonly visibilitySeconds?: number
      readonly maxEvents?: number
    }

    function receive(
      queue: string,
      { waitSeconds = 5, visibilitySeconds = 30, maxEvents = 10 }: Receiving = {},
    ): Promise<readonly ReceivedEvent[]> {
      return queues.receive(queue, { waitSeconds, visibilitySeconds, maxEvents })
    }

    /** Until so many came or nothing more does; removes them. In the order in which they came. */
    async function receiveAll(queue: string, count: number): Promise<string[]> {
      const all: string[] = []
      while (all.length < count) {
        const events = await receive(queue)
        if (events.length === 0) break
        for (const { body, remove } of events) {
          all.push(body)
          await remove()
        }
      }
      return all
    }

    async function assertAll(queue: string, code: 'QUEUE_MISSING'): Promise<void> {
      await assert.rejects(queues.send(queue, [event('one')]), isCode(code))
      await assert.rejects(receive(queue, { waitSeconds: 0 }), isCode(code))
      await assert.rejects(queues.check(queue), isCode(code))
    }
  })
}

/** An event of so many octets. */
export function event(id: string, octets = 100, group = 'invoices'): OutgoingEvent {
  const empty = JSON.stringify({ id, text: '' })
  return { id, group, body: JSON.stringify({ id, text: 'x'.repeat(octets - empty.length) }) }
}

/** In any order. */
function assertSame(received: readonly string[], events: readonly OutgoingEvent[]): void {
  assert.deepEqual([...received].sort(), events.map(({ body }) => body).sort())
}

/** Counts of SQS are approximate and may lag. */
async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  for (let time = 0; time < 50; time++) {
    const answer = await ask()
    if (holds(answer)) return answer
    await sleep(100)
  }
  return ask()
}
