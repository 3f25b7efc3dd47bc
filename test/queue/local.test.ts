import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { connect, createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import {
  LOCAL_CREDENTIALS,
  LOCAL_REGION,
  type LocalQueues,
  openLocalQueues,
} from '../../shared/queue/local.ts'
import { openSqsQueues } from '../../shared/queue/sqs.ts'
import { isCode } from '../contract/archive.ts'
import { event, queueContract } from '../contract/queue.ts'

const QUEUES = { default: 'events', orders: 'events.fifo' }

queueContract(
  'local queues',
  async (queues) => {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-queues-'))
    const opened = await openLocalQueues({ folder: join(folder, 'made', 'on the way'), queues })
    return {
      queues: opened,
      async close() {
        await opened.close()
        await rm(folder, { recursive: true })
      },
    }
  },
  {
    'missing queues': 'it makes those that are configured',
    'several of one group at once': 'fauxqs gives one of a group',
  },
)

queueContract(
  'SQS on the local server',
  async (there, missing) => {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-queues-'))
    const server = await openLocalQueues({ folder, queues: there })
    // As a consumer in another program has them: by URL.
    const urls = await Promise.all(
      Object.keys(there).map(async (name) => [name, (await server.check(name)).url] as const),
    )
    const queues = openSqsQueues({
      queues: { ...Object.fromEntries(urls), ...missing },
      region: LOCAL_REGION,
      credentials: LOCAL_CREDENTIALS,
      endpoint: async () => server.endpoint,
    })
    return {
      queues,
      async close() {
        queues.close()
        await server.close()
        await rm(folder, { recursive: true })
      },
    }
  },
  { 'several of one group at once': 'fauxqs gives one of a group' },
)

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-queues-'))
  after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function open(folder: string): Promise<LocalQueues> {
  const queues = await openLocalQueues({ folder, queues: QUEUES })
  after(() => queues.close())
  return queues
}

/** Receives and removes what is there; the ids. */
async function drained(queues: LocalQueues, queue = 'default'): Promise<string[]> {
  const ids: string[] = []
  while (true) {
    const events = await queues.receive(queue, { waitSeconds: 1, visibilitySeconds: 60 })
    if (events.length === 0) return ids
    for (const { body, remove } of events) {
      ids.push((JSON.parse(body) as { id: string }).id)
      await remove()
    }
  }
}

describe('local queues', () => {
  test('keep their events over a restart, those of a FIFO queue in order', async () => {
    const folder = await temporaryFolder()
    const events = Array.from({ length: 25 }, (_, i) => event(`${i}`))
    const first = await open(folder)
    await first.send('default', events)
    await first.send('orders', events)
    const [taken] = await first.receive('orders', { waitSeconds: 1, visibilitySeconds: 60 })
    await taken?.remove()
    await first.close()

    const second = await open(folder)

    assert.deepEqual((await drained(second)).sort(), events.map(({ id }) => id).sort())
    assert.deepEqual(
      await drained(second, 'orders'),
      events.slice(1).map(({ id }) => id),
    )
  })

  test('are at the same address after a restart, so that what consumers keep stays right', async () => {
    const folder = await temporaryFolder()
    const first = await open(folder)
    const { url } = await first.check('default')
    await first.close()

    const second = await open(folder)

    assert.equal((await second.check('default')).url, url)
  })

  test('are at another address when somebody has taken the port, and found there', async () => {
    const folder = await temporaryFolder()
    const first = await open(folder)
    await first.send('default', [event('one')])
    await first.close()
    const { port } = new URL(first.endpoint)
    const other = createServer().listen(Number(port), '127.0.0.1')
    await once(other, 'listening')
    after(() => other.close())

    const second = await open(folder)
    const joined = await open(folder)

    assert.notEqual(second.endpoint, first.endpoint)
    assert.equal(joined.endpoint, second.endpoint)
    assert.ok((await second.check('default')).url.startsWith(second.endpoint))
    assert.deepEqual(await drained(joined), ['one'])
  })

  test('are named in the configuration by name, URL or ARN, and are here under their name', async () => {
    const queues = await openLocalQueues({
      folder: await temporaryFolder(),
      queues: {
        default: 'arn:aws:sqs:eu-central-1:123456789012:mail',
        orders: 'https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo',
      },
    })
    after(() => queues.close())

    assert.ok((await queues.check('default')).url.endsWith('/mail'))
    assert.deepEqual(
      [(await queues.check('orders')).fifo, (await queues.check('default')).fifo],
      [true, false],
    )
  })

  test('in a folder that is no folder, or that is damaged, are QUEUE_UNAVAILABLE and say where', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'file'), '')
    const inFile = { folder: join(folder, 'file', 'queues'), queues: QUEUES }
    await assert.rejects(openLocalQueues(inFile), (error) => {
      assert.match(String(error), /cannot serve the queues in .*file.queues/)
      return isCode('QUEUE_UNAVAILABLE')(error)
    })

    for (const name of ['lock.sqlite', 'data/fauxqs.db']) {
      const damaged = join(folder, name.replace('/', '-'))
      await (await open(damaged)).close()
      await writeFile(join(damaged, name), 'not a database, and longer than its header would be'.repeat(100))
      for (let time = 0; time < 2; time++)
        await assert.rejects(openLocalQueues({ folder: damaged, queues: QUEUES }), (error) => {
          assert.match(String(error), /cannot serve the queues in .*(lock|data).*damaged/)
          return isCode('QUEUE_UNAVAILABLE')(error)
        })
    }
  })

  test('do not mind what a process that ended has left', async () => {
    const folder = await temporaryFolder()
    await (await open(folder)).close()
    for (const left of [
      '',
      '{"endpoint":',
      '{"endpoint":"http://127.0.0.1:1","instance":"x"}',
      '{"endpoint":7}',
    ]) {
      await writeFile(join(folder, 'endpoint.json'), left)
      await writeFile(join(folder, 'lock.sqlite-journal'), '')
      const queues = await open(folder)
      assert.deepEqual(await queues.send('default', [event('one')]), [{ sent: true }])
      await queues.close()
    }
  })

  test('that are closed while they look for who serves next do not serve for ever', async () => {
    const folder = await temporaryFolder()
    const [first, second] = [await open(folder), await open(folder)]
    await first.close()

    const sending = second.send('default', [event('one')])
    await second.close()
    await sending

    const third = await open(folder)
    await third.close()
  })
})

