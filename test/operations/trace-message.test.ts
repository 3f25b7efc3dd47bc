import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { Sha256 } from '../../shared/contract/ids.ts'
import { openTracer } from '../../shared/operations/trace-message.ts'
import type { EventQueues } from '../../shared/queue/queue.ts'
import { DrainWorld, message } from '../support/drain-world.ts'

const CANARY = message('canary')
const DIGEST = createHash('sha256').update(CANARY).digest('hex') as Sha256

function refusing(world: DrainWorld): EventQueues {
  return {
    ...world.queues,
    send: async (_, events) => events.map(() => ({ sent: false, refused: 'for the moment' })),
  }
}

test('a message is traced from nowhere to its announcement', async () => {
  const world = new DrainWorld()
  const trace = await openTracer(world.archive).begin(world.mailbox.id)
  assert.equal(await trace(DIGEST), 'nowhere')

  world.store.deliver(message('another'))
  await world.drain()
  assert.equal(await trace(DIGEST), 'nowhere')
  world.store.deliver(CANARY)
  await world.drain()

  assert.equal(await trace(DIGEST), 'announced')
  assert.equal(await trace(DIGEST), 'announced')
})

test('a message that no segment names yet is archived and not announced', async () => {
  const world = new DrainWorld()
  const trace = await openTracer(world.archive).begin(world.mailbox.id)
  world.store.deliver(CANARY)
  const seen: string[] = []
  const queues: EventQueues = {
    ...world.queues,
    async send(queue, events) {
      seen.push(await trace(DIGEST))
      return world.queues.send(queue, events)
    },
  }

  await world.drain({}, { queues })

  assert.deepEqual(seen, ['archived'])
  assert.equal(await trace(DIGEST), 'announced')
})

test('a message whose event the queue refused is announced when a later drain has announced it', async () => {
  const world = new DrainWorld()
  const trace = await openTracer(world.archive).begin(world.mailbox.id)
  world.store.deliver(CANARY)
  await world.drain({}, { queues: refusing(world) })
  assert.equal(await trace(DIGEST), 'archived')

  await world.drain()

  assert.equal(await trace(DIGEST), 'announced')
})

test('what is traced reads new segments alone, and no mail', async () => {
  const world = new DrainWorld()
  for (const subject of ['one', 'two', 'three']) {
    world.store.deliver(message(subject))
    await world.drain()
  }
  const read: string[] = []
  const archive = {
    ...world.archive,
    get: (key: Parameters<typeof world.archive.get>[0]) => {
      read.push(key)
      return world.archive.get(key)
    },
  }
  const tracer = openTracer(archive)
  const earlier = await tracer.begin(world.mailbox.id)
  world.store.deliver(CANARY)
  await world.drain()
  await earlier(DIGEST)

  const later = await tracer.begin(world.mailbox.id)

  assert.equal(await later(DIGEST), 'archived')
  assert.deepEqual(read, ['ledger/invoices/0000000004.ndjson'])
})
