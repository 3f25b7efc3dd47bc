import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { lockFolder } from '../../shared/queue/folder-lock.ts'
import { openLocalQueues } from '../../shared/queue/local.ts'
import { isCode } from '../contract/archive.ts'
import { event } from '../contract/queue.ts'
import { drained, LOCAL_QUEUES, openQueues, temporaryFolder } from '../support/local-queues.ts'

describe('local queues', () => {
  test('keep their events over a restart, those of a FIFO queue in order', async () => {
    const folder = await temporaryFolder()
    const events = Array.from({ length: 25 }, (_, i) => event(`${i}`))
    const first = await openQueues(folder)
    await first.send('default', events)
    await first.send('orders', events)
    const [taken] = await first.receive('orders', { waitSeconds: 1, visibilitySeconds: 60 })
    await taken?.remove()
    await first.close()

    const second = await openQueues(folder)

    assert.deepEqual((await drained(second)).sort(), events.map(({ id }) => id).sort())
    assert.deepEqual(
      await drained(second, 'orders'),
      events.slice(1).map(({ id }) => id),
    )
  })

  test('are at the same address after a restart, so that what consumers keep stays right', async () => {
    const folder = await temporaryFolder()
    const first = await openQueues(folder)
    const { url } = await first.check('default')
    await first.close()

    const second = await openQueues(folder)

    assert.equal((await second.check('default')).url, url)
  })

  test('are at another address when somebody has taken the port, and found there', async () => {
    const folder = await temporaryFolder()
    const first = await openQueues(folder)
    await first.send('default', [event('one')])
    await first.close()
    const { port } = new URL(first.endpoint)
    const other = createServer().listen(Number(port), '127.0.0.1')
    await once(other, 'listening')
    after(() => other.close())

    const second = await openQueues(folder)
    const joined = await openQueues(folder)

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
    const inFile = { folder: join(folder, 'file', 'queues'), queues: LOCAL_QUEUES }
    await assert.rejects(openLocalQueues(inFile), (error) => {
      assert.match(String(error), /cannot serve the queues in .*file.queues/)
      return isCode('QUEUE_UNAVAILABLE')(error)
    })

    for (const name of ['lock.sqlite', 'data/fauxqs.db']) {
      const damaged = join(folder, name.replace('/', '-'))
      await (await openQueues(damaged)).close()
      await writeFile(join(damaged, name), 'not a database, and longer than its header would be'.repeat(100))
      for (let time = 0; time < 2; time++)
        await assert.rejects(openLocalQueues({ folder: damaged, queues: LOCAL_QUEUES }), (error) => {
          assert.match(String(error), /cannot serve the queues in .*(lock|data).*damaged/)
          return isCode('QUEUE_UNAVAILABLE')(error)
        })
    }
  })

  test('do not mind what a process that ended has left', async () => {
    const folder = await temporaryFolder()
    await (await openQueues(folder)).close()
    for (const left of [
      '',
      '{"endpoint":',
      '{"endpoint":"http://127.0.0.1:1","instance":"x"}',
      '{"endpoint":7}',
    ]) {
      await writeFile(join(folder, 'endpoint.json'), left)
      await writeFile(join(folder, 'lock.sqlite-journal'), '')
      const queues = await openQueues(folder)
      assert.deepEqual(await queues.send('default', [event('one')]), [{ sent: true }])
      await queues.close()
    }
  })

  test('that are closed while they look for who serves next do not serve for ever', async () => {
    const folder = await temporaryFolder()
    const [first, second] = [await openQueues(folder), await openQueues(folder)]
    await first.close()
    // As a process has it that never comes up.
    const other = lockFolder(folder)
    const sending = second.send('default', [event('one')])
    await sleep(2000)

    const closing = second.close()
    other?.release()
    await closing
    await sending

    assertFree(folder)
  })

  test('that are closed before they find that nobody serves do not begin to', async () => {
    const folder = await temporaryFolder()
    const [first, second] = [await openQueues(folder), await openQueues(folder)]
    await first.close()

    const sending = second.send('default', [event('one')])
    await second.close()

    assert.equal((await sending)[0]?.sent, false)
    assertFree(folder)
  })
})

describe('a folder of local queues', () => {
  test('listens later where that is asked for: what is sent before is there for who comes then, and for who comes after its end', async () => {
    const folder = await temporaryFolder()
    const open = () => openLocalQueues({ folder, queues: LOCAL_QUEUES, listenAfterMs: 300 })
    const short = await open()
    assert.throws(() => short.endpoint, TypeError)
    assert.deepEqual(await short.send('orders', [event('one')]), [{ sent: true }])
    await short.close()
    assertFree(folder)

    const long = await open()
    after(() => long.close())
    assert.deepEqual(await long.send('orders', [event('two')]), [{ sent: true }])
    const other = await openQueues(folder)
    assert.equal(other.endpoint, long.endpoint)
    assert.deepEqual(await drained(other, 'orders'), ['one', 'two'])
  })

  test('listens at once when its own process receives', async () => {
    const queues = await openLocalQueues({
      folder: await temporaryFolder(),
      queues: LOCAL_QUEUES,
      listenAfterMs: 3_600_000,
    })
    after(() => queues.close())
    await queues.send('default', [event('one')])

    assert.deepEqual(await drained(queues), ['one'])
    assert.match(queues.endpoint, /^http:/)
  })

  test('that two processes use is served by one, and both see the same', async () => {
    const folder = await temporaryFolder()
    const [one, other] = await Promise.all([openQueues(folder), openQueues(folder)])

    await Promise.all([one.send('default', [event('a')]), other.send('default', [event('b')])])

    assert.equal(one.endpoint, other.endpoint)
    assert.deepEqual((await drained(one)).sort(), ['a', 'b'])
  })

  test('is served by the next when the one that serves ends, at the same address', async () => {
    const folder = await temporaryFolder()
    const [first, second] = [await openQueues(folder), await openQueues(folder)]
    await second.send('default', [event('a')])
    await first.close()

    // Many at once, of which one looks for the next.
    const events = Array.from({ length: 30 }, (_, i) => event(`${i}`))
    const results = await Promise.all(events.map((one) => second.send('default', [one])))

    assert.ok(results.flat().every(({ sent }) => sent))
    assert.equal(second.endpoint, first.endpoint)
    assert.deepEqual((await drained(second)).sort(), ['a', ...events.map(({ id }) => id)].sort())
    await second.close()
    assertFree(folder)
  })

  test('that was copied is not taken for the one that it was copied from', async () => {
    const [folder, copy] = [await temporaryFolder(), join(await temporaryFolder(), 'copy')]
    const first = await openQueues(folder)
    await cp(folder, copy, { recursive: true })
    // Held by somebody who has yet to say where: what endpoint.json says is of the other folder.
    const lock = new DatabaseSync(join(copy, 'lock.sqlite'))
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    const file = join(copy, 'endpoint.json')
    const told = JSON.parse(await readFile(file, 'utf8')) as object
    await writeFile(file, JSON.stringify({ ...told, instance: 'of the copy' }))

    const opening = openQueues(copy)
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

    const queues = await openQueues(folder)

    for (const [queue, ids] of sent) {
      const found = await drained(queues, queue)
      assert.ok(ids.length > 30, `only ${ids.length} events`)
      const missing = ids.filter((id) => !found.includes(id))
      assert.deepEqual(missing, [], `${missing.length} of ${ids.length} events in ${queue} are lost`)
    }
  })
})

function assertFree(folder: string): void {
  const lock = lockFolder(folder)
  assert.ok(lock, 'the folder is still served')
  lock.release()
}