describe('a folder of local queues', () => {
  test('that two processes use is served by one, and both see the same', async () => {
    const folder = await temporaryFolder()
    const [one, other] = await Promise.all([open(folder), open(folder)])

    await Promise.all([one.send('default', [event('a')]), other.send('default', [event('b')])])

    assert.equal(one.endpoint, other.endpoint)
    assert.deepEqual((await drained(one)).sort(), ['a', 'b'])
  })

  test('is served by the next when the one that serves ends, at the same address', async () => {
    const folder = await temporaryFolder()
    const [first, second] = [await open(folder), await open(folder)]
    await second.send('default', [event('a')])
    await first.close()

    // Many at once, of which one looks for the next.
    const results = await Promise.all(['b', 'c', 'd'].map((id) => second.send('default', [event(id)])))

    assert.deepEqual(results.flat(), [{ sent: true }, { sent: true }, { sent: true }])
    assert.equal(second.endpoint, first.endpoint)
    assert.deepEqual((await drained(await open(folder))).sort(), ['a', 'b', 'c', 'd'])
  })

  test('that was copied is not taken for the one that it was copied from', async () => {
    const [folder, copy] = [await temporaryFolder(), join(await temporaryFolder(), 'copy')]
    const first = await open(folder)
    await cp(folder, copy, { recursive: true })
    // Held by somebody who has yet to say where: what endpoint.json says is of the other folder.
    const lock = new DatabaseSync(join(copy, 'lock.sqlite'))
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    const file = join(copy, 'endpoint.json')
    const told = JSON.parse(await readFile(file, 'utf8')) as object
    await writeFile(file, JSON.stringify({ ...told, instance: 'of the copy' }))

    const opening = open(copy)
    await sleep(500)
    lock.close()
    const opened = await opening

    assert.notEqual(opened.endpoint, first.endpoint)
    await opened.send('default', [event('one')])
    assert.deepEqual(await drained(first), [])
    assert.deepEqual(await drained(opened), ['one'])
  })

  test('loses no event that was sent to processes that serve it and are killed in turn', async () => {
    const folder = await temporaryFolder()
    const script = fileURLToPath(new URL('../support/queue-sender.ts', import.meta.url))
    const sent = new Map<string, string[]>([
      ['default', []],
      ['orders', []],
    ])
    const start = async (name: string): Promise<ChildProcess> => {
      const child = spawn(process.execPath, [script, folder, name], { stdio: ['ignore', 'pipe', 'inherit'] })
      after(() => child.kill('SIGKILL'))
      const lines = createInterface(child.stdout)
      lines.on('line', (line) => {
        const [queue = '', id = ''] = line.split(' ')
        sent.get(queue)?.push(id)
      })
      await once(lines, 'line')
      return child
    }
    // The first one serves, the others use it; killed in this order, each is serving when it dies.
    const senders = [await start('a'), await start('b'), await start('c')]
    for (const sender of senders) {
      await sleep(1000 + Math.random() * 500)
      const before = sent.get('orders')?.length ?? 0
      sender.kill('SIGKILL')
      await once(sender, 'exit')
      // Who is left goes on.
      while (sender !== senders.at(-1) && (sent.get('orders')?.length ?? 0) < before + 10) await sleep(50)
    }

    const queues = await open(folder)

    for (const [queue, ids] of sent) {
      const found = await drained(queues, queue)
      assert.ok(ids.length > 30, `only ${ids.length} events`)
      const missing = ids.filter((id) => !found.includes(id))
      assert.deepEqual(missing, [], `${missing.length} of ${ids.length} events in ${queue} are lost`)
    }
  })
})

