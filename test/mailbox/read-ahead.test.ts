import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ReadAhead } from '../../shared/mailbox/read-ahead.ts'

test('what is read ahead is given out whole and in order, and stays as it is until the next is asked for', () => {
  const step = fc.oneof(fc.constant('take'), fc.uint8Array({ minLength: 1, maxLength: 40_000 }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ahead = new ReadAhead()
      const memory = Buffer.alloc(40_000)
      const given: Buffer[] = []
      const taken: Buffer[] = []
      let lent: { readonly octets: Buffer; readonly copy: Buffer } | undefined
      const take = (): void => {
        if (lent) assert.deepEqual(lent.octets, lent.copy)
        const octets = ahead.take()
        lent = octets && { octets, copy: Buffer.from(octets) }
        if (octets) taken.push(Buffer.from(octets))
      }
      for (const octets of steps)
        if (typeof octets === 'string') take()
        else {
          // As a socket does: the same memory each time.
          memory.set(octets)
          ahead.add(memory.subarray(0, octets.length))
          given.push(Buffer.from(octets))
          assert.ok(ahead.octets > 0)
        }
      take()
      assert.equal(ahead.octets, 0)
      assert.equal(ahead.take(), undefined)
      assert.ok(Buffer.concat(taken).equals(Buffer.concat(given)))
    }),
  )
})

test('enough is read ahead at 128 KiB, and what comes all the same is kept', () => {
  const ahead = new ReadAhead()
  ahead.add(Buffer.alloc(128 * 1024 - 1, 1))
  assert.equal(ahead.full, false)
  ahead.add(Buffer.alloc(1, 2))
  assert.equal(ahead.full, true)
  ahead.add(Buffer.alloc(1024 * 1024, 3))
  assert.equal(ahead.take()?.length, 128 * 1024 + 1024 * 1024)
  assert.equal(ahead.full, false)
})
