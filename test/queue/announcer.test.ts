import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { IngestError } from '../../shared/errors.ts'
import { QUEUE } from '../../shared/limits.ts'
import { type AnnouncerOptions, openAnnouncer } from '../../shared/queue/announcer.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import type { EventQueues, OutgoingEvent, SendResult } from '../../shared/queue/queue.ts'
import { isCode } from '../contract/archive.ts'
import { event } from '../contract/queue.ts'

const QUEUES = { default: 'events', orders: 'events.fifo' }

interface Sending {
  readonly queue: string
  readonly ids: readonly string[]
  /** Lets it go on to the queue, or answers in its place. */
  answer(result?: readonly SendResult[] | Error): void
}

/** Queues in memory that note what is sent, and hold it until it is answered when they are asked to. */
function watched({ hold = false }: { hold?: boolean } = {}) {
  const queues = openMemoryQueues({ queues: QUEUES })
  const sendings: Sending[] = []
  async function send(queue: string, events: readonly OutgoingEvent[]): Promise<readonly SendResult[]> {
    const { promise, resolve } = Promise.withResolvers<readonly SendResult[] | Error | undefined>()
    sendings.push({ queue, ids: events.map(({ id }) => id), answer: resolve })
    if (!hold) resolve(undefined)
    const answer = await promise
    if (answer instanceof Error) throw answer
    return answer ?? queues.send(queue, events)
  }
  return { queues: { ...queues, send } satisfies EventQueues, sendings }
}

const numbered = (count: number, from = 0) => Array.from({ length: count }, (_, i) => event(`${from + i}`))
const idsOf = (events: readonly OutgoingEvent[]) => events.map(({ id }) => id)

/** Never due, so that what departs does so for another reason. */
const PATIENT: AnnouncerOptions = { lingerMs: 3_600_000 }

function announceAll(
  queues: EventQueues,
  events: readonly OutgoingEvent[],
  options?: AnnouncerOptions,
  queue = 'default',
): Promise<SendResult>[] {
  const announcer = openAnnouncer(queues, options)
  return events.map((one) => announcer.announce(queue, one))
}

