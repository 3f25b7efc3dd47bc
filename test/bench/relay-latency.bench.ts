import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { ImapFlow } from 'imapflow'
import type { Event } from '../../shared/contract/event.ts'
import { CliFolder, jsonLines, startCli } from '../support/cli.ts'
import { startDovecot } from '../support/dovecot.ts'

// From a delivery on a real Dovecot to the event at a consumer, with `mailsluice relay --local` in between, everything on this machine:
// `npx node test/bench/relay-latency.bench.ts [messages] [mean pause in ms]`. Fails when the target is missed: median 1 s, 99th percentile 3 s.

const MESSAGES = Number(process.argv[2] ?? 200)
const PAUSE_MS = Number(process.argv[3] ?? 500)
const TARGET_MS = { median: 1_000, p99: 3_000 }
const USER = 'bench@example.org'

const server = await startDovecot()
const folder = new CliFolder()
folder.write('ca.pem', server.ca)
const config = folder.config('bench.yaml', {
  id: 'bench',
  protocol: 'imap',
  host: 'localhost',
  port: server.ports.imaps,
  ca: './ca.pem',
  user: USER,
  credential: 'env:PASSWORD',
  idle: true,
})
await server.put(USER, 'INBOX', [])
const relay = startCli(['relay', '--config', config, folder.local('bench'), '--json'], {
  PASSWORD: server.password,
})
await relay.until('stdout', /"kind":"connected".*"idle":true/)
const consumer = startCli([
  ...['events', 'receive', '--follow', '--json'],
  ...['--config', config, folder.local('bench')],
])
const eventMs = new Map<string, number>()
let read = 0
consumer.child.stdout?.on('data', () => {
  const text = consumer.stdout()
  const end = text.lastIndexOf('\n') + 1
  for (const event of jsonLines(text.slice(read, end)) as unknown as Event[])
    if ('message' in event.data) eventMs.set(event.data.message.subject ?? '', performance.now())
  read = end
})
const client = new ImapFlow({
  host: 'localhost',
  port: server.ports.imaps,
  secure: true,
  tls: { ca: server.ca },
  auth: { user: USER, pass: server.password },
  logger: false,
})
await client.connect()

const deliveredMs = new Map<string, number>()
for (let number = 0; number < MESSAGES; number++) {
  deliveredMs.set(`${number}`, performance.now())
  await client.append('INBOX', `From: a@example.com\r\nSubject: ${number}\r\n\r\nHello.\r\n`)
  // As people write: at any moment, whenever the last one was.
  await sleep(-Math.log(1 - Math.random()) * PAUSE_MS)
}
while (eventMs.size < MESSAGES) await sleep(20)
for (const each of [relay, consumer]) each.child.kill('SIGTERM')
await Promise.all([relay.ended, consumer.ended])
await client.logout()
await server.stop()
folder.remove()

const latencies = [...deliveredMs]
  .map(([subject, ms]) => (eventMs.get(subject) ?? Infinity) - ms)
  .toSorted((a, b) => a - b)
const part = (share: number): number => latencies[Math.ceil(latencies.length * share) - 1] ?? 0
console.log(
  `${MESSAGES} messages, one in ${PAUSE_MS} ms: median ${part(0.5).toFixed(0)} ms, 95 % ${part(0.95).toFixed(0)} ms, 99 % ${part(0.99).toFixed(0)} ms, longest ${part(1).toFixed(0)} ms`,
)
assert.ok(part(0.5) < TARGET_MS.median, 'the median is above its target')
assert.ok(part(0.99) < TARGET_MS.p99, 'the 99th percentile is above its target')
