import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dueMailboxes, groupsOf } from '../shared/schedule.ts'
import { mailboxConfig } from './support/drain-world.ts'

const TICK_MS = 60_000
const tick = (number: number): Date => new Date(number * TICK_MS)

function mailboxes(count: number, every: string) {
  return Array.from({ length: count }, (_, index) => mailboxConfig({ id: `mailbox-${index}`, every }))
}

test('every mailbox is due exactly once in its interval', () => {
  const all = mailboxes(200, '5m')
  const seen = new Map<string, number>()
  for (let number = 1000; number < 1005; number++)
    for (const { id } of dueMailboxes(all, tick(number), TICK_MS)) seen.set(id, (seen.get(id) ?? 0) + 1)

  assert.equal(seen.size, 200)
  assert.ok([...seen.values()].every((times) => times === 1))
})

test('mailboxes with one interval are spread over its ticks', () => {
  const all = mailboxes(1000, '10m')
  for (let number = 0; number < 10; number++) {
    const due = dueMailboxes(all, tick(number), TICK_MS).length
    assert.ok(due > 50 && due < 170, `${due} of 1000 at tick ${number}`)
  }
})

test('an interval shorter than a tick is due at every tick', () => {
  assert.equal(dueMailboxes(mailboxes(3, '10s'), tick(7), TICK_MS).length, 3)
})

test('a tick that comes some seconds late is the same tick', () => {
  const all = mailboxes(100, '5m')
  const late = new Date(tick(1000).getTime() + 59_000)
  assert.deepEqual(dueMailboxes(all, late, TICK_MS), dueMailboxes(all, tick(1000), TICK_MS))
})

test('groups hold at most their size, and everything once, in order', () => {
  assert.deepEqual(groupsOf([1, 2, 3, 4, 5], 2), [[1, 2], [3, 4], [5]])
  assert.deepEqual(groupsOf([], 2), [])
})
