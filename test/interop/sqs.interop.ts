import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { openSqsQueues, type SqsQueues } from '../../shared/queue/sqs.ts'
import { event, queueContract } from '../contract/queue.ts'
import { ELASTICMQ, elasticmqMissing, type RunningSqs, startElasticmq } from './engines/sqs-engine.ts'

// The SQS adapter on a server that others wrote; what it does differently is in docs/engines.md.

const missing = elasticmqMissing()
if (missing !== undefined) test(`SQS on ${ELASTICMQ}`, { skip: missing }, () => {})
else withElasticmq()

function withElasticmq(): void {
  let running: RunningSqs
  let admin: SQSClient
  let queues: SqsQueues

  async function start(
    there: Readonly<Record<string, string>>,
    others: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    running = await startElasticmq()
    admin = new SQSClient({ ...running, useQueueUrlAsEndpoint: false })
    for (const name of Object.values(there))
      await admin.send(
        new CreateQueueCommand({
          QueueName: name,
          ...(name.endsWith('.fifo') ? { Attributes: { FifoQueue: 'true' } } : {}),
        }),
      )
    queues = openSqsQueues({
      ...running,
      queues: { ...there, ...others },
      endpoint: async () => running.endpoint,
    })
  }

  async function stop(): Promise<void> {
    queues.close()
    admin.destroy()
    await running.stop()
  }

  queueContract(`SQS on ${ELASTICMQ}`, async (there, others) => {
    await start(there, others)
    return { queues, close: stop }
  })

  describe(`SQS on ${ELASTICMQ}`, () => {
    before(() => start({ default: 'events', orders: 'events.fifo' }))
    after(stop)

    async function firstOf(name: string): Promise<Record<string, string>> {
      const { QueueUrl } = await admin.send(new GetQueueUrlCommand({ QueueName: name }))
      const { Messages: [message] = [] } = await admin.send(
        new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5, MessageSystemAttributeNames: ['All'] }),
      )
      return message?.Attributes ?? {}
    }

    test('an event in a standard queue has its mailbox as group, which keeps the queue fair', async () => {
      await queues.send('default', [event('invoices/1')])

      const { MessageGroupId, MessageDeduplicationId } = await firstOf('events')

      assert.deepEqual([MessageGroupId, MessageDeduplicationId], ['invoices', undefined])
    })

    test('an event in a FIFO queue has its mailbox as group and its id for deduplication', async () => {
      await queues.send('orders', [event('invoices/1')])

      const { MessageGroupId, MessageDeduplicationId } = await firstOf('events.fifo')

      assert.deepEqual([MessageGroupId, MessageDeduplicationId], ['invoices', 'invoices/1'])
    })

    test('a queue made by another program is what its attributes say', async () => {
      const { url } = await queues.check('orders')

      const { Attributes } = await admin.send(
        new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['FifoQueue', 'QueueArn'] }),
      )

      assert.deepEqual(Attributes, {
        FifoQueue: 'true',
        QueueArn: 'arn:aws:sqs:us-east-1:000000000000:events.fifo',
      })
    })

    test('events of 6 KB are sent 8 batches at a time', async (t) => {
      const events = Array.from({ length: 5000 }, (_, i) => event(`load/${i}`, 6000))
      const started = performance.now()

      const results = await queues.send('default', events)

      const seconds = (performance.now() - started) / 1000
      t.diagnostic(`${Math.round(events.length / seconds)} events a second`)
      assert.ok(results.every(({ sent }) => sent))
    })
  })
}
