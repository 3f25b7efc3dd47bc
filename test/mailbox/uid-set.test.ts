import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { uid } from '../../shared/contract/ids.ts'
import { isUid, sortedUids, uidRuns, uidSet } from '../../shared/mailbox/uid-set.ts'

const uids = fc
  .uniqueArray(
    fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 4_294_967_200, max: 0xffff_ffff })),
    { minLength: 1 },
  )
  .map((numbers) => sortedUids(numbers.map(uid)))

function expand(set: string): number[] {
  return set.split(',').flatMap((part) => {
    const [low = 0, high = low] = part.split(':').map(Number)
    return Array.from({ length: high - low + 1 }, (_, index) => low + index)
  })
}

describe('UID sets', () => {
  test('neighbours become a range', () => {
    assert.equal(uidSet([1, 2, 3, 7, 9, 10].map(uid)), '1:3,7,9:10')
  })

  test('name exactly the UIDs they are made of', () => {
    fc.assert(fc.property(uids, (some) => assert.deepEqual(expand(uidSet(some)), some)))
  })

  test('are cut into runs that lose nothing and stay within the length', () => {
    fc.assert(
      fc.property(uids, fc.integer({ min: 25, max: 120 }), (some, maxCharacters) => {
        const runs = uidRuns(some, maxCharacters)
        assert.deepEqual(runs.flat(), some)
        for (const run of runs) assert.ok(uidSet(run).length <= maxCharacters, uidSet(run))
      }),
    )
  })

  test('take only what RFC 9051 allows as a UID', () => {
    assert.deepEqual([1, 0xffff_ffff, 0, -1, 1.5, 2 ** 32, NaN, '7', undefined].map(isUid), [
      true,
      true,
      ...Array(7).fill(false),
    ])
  })
})
