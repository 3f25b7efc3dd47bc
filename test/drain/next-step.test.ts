import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { nextStep } from '../../shared/drain/next-step.ts'
import { noCounts } from '../../shared/drain/report.ts'
import { ERROR_CODES, type ErrorCode, IngestError } from '../../shared/errors.ts'

type Report = Parameters<typeof nextStep>[0]

const ended: Report = { error: undefined, stopped: undefined, remaining: 0, counts: noCounts() }
const busy = { ...noCounts(), segments: 1 }

describe('after a drain', () => {
  test('that came to its end nothing is to do, whether it found mail or not', () => {
    assert.equal(nextStep(ended), 'done')
    assert.equal(nextStep({ ...ended, counts: busy }), 'done')
  })

  test('that ran out of time it is continued', () => {
    assert.equal(nextStep({ ...ended, stopped: 'deadline', remaining: 9, counts: busy }), 'continue')
    // Folders that it did not come to have nothing to count yet.
    assert.equal(nextStep({ ...ended, stopped: 'deadline', counts: busy }), 'continue')
  })

  test('that left messages it is continued', () => {
    assert.equal(nextStep({ ...ended, remaining: 1, counts: busy }), 'continue')
  })

  test('that could do nothing but acknowledge it is continued', () => {
    const counts = { ...noCounts(), acknowledged: 5 }
    assert.equal(nextStep({ ...ended, stopped: 'deadline', counts }), 'continue')
  })

  test('that got nothing done in its time it comes back later, and not for ever', () => {
    assert.equal(nextStep({ ...ended, stopped: 'deadline', remaining: 9 }), 'come-back')
    assert.equal(nextStep({ ...ended, remaining: 9 }), 'come-back')
  })

  test('that spent the octets of the day nothing is asked for before the next', () => {
    assert.equal(nextStep({ ...ended, stopped: 'daily-budget', remaining: 9, counts: busy }), 'done')
  })

  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const { scope } = ERROR_CODES[code]
    if (scope === 'message') continue
    const step = scope === 'mailbox' ? 'done' : 'come-back'
    test(`that failed with ${code}: ${step}`, () => {
      const error = new IngestError(code, 'no')
      assert.equal(nextStep({ ...ended, error, remaining: 9, counts: busy }), step)
    })
  }
})
