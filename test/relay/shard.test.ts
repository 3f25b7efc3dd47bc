import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mailboxId } from '../../shared/contract/ids.ts'
import { shardOf } from '../../shared/relay/shard.ts'

const MAILBOXES = Array.from({ length: 10_000 }, (_, number) => mailboxId(`mailbox-${number}`))

function shares(count: number): number[] {
  const sizes = new Array<number>(count).fill(0)
  for (const id of MAILBOXES) sizes[shardOf(id, count)] = (sizes[shardOf(id, count)] ?? 0) + 1
  return sizes
}

describe('ten thousand mailboxes among six tasks', () => {
  test('each task has its share, within a tenth', () => {
    const sizes = shares(6)

    assert.equal(
      sizes.reduce((sum, size) => sum + size),
      10_000,
    )
    for (const size of sizes) assert.ok(Math.abs(size - 10_000 / 6) < 10_000 / 60, sizes.join(' '))
  })

  test('a seventh task takes its share from all, and no mailbox moves between the six', () => {
    const moved = MAILBOXES.filter((id) => shardOf(id, 6) !== shardOf(id, 7))

    assert.ok(moved.every((id) => shardOf(id, 7) === 6))
    assert.equal(moved.length, shares(7)[6])
    assert.equal(new Set(moved.map((id) => shardOf(id, 6))).size, 6)
  })

  test('one task has them all', () => {
    assert.deepEqual(shares(1), [10_000])
  })
})
