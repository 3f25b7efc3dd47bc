import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OctetArena } from '../shared/octet-arena.ts'
import { openSpool } from '../shared/octets.ts'

const KIB = 1024

const isShared = (memory: Buffer | undefined): boolean =>
  (memory?.buffer as ArrayBufferLike | undefined) instanceof SharedArrayBuffer

test('messages in the arena keep their octets whatever is taken, shortened and given back beside them, and at the end all of it is free', () => {
  const take = fc.record({ octets: fc.nat(20 * KIB), shorter: fc.double({ min: 0, max: 1, noNaN: true }) })
  fc.assert(
    fc.property(fc.array(fc.oneof(take, fc.nat(30)), { maxLength: 120 }), (steps) => {
      const arena = new OctetArena(64 * KIB)
      const held: { memory: Buffer; octet: number }[] = []
      for (const [number, step] of steps.entries()) {
        if (typeof step === 'number') {
          const [given] = held.splice(step % Math.max(1, held.length), 1)
          if (given) arena.giveBack(given.memory)
        } else {
          const whole = arena.take(step.octets)
          assert.equal(whole.length, step.octets)
          const memory = arena.shorten(whole, Math.floor(step.octets * step.shorter)).fill(number)
          held.push({ memory, octet: number })
        }
        for (const { memory, octet } of held) assert.ok(memory.every((each) => each === octet))
      }
      for (const { memory } of held) arena.giveBack(memory)
      assert.ok(isShared(arena.take(64 * KIB)))
    }),
    { numRuns: 300 },
  )
})

test('what finds no room in the arena is made for it alone, and room comes back', () => {
  const arena = new OctetArena(100 * KIB)
  const first = arena.take(60 * KIB)
  const second = arena.take(60 * KIB)
  assert.deepEqual([isShared(first), isShared(second)], [true, false])
  assert.deepEqual([arena.holds(first), arena.holds(second)], [true, false])

  arena.giveBack(second)
  arena.giveBack(first)
  arena.giveBack(first)

  assert.ok(isShared(arena.take(100 * KIB)))
  assert.ok(!isShared(arena.take(1)))
})

test('an arena of no size is none', () => {
  assert.ok(!isShared(new OctetArena(0).take(10)))
})

const message = (octet: number) => Buffer.alloc(100 * KIB, octet)

async function* pieces(octets: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += 7_000) yield octets.subarray(at, at + 7_000)
}

test('messages of a spool with an arena are whole until they are discarded, and not read after it', async () => {
  const spool = openSpool(undefined, new OctetArena(1024 * KIB))
  const collect = (octet: number, announced?: number) =>
    spool.collect(pieces(message(octet)), 1024 * KIB, announced)

  const first = await collect(1, 100 * KIB)
  const second = await collect(2)
  assert.deepEqual([first.buffer, second.buffer], [message(1), message(2)])
  const place = first.buffer?.byteOffset
  await first.discard()
  await first.discard()

  assert.throws(() => first.buffer, TypeError)
  assert.throws(() => first.open(), TypeError)
  const third = await collect(3, 100 * KIB)
  const fourth = await spool.fill(100 * KIB, async (memory) => void memory.set(message(4)))
  assert.equal(third.buffer?.byteOffset, place)
  assert.notEqual(fourth.buffer?.byteOffset, place)
  assert.deepEqual([second.buffer, third.buffer, fourth.buffer], [message(2), message(3), message(4)])
})

test('a message that breaks off, or goes to the disk, leaves nothing in the arena', async () => {
  const arena = new OctetArena(512 * KIB)
  const spool = openSpool(undefined, arena)
  async function* broken(): AsyncGenerator<Buffer> {
    yield message(1)
    throw new RangeError('broken off')
  }
  try {
    await assert.rejects(spool.collect(broken(), 512 * KIB, 200 * KIB), RangeError)
    await assert.rejects(
      spool.fill(100 * KIB, () => Promise.reject(new RangeError('broken off'))),
      RangeError,
    )
    const large = await spool.collect(pieces(message(2)), 50 * KIB, 50 * KIB)
    assert.notEqual(large.path, undefined)

    assert.ok(isShared(arena.take(512 * KIB)))
  } finally {
    await spool.close()
  }
})

test('an announcement of megabytes for a short message takes none of them', async () => {
  for (const arena of [new OctetArena(8 * 1024 * KIB), new OctetArena(0)]) {
    const spool = openSpool(undefined, arena)
    async function* short(): AsyncGenerator<Buffer> {
      yield Buffer.from('short')
    }

    const { buffer } = await spool.collect(short(), 8 * 1024 * KIB, 8 * 1024 * KIB)

    assert.equal(buffer?.toString(), 'short')
    if (isShared(buffer)) assert.ok(isShared(arena.take(8 * 1024 * KIB - 1 * KIB)))
    else assert.ok((buffer?.buffer.byteLength ?? 0) <= Buffer.poolSize)
  }
})
