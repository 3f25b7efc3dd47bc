import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ImapFlow } from 'imapflow'
import type { Event } from '../../shared/contract/event.ts'
import { CliFolder, type CliProcess, jsonLines, startCli } from '../support/cli.ts'
import { available, startDovecot } from '../support/dovecot.ts'
import { type FaultProxy, faultsOf, startFaultProxy } from '../support/fault-proxy.ts'
import { LocalWorld } from '../support/local-world.ts'
import type { MailServer } from '../support/mail-server.ts'
import { RelayOn } from '../support/relay-on.ts'
import { letter, newUser } from './mail-servers.ts'

// The relay against a real Dovecot, drains included: from a delivery to the event on the queue.

const missing = available()
if (missing !== undefined) test('the relay on Dovecot', { skip: missing }, () => {})
else
  describe('the relay on Dovecot', () => {
    let server: MailServer
    const folder = new CliFolder()
    const closing: (() => unknown)[] = []
    before(async () => {
      server = await startDovecot()
      folder.write('ca.pem', server.ca)
    })
    after(async () => {
      for (const close of closing.reverse()) await close()
      await server.stop()
      folder.remove()
    })

    function config(name: string, user: string, more: object = {}): string {
      return folder.config(`${name}.yaml`, {
        id: name,
        protocol: 'imap',
        host: 'localhost',
        port: server.ports.imaps,
        ca: './ca.pem',
        user,
        credential: 'env:PASSWORD',
        idle: true,
        ...more,
      })
    }
    function start(name: string, file: string): CliProcess {
      const process = startCli(['relay', '--config', file, folder.local(name), '--json'], {
        PASSWORD: server.password,
      })
      closing.push(async () => {
        process.child.kill('SIGKILL')
        await process.ended
      })
      return process
    }
    /** Another client of the mailbox, who puts messages into it. */
    async function client(user: string): Promise<ImapFlow> {
      const client = new ImapFlow({
        host: 'localhost',
        port: server.ports.imaps,
        secure: true,
        tls: { ca: server.ca },
        auth: { user, pass: server.password },
        logger: false,
      })
      client.on('error', () => {})
      await client.connect()
      closing.push(() => client.close())
      return client
    }

    test('mail that another client puts into a mailbox is on the queue moments later, each message once', async () => {
      const user = newUser()
      await server.put(user, 'INBOX', [])
      const file = config('latency', user)
      const relay = start('latency', file)
      await relay.until('stdout', /"kind":"connected".*"idle":true/)
      const consumer = startCli([
        'events',
        'receive',
        '--follow',
        '--json',
        '--config',
        file,
        folder.local('latency'),
      ])
      closing.push(async () => {
        consumer.child.kill('SIGKILL')
        await consumer.ended
      })
      const deliverer = await client(user)
      const deliveredMs = new Map<string, number>()
      const eventMs = new Map<string, number>()
      consumer.child.stdout?.on('data', () => {
        for (const event of jsonLines(wholeLines(consumer.stdout())) as unknown as Event[]) {
          const subject = 'message' in event.data ? event.data.message.subject : undefined
          if (subject !== undefined && !eventMs.has(subject)) eventMs.set(subject, performance.now())
        }
      })

      for (let number = 0; number < 60; number++) {
        deliveredMs.set(`letter ${number}`, performance.now())
        await deliverer.append('INBOX', letter(number))
        await sleep(Math.random() * 800)
      }
      while (eventMs.size < deliveredMs.size) await sleep(20)
      relay.child.kill('SIGTERM')
      const { status } = await relay.ended

      const latencies = [...deliveredMs]
        .map(([subject, ms]) => (eventMs.get(subject) ?? Infinity) - ms)
        .toSorted((a, b) => a - b)
      const part = (share: number): number =>
        Math.round(latencies[Math.ceil(latencies.length * share) - 1] ?? 0)
      console.log(`delivery to event: median ${part(0.5)} ms, 99th percentile ${part(0.99)} ms`)
      assert.equal(status, 0)
      const ids = jsonLines(wholeLines(consumer.stdout())).map(({ id }) => id)
      assert.equal(ids.length, 60)
      assert.equal(new Set(ids).size, 60)
    })

    test('mail that came while the relay was killed is announced when it is back', async () => {
      const user = newUser()
      await server.put(user, 'INBOX', [letter(1)])
      const file = config('killed', user)
      const first = start('killed', file)
      await first.until('stdout', /"kind":"drained".*"announced":1/)
      first.child.kill('SIGKILL')
      await first.ended

      await server.put(user, 'INBOX', [letter(2)])
      const second = start('killed', file)

      await second.until('stdout', /"kind":"drained".*"announced":1/)
    })

    test('a message that is delivered into a folder of its own Maildir is noticed there', async () => {
      const user = newUser()
      await server.put(user, 'INBOX', [])
      await server.put(user, 'Work/Bills', [])
      const relay = start('folders', config('folders', user, { folders: ['INBOX', 'Work*'] }))
      await relay.until(
        'stdout',
        /"kind":"connected","folder":"Work\/Bills"|"folder":"Work\/Bills","idle":true/,
      )

      await server.put(user, 'Work/Bills', [letter(1)])

      await relay.until('stdout', /"folder":"Work\/Bills","reason":"arrival"/)
      await relay.until('stdout', /"kind":"drained".*"announced":1/)
    })

    test('a canary flies from its folder to the queue, and leaves the folder empty', async () => {
      const user = newUser()
      await server.put(user, 'INBOX', [])
      await server.put(user, 'Canary', [])
      const world = await LocalWorld.open(server, user)
      closing.push(() => world.close())
      const relay = new RelayOn(world, {
        folders: ['INBOX', 'Canary'],
        canary: { folder: 'Canary', every: '1s' },
      })
      closing.push(() => relay.close())

      await relay.until(() => relay.events.some(({ kind }) => kind === 'canary'))

      const [canary] = relay.events.flatMap((event) => (event.kind === 'canary' ? [event] : []))
      assert.equal(canary?.error, undefined)
      const { noticedMs, requestedMs, archivedMs, announcedMs } = canary?.times ?? {}
      for (const ms of [noticedMs, requestedMs, archivedMs, announcedMs]) assert.ok(ms !== undefined)
      assert.deepEqual(await server.files(user, 'Canary'), [])
      const [event] = await world.takeEvents()
      assert.ok(event && 'message' in event.data)
      assert.equal(event.data.message.headers['mailsluice-canary']?.length, 1)
      await relay.close()
    })

    test('every message that is delivered during twenty faults of the network is announced, once', async () => {
      const user = newUser()
      await server.put(user, 'INBOX', [letter(0)])
      const proxy: FaultProxy = await startFaultProxy({ port: server.ports.imaps })
      const world = await LocalWorld.open(server, user)
      closing.push(
        () => proxy.close(),
        () => world.close(),
      )
      const relay = new RelayOn(world, { port: proxy.port })
      closing.push(() => relay.close())
      await relay.until(() => relay.announced === 1)
      const faults = faultsOf(proxy)

      for (let number = 1; number <= 20; number++) {
        // A drain that is frozen waits for a minute, and there is nothing to learn from that.
        await relay.until(() => relay.draining === 0 && relay.watching)
        faults[number % faults.length]?.()
        await server.put(user, 'INBOX', [letter(number)])
        await sleep(200)
        proxy.refuse(false)
        await relay.until(() => relay.announced === number + 1)
        proxy.delay(0)
      }
      await relay.close()

      const events = await world.takeEvents()
      assert.equal(events.length, 21)
      assert.equal(new Set(events.map(({ id }) => id)).size, 21)
      await world.verify()
    })
  })

/** What is not complete yet is not JSON yet. */
function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1)
}
