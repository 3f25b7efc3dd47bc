import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { mailboxId } from '../../shared/contract/ids.ts'
import { IngestError } from '../../shared/errors.ts'
import { RELAY } from '../../shared/limits.ts'
import type { RelayEvent, WakeReason } from '../../shared/relay/ports.ts'
import { Waker } from '../../shared/relay/waker.ts'
import { FastClock } from '../support/fast-clock.ts'

const MAILBOX = mailboxId('invoices')
const SECOND = 1000

interface Request {
  /** When it was begun: what came later may have been overlooked by its drain. */
  readonly atMs: number
  readonly reason: WakeReason
}

/** `takes`: how long the queue needs for each request, in turn; negative when it refuses then. */
function open({ takes = [0] }: { takes?: readonly number[] } = {}) {
  const clock = new FastClock()
  const requests: Request[] = []
  const safe: Request[] = []
  const events: RelayEvent[] = []
  const requestDrain = async (mailbox: string, reason: WakeReason): Promise<void> => {
    assert.equal(mailbox, MAILBOX)
    const takesMs = takes[Math.min(requests.length, takes.length - 1)] ?? 0
    const request = { atMs: clock.nowMs(), reason }
    requests.push(request)
    await new Promise<void>((resolve) => clock.after(Math.abs(takesMs), resolve))
    if (takesMs < 0) throw new IngestError('QUEUE_UNAVAILABLE', 'the queue does not answer')
    safe.push(request)
  }
  const waker = new Waker(MAILBOX, { clock, requestDrain, observe: (event) => events.push(event) }, RELAY)
  return { clock, requests, safe, events, waker, news: () => void waker.wake('arrival') }
}

describe('news of a mailbox', () => {
  test('is a request at once', async () => {
    const { clock, requests, events, waker } = open()

    void waker.wake('gap')
    await clock.pass(0)

    assert.deepEqual(requests, [{ atMs: 0, reason: 'gap' }])
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['requested'],
    )
  })

  test('of a thousand arrivals in ten seconds makes six requests, the last of them after the last arrival', async () => {
    const { clock, requests, news } = open()
    for (let number = 0; number < 1000; number++) clock.after(number * 10, news)

    await clock.pass(60 * SECOND)

    assert.deepEqual(
      requests.map(({ atMs }) => atMs),
      [0, 2, 4, 6, 8, 10].map((s) => s * SECOND),
    )
  })

  test('of a second arrival waits two seconds, and how long it waited is told', async () => {
    const { clock, requests, events, news } = open()
    news()
    clock.after(500, news)
    clock.after(900, news)

    await clock.pass(60 * SECOND)

    assert.deepEqual(
      requests.map(({ atMs }) => atMs),
      [0, 2000],
    )
    assert.deepEqual(
      events.map((event) => event.kind === 'requested' && event.waitedMs),
      [0, 1500],
    )
  })

  test('that does not end for an hour makes a request every ten seconds after the first minute', async () => {
    const { clock, requests, news } = open()
    for (let atMs = 0; atMs < 3600 * SECOND; atMs += 500) clock.after(atMs, news)

    await clock.pass(3700 * SECOND)

    assert.ok(requests.length <= 31 + 354, `${requests.length}`)
    const late = requests.filter(({ atMs }) => atMs > 120 * SECOND)
    for (const [index, { atMs }] of late.slice(1).entries())
      assert.equal(atMs - (late[index]?.atMs ?? 0), RELAY.floodWindowMs)
  })

  test('that a request was on its way for is asked for once more: the drain may have looked before', async () => {
    const { clock, requests, news } = open({ takes: [5 * SECOND, 0] })
    news()
    clock.after(1 * SECOND, news)

    await clock.pass(60 * SECOND)

    assert.deepEqual(
      requests.map(({ atMs }) => atMs),
      [0, 7000],
    )
  })

  test('is asked for again while the queue refuses, with pauses that grow to a minute', async () => {
    const refusals = Array.from({ length: 10 }, () => -1)
    const { clock, requests, safe, events, news } = open({ takes: [...refusals, 0] })
    news()

    await clock.pass(3600 * SECOND)

    const pauses = requests.slice(1).map(({ atMs }, index) => atMs - (requests[index]?.atMs ?? 0) - 1)
    assert.deepEqual(
      pauses,
      [1, 2, 4, 8, 16, 32, 60, 60, 60, 60].map((s) => s * SECOND),
    )
    assert.equal(safe.length, 1)
    assert.equal(events.filter(({ kind }) => kind === 'request-failed').length, 10)
  })

  test('is never left without a request that began after it, whatever comes when and however long the queue takes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 30 * SECOND }), { minLength: 1, maxLength: 50 }),
        fc.array(fc.integer({ min: -3 * SECOND, max: 3 * SECOND }), { maxLength: 10 }),
        async (arrivals, takes) => {
          const { clock, safe, news } = open({ takes: [...takes, 0] })
          for (const atMs of arrivals) clock.after(atMs, news)

          await clock.pass(3600 * SECOND)

          const last = Math.max(...arrivals)
          assert.ok(safe.some(({ atMs }) => atMs >= last))
          assert.ok(safe.length <= arrivals.length)
          assert.equal(clock.pending, 0)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('that waits for its window is asked for when the relay closes', async () => {
    const { clock, requests, waker, news } = open()
    news()
    await clock.pass(100)
    news()
    await clock.pass(100)
    assert.equal(requests.length, 1)

    const closing = waker.close()
    await clock.pass(0)
    await closing

    assert.equal(requests.length, 2)
  })

  test('does not keep the relay from closing when the queue refuses', async () => {
    const { clock, requests, waker, news } = open({ takes: [-1] })
    news()
    await clock.pass(10 * SECOND)
    const before = requests.length

    const closing = waker.close()
    await clock.pass(10)
    await closing

    assert.equal(requests.length, before + 1)
  })

  test('that cannot be asked for because of a defect is not swallowed', async () => {
    const clock = new FastClock()
    const requestDrain = () => Promise.reject(new TypeError('a defect'))
    const waker = new Waker(MAILBOX, { clock, requestDrain, observe: () => {} }, RELAY)

    await assert.rejects(waker.wake('arrival'), TypeError)
  })
})
