import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { deadlineIn, earlier, never, within } from '../shared/deadline.ts'
import { isCode } from './contract/archive.ts'

describe('a deadline', () => {
  test('in the future has time left, and one that has passed has none', () => {
    const hour = deadlineIn(3_600_000)
    assert.equal(hour.passed(), false)
    assert.ok(hour.remainingMs() > 3_000_000 && hour.remainingMs() <= 3_600_000, `${hour.remainingMs()} ms`)

    for (const passed of [deadlineIn(0), deadlineIn(-1000)]) {
      assert.equal(passed.passed(), true)
      assert.equal(passed.remainingMs(), 0)
    }
  })

  test('is not moved by a corrected wall clock', (t) => {
    const hour = deadlineIn(3_600_000)

    t.mock.method(Date, 'now', () => 4_000_000_000_000)

    assert.equal(hour.passed(), false)
    assert.ok(hour.remainingMs() > 3_000_000)
  })

  test('that never comes leaves all the time there is', () => {
    assert.equal(never.passed(), false)
    assert.equal(never.remainingMs(), Infinity)
  })

  test('is the earlier of two, whichever comes first', () => {
    const [passed, hour] = [deadlineIn(0), deadlineIn(3_600_000)]
    for (const both of [earlier(passed, hour), earlier(hour, passed)]) {
      assert.equal(both.passed(), true)
      assert.equal(both.remainingMs(), 0)
    }
    for (const one of [earlier(hour, never), earlier(never, hour)]) {
      assert.equal(one.passed(), false)
      assert.ok(one.remainingMs() <= 3_600_000)
    }
  })
})

describe('work within a time', () => {
  test('settles as it does by itself', async () => {
    const failure = new Error('failed')
    for (const time of [3_600_000, 2 ** 31, Infinity]) {
      assert.equal(await within(time, 'work', sleep(20, 7)), 7)
      await assert.rejects(within(time, 'work', Promise.reject(failure)), (error) => error === failure)
    }
  })

  test('that takes longer is TIMED_OUT and says what it was', async () => {
    const endless = new Promise<never>(() => {})

    await assert.rejects(within(5, 'reading the greeting', endless), (error) => {
      assert.ok(isCode('TIMED_OUT')(error))
      assert.match(String(error), /reading the greeting took longer than 5 ms/)
      return true
    })
  })

  test('that was done in time leaves no timer that would keep the process', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()

    await within(3_600_000, 'work', Promise.resolve())
    await within(3_600_000, 'work', Promise.reject(new Error('failed'))).catch(() => undefined)

    assert.equal(timers(), before)
  })

  test('that fails when its time has passed is not an unhandled rejection', async () => {
    let fail = (_: Error): void => {}
    const late = new Promise<void>((_, reject) => {
      fail = reject
    })
    const unhandled: unknown[] = []
    const notice = (reason: unknown): number => unhandled.push(reason)
    process.on('unhandledRejection', notice)
    await assert.rejects(within(1, 'work', late), isCode('TIMED_OUT'))

    fail(new Error('too late'))

    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', notice)
    assert.deepEqual(unhandled, [])
  })
})
