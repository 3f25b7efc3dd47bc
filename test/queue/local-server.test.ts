import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, test } from 'node:test'
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { IngestError } from '../../shared/errors.ts'
import { LOCAL_CREDENTIALS, LOCAL_REGION, type LocalQueues } from '../../shared/queue/local.ts'
import type { EventQueues } from '../../shared/queue/queue.ts'
import { openSqsQueues } from '../../shared/queue/sqs.ts'
import { event } from '../contract/queue.ts'
import { drained, openQueues, temporaryFolder } from '../support/local-queues.ts'

const SDK = { region: LOCAL_REGION, credentials: LOCAL_CREDENTIALS }

describe('a server of local queues', () => {
  test('is reached by loopback alone', async () => {
    const { endpoint } = await openQueues(await temporaryFolder())
    const port = Number(new URL(endpoint).port)
    assert.equal(await reached(port, '127.0.0.1'), true)

    const addresses = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .filter(({ internal }) => !internal)
      .map(({ address, scopeid }) => (scopeid ? `${address}%${scopeid}` : address))
    // What listens on every interface is reached by every address of 127.0.0.0/8.
    for (const address of [...addresses, '127.0.0.2', '::1'])
      assert.equal(await reached(port, address), false, address)
  })

  for (const [host, status] of Object.entries({
    '127.0.0.1': 200,
    '[::1]': 200,
    localhost: 200,
    'sqs.us-east-1.localhost': 200,
    'host.docker.internal': 200,
    'mail.evil.example': 403,
    '127.0.0.1.evil.example': 403,
    'localhost.evil.example': 403,
  }))
    test(`${status === 200 ? 'answers' : 'refuses'} who calls it ${host}`, async () => {
      const { endpoint } = await openQueues(await temporaryFolder())
      const { port } = new URL(endpoint)

      const asked = request(endpoint, {
        method: 'POST',
        headers: {
          host: `${host}:${port}`,
          'content-type': 'application/x-amz-json-1.0',
          'x-amz-target': 'AmazonSQS.ListQueues',
        },
      }).end('{}')
      const [answer] = (await once(asked, 'response')) as [IncomingMessage]

      answer.resume()
      assert.equal(answer.statusCode, status)
    })

  test('serves a consumer with nothing but the SDK and what it says of itself', async () => {
    const queues = await openQueues(await temporaryFolder())
    await queues.send('default', [event('one')])
    const client = new SQSClient({ ...SDK, endpoint: queues.endpoint })
    after(() => client.destroy())

    const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: 'events' }))
    const { Messages: [message] = [] } = await client.send(
      new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }),
    )
    await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }))

    assert.equal(message?.Body, event('one').body)
    assert.equal(QueueUrl, (await queues.check('default')).url)
    assert.deepEqual(await drained(queues), [])
  })

  test('names queues by a URL that an SDK reaches without an endpoint', async () => {
    const queues = await openQueues(await temporaryFolder())
    await queues.send('default', [event('one')])
    const { url: QueueUrl } = await queues.check('default')
    const client = new SQSClient(SDK)
    after(() => client.destroy())

    const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }))

    assert.equal(Messages.length, 1)
  })

  test('gives an event again at once that a consumer hands back', async () => {
    const folder = await temporaryFolder()
    const queues = await openQueues(folder)
    for (const queue of ['default', 'orders']) {
      await queues.send(queue, [event('one')])
      const { url: QueueUrl } = await queues.check(queue)
      const client = new SQSClient({ ...SDK, endpoint: queues.endpoint })
      after(() => client.destroy())
      const { Messages: [message] = [] } = await client.send(
        new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }),
      )

      await client.send(
        new ChangeMessageVisibilityCommand({
          QueueUrl,
          ReceiptHandle: message?.ReceiptHandle,
          VisibilityTimeout: 0,
        }),
      )

      const [again] = await queues.receive(queue, { waitSeconds: 5, visibilitySeconds: 0 })
      assert.equal(again?.body, event('one').body)
      assert.equal(again.receiveCount, 2)
    }
    await queues.close()
    assert.deepEqual(await drained(await openQueues(folder)), ['one'])
  })

  for (const [who, sender] of [
    ['its own process', async (queues: LocalQueues): Promise<EventQueues> => queues],
    ['another one', openAtEndpoint],
  ] as const) {
    test(`whose disk is full takes nothing from ${who}, and keeps what is sent again when it is not`, async () => {
      const folder = await temporaryFolder()
      const queues = await openQueues(folder)
      const { send } = await sender(queues)
      const database = new DatabaseSync(join(folder, 'data', 'fauxqs.db'))
      after(() => database.close())
      database.exec(
        "CREATE TRIGGER full BEFORE INSERT ON sqs_messages BEGIN SELECT RAISE(ABORT, 'full'); END",
      )
      for (const queue of ['default', 'orders']) {
        const [refused] = await send(queue, [event('one')])
        assert.equal(refused?.sent, false)
      }
      database.exec('DROP TRIGGER full')

      for (const queue of ['default', 'orders']) {
        assert.deepEqual(await send(queue, [event('one')]), [{ sent: true }])
        assert.deepEqual(await drained(queues, queue), ['one'])
      }
    })

    test(`keeps all of a batch of ${who} or nothing: what was on its way when the disk was full is kept when it is sent again`, async () => {
      const folder = await temporaryFolder()
      const queues = await openQueues(folder)
      const { send } = await sender(queues)
      const batch = ['one', 'two', 'three'].map((id) => event(id))
      const database = new DatabaseSync(join(folder, 'data', 'fauxqs.db'))
      after(() => database.close())
      database.exec(
        `CREATE TRIGGER full BEFORE INSERT ON sqs_messages WHEN (SELECT count(*) FROM sqs_messages) = 2
         BEGIN SELECT RAISE(ABORT, 'full'); END`,
      )
      const kept = () => database.prepare('SELECT count(*) AS kept FROM sqs_messages').get()?.kept
      for (const queue of ['default', 'orders']) {
        const refused = await send(queue, batch)
        assert.deepEqual(
          refused.map(({ sent }) => sent),
          [false, false, false],
        )
        assert.equal(kept(), 0)
      }
      database.exec('DROP TRIGGER full')

      for (const queue of ['default', 'orders']) await send(queue, batch)
      assert.equal(kept(), 6)
    })
  }

  test('brings the batches that its own process sends in one go to the disk together', async (t) => {
    const queues = await openQueues(await temporaryFolder())
    await queues.send('default', [event('first')])
    const commits = t.mock.method(DatabaseSync.prototype, 'exec')

    await Promise.all(Array.from({ length: 8 }, (_, n) => queues.send('default', [event(`${n}`)])))

    assert.deepEqual(
      commits.mock.calls.map((call) => call.arguments[0]),
      ['BEGIN', 'COMMIT'],
    )
    assert.equal((await drained(queues)).length, 9)
  })

  test('says of a batch that it does not take what SQS says', async () => {
    const queues = await openQueues(await temporaryFolder())
    await fetch(queues.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.DeleteQueue' },
      body: JSON.stringify({ QueueUrl: (await queues.check('default')).url }),
    })

    await assert.rejects(queues.send('default', [event('one')]), (error) => {
      assert.ok(error instanceof IngestError)
      assert.equal(error.code, 'QUEUE_MISSING')
      return true
    })
  })
})

/** As another process that uses the same folder sends. */
async function openAtEndpoint({ endpoint, check }: LocalQueues): Promise<EventQueues> {
  const urls = ['default', 'orders'].map(async (name) => [name, (await check(name)).url] as const)
  const queues = openSqsQueues({
    queues: Object.fromEntries(await Promise.all(urls)),
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    endpoint: async () => endpoint,
  })
  after(() => queues.close())
  return queues
}

async function reached(port: number, address: string): Promise<boolean> {
  const socket = connect({ port, host: address, timeout: 2000 })
  try {
    await Promise.race([
      once(socket, 'connect'),
      once(socket, 'timeout').then(() => Promise.reject(new Error('no answer'))),
    ])
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
