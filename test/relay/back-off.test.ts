import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { RELAY } from '../../shared/limits.ts'
import { BackOff } from '../../shared/relay/back-off.ts'

const SECOND = 1000
const SHORT = RELAY.settledMs - 1

/** The pauses after sessions that lived so long, when all dice fall on `chance`. */
function pauses(chance: number, lived: readonly number[]): number[] {
  const backOff = new BackOff(RELAY, () => chance)
  return lived.map((ms) => backOff.pauseAfter(ms))
}

describe('the pause before a connection is made again', () => {
  test('grows while sessions are short, whether they stood or not, up to five minutes', () => {
    const longest = pauses(1, [0, SHORT, 0, SHORT, 0, 0, 0, 0])

    assert.deepEqual(
      longest,
      [10, 20, 40, 80, 160, 300, 300, 300].map((s) => s * SECOND),
    )
  })

  test('is short after a session that lived long, and begins anew', () => {
    const longest = pauses(1, [0, 0, 0, RELAY.settledMs, 0])

    assert.deepEqual(
      longest,
      [10, 20, 40, 5, 10].map((s) => s * SECOND),
    )
  })

  test('is all chance: from the least to the most, and from nothing after a long session', () => {
    assert.deepEqual(
      pauses(0, [0, 0, 0, 0]),
      [5, 5, 5, 5].map((s) => s * SECOND),
    )
    assert.deepEqual(pauses(0, [RELAY.settledMs]), [0])
    assert.deepEqual(
      pauses(0.5, [0, 0, 0]),
      [7.5, 12.5, 22.5].map((s) => s * SECOND),
    )
  })

  test('lets a server that accepts and drops see 12 log-ins in any minute at most, however the dice fall', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            chance: fc.double({ min: 0, max: 1, noNaN: true }),
            livedMs: fc.integer({ min: 0, max: SHORT }),
          }),
          { minLength: 20, maxLength: 60 },
        ),
        (sessions) => {
          let chance = 0
          const backOff = new BackOff(RELAY, () => chance)
          let nowMs = 0
          const logIns = sessions.map((session) => {
            const atMs = nowMs
            chance = session.chance
            nowMs += session.livedMs + backOff.pauseAfter(session.livedMs)
            return atMs
          })
          for (const from of logIns)
            assert.ok(logIns.filter((at) => at >= from && at < from + 60 * SECOND).length <= 12)
        },
      ),
    )
  })
})
