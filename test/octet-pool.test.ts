import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OctetPool } from '../shared/octet-pool.ts'
import { openSpool } from '../shared/octets.ts'

const KIB = 1024

test('memory that was given back is used again for what fits, and never for two at the same time', () => {
  const pool = new OctetPool(1024 * KIB)
  const first = pool.take(300_000)
  const second = pool.take(300_000)
  assert.notEqual(first, second)

  pool.giveBack(first)

  assert.equal(pool.take(299_000), first)
  assert.notEqual(pool.take(299_000), first)
})

test('there is room for what is asked for, with at most a quarter more', () => {
  const pool = new OctetPool(0)
  fc.assert(
    fc.property(fc.nat(20_000_000), (octets) => {
      const { length } = pool.take(octets)
      assert.ok(length >= octets && length <= octets * 1.25, `${length} for ${octets}`)
    }),
  )
})

test('no more is kept than the limit, and nothing small', () => {
  const pool = new OctetPool(128 * KIB)
  const [one, two, three, small] = [64, 64, 64, 16].map((kib) => pool.take(kib * KIB))
  for (const memory of [one, two, three, small]) pool.giveBack(memory as Buffer)

  const again = [64, 64, 64, 16].map((kib) => pool.take(kib * KIB))

  assert.deepEqual(
    again.map((memory) => [one, two, three, small].includes(memory)),
    [true, true, false, false],
  )
})

test('messages of a spool that keeps memory are whole until they are discarded, and not read after it', async () => {
  const spool = openSpool(undefined, 1024 * KIB)
  const message = (octet: number) => Buffer.alloc(100 * KIB, octet)
  async function* pieces(octets: Buffer): AsyncGenerator<Buffer> {
    for (let at = 0; at < octets.length; at += 7_000) yield octets.subarray(at, at + 7_000)
  }
  const collect = (octet: number, announced?: number) =>
    spool.collect(pieces(message(octet)), 1024 * KIB, announced)

  const first = await collect(1, 100 * KIB)
  const second = await collect(2)
  assert.deepEqual([first.buffer, second.buffer], [message(1), message(2)])
  const memory = first.buffer?.buffer
  await first.discard()
  await first.discard()

  assert.throws(() => first.buffer, TypeError)
  assert.throws(() => first.open(), TypeError)
  const third = await collect(3, 100 * KIB)
  const fourth = await collect(4, 100 * KIB)
  assert.equal(third.buffer?.buffer, memory)
  assert.notEqual(fourth.buffer?.buffer, memory)
  assert.deepEqual([second.buffer, third.buffer, fourth.buffer], [message(2), message(3), message(4)])
})

test('an announcement of megabytes for a short message takes none of them', async () => {
  const spool = openSpool(undefined, 16 * 1024 * KIB)
  async function* short(): AsyncGenerator<Buffer> {
    yield Buffer.from('short')
  }

  const { buffer } = await spool.collect(short(), 8 * 1024 * KIB, 8 * 1024 * KIB)

  assert.equal(buffer?.toString(), 'short')
  assert.ok((buffer?.buffer.byteLength ?? 0) <= Buffer.poolSize)
})