describe('an announcer', () => {
  test('gathers what comes one by one into full batches, which do not wait', async () => {
    const { queues, sendings } = watched()

    const results = await Promise.all(announceAll(queues, numbered(30), PATIENT))

    assert.deepEqual(
      sendings.map(({ ids }) => ids.length),
      [10, 10, 10],
    )
    assert.ok(results.every(({ sent }) => sent))
  })

  test('sends a batch that is not full when it has lingered', async () => {
    const { queues, sendings } = watched()

    await Promise.all(announceAll(queues, numbered(13), { lingerMs: 50 }))

    assert.deepEqual(
      sendings.map(({ ids }) => ids.length),
      [10, 3],
    )
  })

  test('gives each event the result that its queue had for it', async () => {
    const { queues, sendings } = watched({ hold: true })
    const announced = announceAll(queues, numbered(10), PATIENT)
    const answers = numbered(10).map(
      ({ id }, i): SendResult => (i % 2 ? { sent: true } : { sent: false, refused: id }),
    )

    sendings[0]?.answer(answers)

    assert.deepEqual(await Promise.all(announced), answers)
  })

  test('rejects all of a batch, and none of another', async () => {
    const { queues, sendings } = watched({ hold: true })
    const announced = announceAll(queues, numbered(20), PATIENT)

    sendings[0]?.answer(new IngestError('QUEUE_DENIED', 'no'))
    sendings[1]?.answer()

    const settled = await Promise.allSettled(announced)
    for (const one of settled.slice(0, 10))
      assert.ok(one.status === 'rejected' && isCode('QUEUE_DENIED')(one.reason))
    for (const one of settled.slice(10)) assert.equal(one.status, 'fulfilled')
  })

  test('goes on after a batch that was rejected', async () => {
    const { queues, sendings } = watched({ hold: true })
    const announcer = openAnnouncer(queues, { ...PATIENT, batchesInFlight: 1 })
    const announced = numbered(20).map((one) => announcer.announce('default', one))
    sendings[0]?.answer(new IngestError('QUEUE_UNAVAILABLE', 'not now'))
    await Promise.allSettled(announced.slice(0, 10))
    await sleep(0)

    sendings[1]?.answer()

    for (const result of await Promise.all(announced.slice(10))) assert.deepEqual(result, { sent: true })
  })

  test('takes an answer that is too short for a defect, and leaves nobody waiting', async () => {
    const { queues, sendings } = watched({ hold: true })
    const announced = announceAll(queues, numbered(10), PATIENT)

    sendings[0]?.answer([{ sent: true }])

    const [first, ...others] = await Promise.allSettled(announced)
    assert.equal(first?.status, 'fulfilled')
    for (const one of others) assert.ok(one.status === 'rejected' && one.reason instanceof TypeError)
  })

  test('has a bounded number of batches under way for a queue, and what waited goes when one is answered', async () => {
    const { queues, sendings } = watched({ hold: true })
    const announced = announceAll(queues, numbered(200), PATIENT)
    assert.equal(sendings.length, QUEUE.batchesInFlight)

    for (let next = 0; next < 20; next++) {
      assert.ok(sendings.length - next <= QUEUE.batchesInFlight)
      sendings[next]?.answer()
      await sleep(0)
    }

    assert.equal((await Promise.all(announced)).length, 200)
    assert.equal(sendings.length, 20)
    assert.deepEqual(
      sendings.flatMap(({ ids }) => ids),
      idsOf(numbered(200)),
    )
  })

  test('does not let one queue hold up another', async () => {
    const { queues, sendings } = watched({ hold: true })
    const announcer = openAnnouncer(queues, { ...PATIENT, batchesInFlight: 1 })
    const held = numbered(20).map((one) => announcer.announce('default', one))

    const other = numbered(10).map((one) => announcer.announce('orders', one))

    assert.deepEqual(
      sendings.map(({ queue }) => queue),
      ['default', 'orders'],
    )
    sendings[1]?.answer()
    assert.equal((await Promise.all(other)).length, 10)
    sendings[0]?.answer()
    await sleep(0)
    sendings[2]?.answer()
    assert.equal((await Promise.all(held)).length, 20)
  })

  test('sends what waited for a free place without letting it linger anew', async () => {
    const { queues, sendings } = watched({ hold: true })
    const announcer = openAnnouncer(queues, { lingerMs: 10, batchesInFlight: 1 })
    const first = announcer.announce('default', event('0'))
    while (sendings.length === 0) await sleep(5)
    const second = announcer.announce('default', event('1'))
    await sleep(100)
    assert.equal(sendings.length, 1)

    sendings[0]?.answer()
    await first
    await sleep(0)

    assert.equal(sendings.length, 2)
    sendings[1]?.answer()
    await second
  })

  test('keeps the order of the announcements in a FIFO queue', async () => {
    const { queues, sendings } = watched()
    const announcer = openAnnouncer(queues, { lingerMs: 1 })
    const announced: Promise<SendResult>[] = []
    for (const one of numbered(95)) {
      announced.push(announcer.announce('orders', one))
      if (Number(one.id) % 7 === 0) await sleep(2)
    }
    await Promise.all(announced)

    assert.deepEqual(
      sendings.flatMap(({ ids }) => ids),
      idsOf(numbered(95)),
    )
    const received: string[] = []
    while (received.length < 95)
      for (const { body, remove } of await queues.receive('orders', {
        waitSeconds: 0,
        visibilitySeconds: 30,
      })) {
        received.push((JSON.parse(body) as { id: string }).id)
        await remove()
      }
    assert.deepEqual(received, idsOf(numbered(95)))
  })

  test('rejects for a queue that is not configured', async () => {
    const { queues } = watched()

    await assert.rejects(openAnnouncer(queues).announce('nowhere', event('0')), isCode('QUEUE_MISSING'))
  })

  test('keeps nothing when every event is answered, no timer either', async () => {
    const { queues } = watched()
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()

    await Promise.all(announceAll(queues, numbered(20), PATIENT))

    assert.equal(timers(), before)
  })
})
