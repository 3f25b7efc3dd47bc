import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemClock } from '../../shared/relay/clock.ts'

describe('the clock of the system', () => {
  test('does no work before its time, not by a part of a millisecond', async () => {
    const early: number[] = []

    await Promise.all(
      Array.from({ length: 400 }, (_, number) => {
        const milliseconds = (number * 7.3) % 100
        const dueMs = systemClock.nowMs() + milliseconds
        return new Promise<void>((resolve) =>
          systemClock.after(milliseconds, () => {
            if (systemClock.nowMs() < dueMs) early.push(dueMs - systemClock.nowMs())
            resolve()
          }),
        )
      }),
    )

    assert.deepEqual(early, [])
  })

  test('does no work that was cancelled, nor at once what is due in a year', async () => {
    const done: string[] = []
    const cancel = systemClock.after(1, () => done.push('cancelled'))
    const cancelYear = systemClock.after(366 * 86_400_000, () => done.push('in a year'))

    cancel()
    await new Promise<void>((resolve) => systemClock.after(50, resolve))
    cancelYear()

    assert.deepEqual(done, [])
  })
})
