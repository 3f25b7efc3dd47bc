import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { batchesOf } from '../../shared/queue/batches.ts'

const octetsOf = (octets: number) => octets

describe('batches', () => {
  test('hold every item once, in order, and are within both limits', () => {
    const sizes = fc.array(fc.nat(120), { maxLength: 60 })
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 10 }), (items, messages) => {
        const batches = batchesOf(items, octetsOf, { messages, octets: 100 })

        assert.deepEqual(batches.flat(), items)
        for (const batch of batches) {
          const octets = batch.reduce((sum, size) => sum + size, 0)
          assert.ok(batch.length > 0 && batch.length <= messages)
          assert.ok(octets <= 100 || batch.length === 1, `${octets} octets in ${batch.length} items`)
        }
      }),
    )
  })

  test('are no more than needed', () => {
    assert.deepEqual(batchesOf([50, 50, 1, 99, 100], octetsOf, { messages: 10, octets: 100 }), [
      [50, 50],
      [1, 99],
      [100],
    ])
    assert.deepEqual(batchesOf([0, 0, 0], octetsOf, { messages: 2, octets: 100 }), [[0, 0], [0]])
  })

  test('of what is too large by itself hold it alone, also behind an empty item', () => {
    assert.deepEqual(batchesOf([0, 101, 0], octetsOf, { messages: 10, octets: 100 }), [[0], [101], [0]])
  })

  test('of nothing are none', () => {
    assert.deepEqual(batchesOf([], octetsOf, { messages: 10, octets: 100 }), [])
  })
})
