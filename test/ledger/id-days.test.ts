import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Uid, Uidl } from '../../shared/contract/ids.ts'
import { countIds, IdDays, idList, readIdList } from '../../shared/ledger/id-days.ts'

const uid = (value: number): Uid => value as Uid
const uidl = (value: string): Uidl => value as Uidl

test('UIDs seen in order become one run a day', () => {
  const ids = new IdDays()
  for (let value = 1; value <= 1000; value++) ids.add(uid(value), 20_000)
  for (let value = 1001; value <= 1500; value++) ids.add(uid(value), 20_001)

  assert.deepEqual(ids.toJSON().uids, [
    [1, 1000, 20_000],
    [1001, 1500, 20_001],
  ])
  assert.equal(ids.size, 1500)
})

test('an id keeps the day on which it became known', () => {
  const ids = new IdDays()
  ids.add(uid(7), 1)
  ids.add(uid(7), 2)
  ids.addRun(5, 9, 3)
  ids.add(uidl('a'), 1)
  ids.add(uidl('a'), 2)

  assert.deepEqual(
    [5, 6, 7, 8, 9, 10].map((value) => ids.dayOf(uid(value))),
    [3, 3, 1, 3, 3, undefined],
  )
  assert.equal(ids.dayOf(uidl('a')), 1)
})

test('whatever is added, run by run and deleted one by one, the ids and their days are those of a plain map', () => {
  const step = fc.record({
    from: fc.integer({ min: 1, max: 40 }),
    length: fc.integer({ min: 1, max: 10 }),
    day: fc.integer({ min: 0, max: 2 }),
    remove: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const ids = new IdDays()
      const plain = new Map<number, number>()
      for (const { from, length, day, remove } of steps) {
        if (remove) {
          ids.delete(uid(from))
          plain.delete(from)
          continue
        }
        ids.addRun(from, from + length - 1, day)
        for (let value = from; value < from + length; value++) if (!plain.has(value)) plain.set(value, day)
      }
      const copy = IdDays.fromJSON(JSON.parse(JSON.stringify(ids)))
      for (const each of [ids, copy]) {
        assert.equal(each.size, plain.size)
        for (let value = 1; value <= 60; value++) assert.equal(each.dayOf(uid(value)), plain.get(value))
      }
      const runs = ids.toJSON().uids
      for (const [index, [from, to, day]] of runs.entries()) {
        const next = runs[index + 1]
        assert.ok(from <= to && (!next || next[0] > to + 1 || (next[0] === to + 1 && next[2] !== day)))
      }
    }),
  )
})

test('UIDLs survive a snapshot with their days, also those named like properties of objects', () => {
  const ids = new IdDays()
  for (const name of ['__proto__', 'constructor', 'x']) ids.add(uidl(name), 5)
  ids.add(uidl('later'), 6)
  ids.delete(uidl('x'))

  const copy = IdDays.fromJSON(JSON.parse(JSON.stringify(ids)))

  assert.deepEqual([...copy.uidls()], ['__proto__', 'constructor', 'later'])
  assert.equal(copy.dayOf(uidl('constructor')), 5)
  assert.equal(copy.dayOf(uidl('later')), 6)
})

test('a list of UIDs is written as a sequence set and read as runs', () => {
  const list = idList([9, 1, 2, 3, 7].map(uid))

  assert.equal(list, '1:3,7,9')
  assert.deepEqual(readIdList(list).runs, [
    [1, 3],
    [7, 7],
    [9, 9],
  ])
  assert.equal(countIds(list), 5)
  assert.equal(countIds(idList([uidl('a'), uidl('b')])), 2)
})