describe('a server of local queues', () => {
  test('is reached by loopback alone', async () => {
    const { endpoint } = await open(await temporaryFolder())
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
      const { endpoint } = await open(await temporaryFolder())
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
    const queues = await open(await temporaryFolder())
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
    const queues = await open(await temporaryFolder())
    await queues.send('default', [event('one')])
    const { url: QueueUrl } = await queues.check('default')
    const client = new SQSClient(SDK)
    after(() => client.destroy())

    const { Messages = [] } = await client.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }))

    assert.equal(Messages.length, 1)
  })

  test('gives an event again at once that a consumer hands back', async () => {
    const folder = await temporaryFolder()
    const queues = await open(folder)
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
    assert.deepEqual(await drained(await open(folder)), ['one'])
  })

  test('whose disk is full takes nothing, and keeps what is sent again when it is not', async () => {
    const folder = await temporaryFolder()
    const queues = await open(folder)
    const database = new DatabaseSync(join(folder, 'data', 'fauxqs.db'))
    after(() => database.close())
    database.exec("CREATE TRIGGER full BEFORE INSERT ON sqs_messages BEGIN SELECT RAISE(ABORT, 'full'); END")
    for (const queue of ['default', 'orders']) {
      const [refused] = await queues.send(queue, [event('one')])
      assert.equal(refused?.sent, false)
    }
    database.exec('DROP TRIGGER full')

    for (const queue of ['default', 'orders']) {
      assert.deepEqual(await queues.send(queue, [event('one')]), [{ sent: true }])
      assert.deepEqual(await drained(queues, queue), ['one'])
    }
  })
})

const SDK = { region: LOCAL_REGION, credentials: LOCAL_CREDENTIALS }

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
