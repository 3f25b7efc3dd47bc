import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DrainId, MailboxId } from '../../shared/contract/ids.ts'
import { type DrainReport, noCounts } from '../../shared/drain/report.ts'
import { IngestError } from '../../shared/errors.ts'
import { RELAY } from '../../shared/limits.ts'
import { LocalDrains } from '../../shared/relay/local-drains.ts'
import { FastClock } from '../support/fast-clock.ts'
import { watched } from '../support/relay-world.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

interface Begun {
  readonly mailbox: MailboxId
  readonly user: string
  readonly atMs: number
}

/** Drains that take so long and end as told. */
function open(ids: readonly string[], { takesMs = SECOND, idle = true } = {}) {
  const clock = new FastClock()
  const begun: Begun[] = []
  const waited: number[] = []
  const defects: unknown[] = []
  const world = {
    ends: {} as Partial<DrainReport>,
    underWay: 0,
    most: 0,
    /** Of one mailbox at the same time. */
    twice: false,
    throws: undefined as Error | undefined,
  }
  const draining = new Set<MailboxId>()
  const drains = new LocalDrains(
    {
      clock,
      random: () => 0.5,
      defect: (error) => defects.push(error),
      drained: (_, waitedMs) => waited.push(waitedMs),
      async drain({ id, user }) {
        begun.push({ mailbox: id, user, atMs: clock.nowMs() })
        world.twice ||= draining.has(id)
        draining.add(id)
        world.most = Math.max(world.most, draining.size)
        await new Promise<void>((resolve) => clock.after(takesMs, resolve))
        draining.delete(id)
        if (world.throws) throw world.throws
        return report(id, world.ends)
      },
    },
    RELAY,
  )
  drains.apply(ids.map((id) => watched({ id, idle })))
  const request = (id: string): void => drains.request(id as MailboxId)
  return { clock, begun, waited, defects, world, drains, request, times: () => begun.map(({ atMs }) => atMs) }
}

function report(mailbox: MailboxId, changes: Partial<DrainReport>): DrainReport {
  return {
    mailbox,
    drain: 'd' as DrainId,
    elapsedMs: 0,
    server: undefined,
    listed: 0,
    counts: noCounts(),
    octets: 0,
    remaining: 0,
    stopped: undefined,
    error: undefined,
    warnings: [],
    failures: [],
    ...changes,
  }
}

describe('drains of one machine', () => {
  test('begin when they are asked for', async () => {
    const { clock, begun, waited, request } = open(['a'], { idle: false })

    request('a')
    await clock.pass(HOUR)

    assert.deepEqual(begun, [{ mailbox: 'a', user: 'u', atMs: 0 }])
    assert.deepEqual(waited, [SECOND])
  })

  test('asked for during one of the same mailbox are one more after it', async () => {
    const { clock, world, waited, request, times } = open(['a'], { idle: false })
    request('a')
    for (const atMs of [100, 200, 900]) clock.after(atMs, () => request('a'))

    await clock.pass(HOUR)

    assert.deepEqual(times(), [0, SECOND])
    assert.deepEqual(waited, [SECOND, 1900])
    assert.equal(world.twice, false)
  })

  test('are sixteen at the same time at most, and nobody waits for ever behind a mailbox that is always asked for', async () => {
    const mailboxes = Array.from({ length: 24 }, (_, index) => `m${index}`)
    const { clock, begun, world, request } = open(mailboxes, { idle: false })
    for (let atMs = 0; atMs < MINUTE; atMs += 100)
      clock.after(atMs, () => {
        for (const id of mailboxes) request(id)
      })

    await clock.pass(MINUTE)

    assert.equal(world.most, RELAY.drainsAtOnce)
    assert.equal(world.twice, false)
    for (const id of mailboxes) {
      const count = begun.filter(({ mailbox }) => mailbox === id).length
      assert.ok(count >= 35, `${id}: ${count}`)
    }
  })

  test('that left something go on at once, as long as they get something done', async () => {
    const { clock, world, request, times } = open(['a'], { idle: false })
    world.ends = { stopped: 'deadline', remaining: 5, counts: { ...noCounts(), segments: 1 } }
    request('a')

    await clock.pass(2500)
    world.ends = {}
    await clock.pass(HOUR)

    assert.deepEqual(times(), [0, 1000, 2000])
  })

  test('that failed are tried again after pauses that grow to a quarter of an hour, and from the first again after one that did not', async () => {
    const { clock, world, request, times } = open(['a'], { idle: false, takesMs: 0 })
    world.ends = { error: new IngestError('CONNECTION_FAILED', 'away') }
    request('a')
    await clock.pass(HOUR)
    const pauses = times()
      .slice(1)
      .map((atMs, index) => (atMs - (times()[index] ?? 0)) / SECOND)
    assert.deepEqual(pauses.slice(0, 9), [15, 25, 45, 85, 165, 325, 455, 455, 455])

    world.ends = {}
    await clock.pass(HOUR)
    const count = times().length
    world.ends = { error: new IngestError('CONNECTION_FAILED', 'away') }
    request('a')
    await clock.pass(20 * SECOND)

    assert.equal(times().length, count + 2)
  })

  test('of a mailbox that cannot be entered are not tried again unasked', async () => {
    const { clock, world, request, times } = open(['a'], { idle: false })
    world.ends = { error: new IngestError('AUTHENTICATION_FAILED', 'wrong password') }
    request('a')

    await clock.pass(HOUR)

    assert.deepEqual(times(), [0])
  })

  test('of a watched mailbox come every 15 minutes unasked, counted from the last', async () => {
    const { clock, request, times } = open(['a'], { takesMs: 0 })
    request('a')
    clock.after(10 * MINUTE, () => request('a'))

    await clock.pass(40 * MINUTE)

    assert.deepEqual(
      times().map((ms) => ms / MINUTE),
      [0, 10, 25, 40],
    )
  })

  test('of a mailbox that is gone come no more, and its settings are those of the latest list', async () => {
    const { clock, begun, drains, request } = open(['a', 'b'])
    request('a')
    request('b')
    await clock.pass(MINUTE)

    drains.apply([watched({ id: 'b', user: 'other' })])
    assert.equal(clock.pending, 1)
    request('a')
    await clock.pass(HOUR)

    assert.equal(begun.filter(({ mailbox }) => mailbox === 'a').length, 1)
    const users = begun.flatMap(({ mailbox, user }) => (mailbox === 'b' ? [user] : []))
    assert.deepEqual(users, ['u', ...new Array(4).fill('other')])
  })

  test('under way are waited for by the end, and none begins after it', async () => {
    const { clock, begun, drains, request } = open(['a', 'b', 'c'])
    request('c')
    await clock.pass(MINUTE)
    request('a')
    clock.after(100, () => request('a'))
    await clock.pass(500)

    let closedMs = Infinity
    void drains.close().then(() => {
      closedMs = clock.nowMs()
    })
    request('b')
    await clock.pass(SECOND)

    assert.equal(closedMs, MINUTE + SECOND)
    assert.equal(begun.length, 2)
    assert.equal(clock.pending, 0)
  })

  test('that end with a defect tell it', async () => {
    const { clock, defects, world, request } = open(['a'])
    world.throws = new TypeError('a defect')
    request('a')

    await clock.pass(HOUR)

    assert.deepEqual(defects, [world.throws])
  })
})
