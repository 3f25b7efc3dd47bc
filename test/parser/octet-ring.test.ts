import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { OctetRing } from '../../shared/parser/octet-ring.ts'

describe('octets that two threads share', () => {
  test('stay as they were lent until it is their turn to be taken back, whatever comes meanwhile', () => {
    const step = fc.oneof(fc.constant('take back'), fc.nat(60))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const ring = new OctetRing(100)
        const lent: { readonly octets: Uint8Array; readonly copy: Buffer }[] = []
        for (const [number, length] of steps.entries()) {
          if (typeof length === 'string') {
            if (lent.shift()) ring.takeBack()
          } else {
            const copy = Buffer.alloc(length, number)
            const octets = ring.lend(copy)
            if (octets) lent.push({ octets, copy })
            else assert.ok(lent.length > 0, 'an empty ring has room')
          }
          for (const { octets, copy } of lent) assert.deepEqual(Buffer.from(octets), copy)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('are memory that both see', () => {
    assert.ok(new OctetRing(10).lend(Buffer.from('x'))?.buffer instanceof SharedArrayBuffer)
  })

  test('have all of the room, one after the other, and none for more', () => {
    const ring = new OctetRing(10)
    assert.equal(ring.lend(Buffer.alloc(11)), undefined)
    for (let time = 0; time < 5; time++) {
      assert.ok(ring.lend(Buffer.alloc(10)))
      assert.equal(ring.lend(Buffer.alloc(0)), undefined)
      ring.takeBack()
    }
  })

  test('find room before the oldest when there is none behind the newest', () => {
    const ring = new OctetRing(10)
    for (const length of [4, 4]) assert.ok(ring.lend(Buffer.alloc(length)))
    assert.equal(ring.lend(Buffer.alloc(4)), undefined)
    ring.takeBack()
    assert.ok(ring.lend(Buffer.alloc(4)))
    assert.equal(ring.lend(Buffer.alloc(1)), undefined)
  })
})
