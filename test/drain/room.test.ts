import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Room } from '../../shared/drain/room.ts'

/** Whether a promise is settled after the current turn. */
async function settles(promise: Promise<void>): Promise<boolean> {
  let settled = false
  void promise.then(() => {
    settled = true
  })
  await new Promise(setImmediate)
  return settled
}

test('an entrant waits while the messages inside are as many as may be', async () => {
  const room = new Room(2, 1000)
  await room.enter(1)
  await room.enter(1)
  const third = room.enter(1)
  assert.equal(await settles(third), false)

  room.leave(1)
  assert.equal(await settles(third), true)
})

test('an entrant waits while its octets do not fit beside those inside', async () => {
  const room = new Room(10, 100)
  await room.enter(60)
  await room.enter(30)
  const third = room.enter(20)
  assert.equal(await settles(third), false)

  room.leave(30)
  assert.equal(await settles(third), true)
})

test('a message larger than the room enters when it is empty', async () => {
  const room = new Room(10, 100)
  await room.enter(1)
  const large = room.enter(500)
  assert.equal(await settles(large), false)

  room.leave(1)
  assert.equal(await settles(large), true)
})

test('who waits first enters first, a small message behind a large one too, so that no drain starves another', async () => {
  const room = new Room(10, 100)
  const entered: string[] = []
  const enter = (who: string, octets: number) => room.enter(octets).then(() => entered.push(who))
  await room.enter(60)
  await room.enter(30)
  const waiting = [enter('large', 80), enter('small', 5), enter('last', 15)]
  await new Promise(setImmediate)
  assert.deepEqual(entered, [])

  room.leave(60)
  await new Promise(setImmediate)
  assert.deepEqual(entered, [])

  room.leave(30)
  await new Promise(setImmediate)
  assert.deepEqual(entered, ['large', 'small', 'last'])
  await Promise.all(waiting)
})
