import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { Sha256 } from '../../shared/contract/ids.ts'
import { traceMessage } from '../../shared/operations/trace-message.ts'
import type { EventQueues } from '../../shared/queue/queue.ts'
import { DrainWorld, message } from '../support/drain-world.ts'

test('a message is traced from nowhere to the archive to its announcement', async () => {
  const world = new DrainWorld()
  const octets = message('canary')
  const digest = createHash('sha256').update(octets).digest('hex') as Sha256
  const trace = () => traceMessage(world.mailbox.id, digest, world.archive)
  assert.equal(await trace(), 'nowhere')

  world.store.deliver(message('another'))
  await world.drain()
  assert.equal(await trace(), 'nowhere')
  world.store.deliver(octets)
  await world.drain()

  assert.equal(await trace(), 'announced')
})

test('a message whose event the queue refused is archived and not announced', async () => {
  const world = new DrainWorld()
  const octets = message('canary')
  const digest = createHash('sha256').update(octets).digest('hex') as Sha256
  const queues: EventQueues = {
    ...world.queues,
    send: async (_, events) => events.map(() => ({ sent: false, refused: 'for the moment' })),
  }
  world.store.deliver(octets)

  await world.drain({}, { queues })

  assert.equal(await traceMessage(world.mailbox.id, digest, world.archive), 'archived')
})

test('a message that no segment names yet is archived and not announced', async () => {
  const world = new DrainWorld()
  const octets = message('canary')
  const digest = createHash('sha256').update(octets).digest('hex') as Sha256
  world.store.deliver(octets)
  const seen: string[] = []
  const queues: EventQueues = {
    ...world.queues,
    async send(queue, events) {
      seen.push(await traceMessage(world.mailbox.id, digest, world.archive))
      return world.queues.send(queue, events)
    },
  }

  await world.drain({}, { queues })

  assert.deepEqual(seen, ['archived'])
})
