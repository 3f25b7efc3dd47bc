import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RELAY } from '../../shared/limits.ts'
import { openImapWatch } from '../../shared/mailbox/imap-watch.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import { systemClock } from '../../shared/relay/clock.ts'
import type { RelayLimits } from '../../shared/relay/ports.ts'
import { startRelay } from '../../shared/relay.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import { openSuspensions } from '../../shared/suspension.ts'
import { makeAuthority } from '../support/certificates.ts'
import { QUEUES } from '../support/drain-world.ts'
import { accessTo } from '../support/imap-session.ts'
import { watched } from '../support/relay-world.ts'

// What IDLE connections cost the process that holds them: memory for each, processor at rest, renewals included. Over TLS, to a server in another
// process: `npx node test/bench/relay-connections.bench.ts [connections] [seconds at rest]`.

const CONNECTIONS = Number(process.argv[2] ?? 2000)
/** Each connection is renewed once in these. */
const SECONDS = Number(process.argv[3] ?? RELAY.renewMs / 1000)
/** One host, and nobody to be spared. */
const LIMITS: RelayLimits = { ...RELAY, logInGapMs: 1, logInsAtOncePerHost: RELAY.logInsAtOnce }

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

async function memory(): Promise<{ rss: number; heap: number }> {
  for (let round = 0; round < 3; round++) {
    collectGarbage()
    await sleep(200)
  }
  const { rss, heapUsed } = process.memoryUsage()
  return { rss, heap: heapUsed }
}

/** Of the processor, since what was said then. */
function cpuSeconds(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1e6
}

const authority = makeAuthority()
const tls = authority.issue({ names: ['localhost'] })
const program = fileURLToPath(new URL('../support/serve-idle.ts', import.meta.url))
const server = spawn(process.execPath, [program, JSON.stringify({ tls })], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
const port = Number(String((await once(server.stdout, 'data'))[0]))

let requests = 0
const relay = startRelay(
  {
    clock: systemClock,
    random: Math.random,
    openWatch: ({ id, folders }, listener, signal) =>
      openImapWatch(
        accessTo(
          { port },
          { user: id, folders, host: 'localhost', tls: 'implicit', ca: authority.caPem, signal },
        ),
        listener,
      ),
    probe: () => Promise.reject(new TypeError('nothing is polled here')),
    requestDrain: async () => {
      requests++
    },
    suspensions: openSuspensions({
      state: openMemoryState(),
      queues: openMemoryQueues({ queues: QUEUES }),
      credentials: { version: async () => undefined },
    }),
    observe: (event) => {
      if (event.kind === 'disconnected') console.log(`${event.mailbox}: ${event.error.message}`)
    },
  },
  { limits: LIMITS },
)
const example = watched()
const mailboxes = Array.from({ length: CONNECTIONS }, (_, number) => ({
  ...example,
  id: `mailbox-${number}` as typeof example.id,
}))

// One first: what the first connection loads is not what the others cost.
relay.apply(mailboxes.slice(0, 1))
await sleep(1000)
const before = await memory()
const connecting = process.cpuUsage()
const connectingMs = performance.now()
relay.apply(mailboxes)
while (relay.health().some(({ state }) => state !== 'watching')) await sleep(100)
const connectedMs = performance.now() - connectingMs
const connectingCpu = cpuSeconds(connecting)
const after = await memory()

const resting = process.cpuUsage()
await sleep(SECONDS * 1000)
const restingCpu = cpuSeconds(resting)
const later = await memory()

const asked = requests
for (let number = 0; number < CONNECTIONS; number += 10) server.stdin.write(`mailbox-${number}\n`)
const deliveredMs = performance.now()
while (requests < asked + CONNECTIONS / 10) await sleep(5)
const noticedMs = performance.now() - deliveredMs

const leaving = process.cpuUsage()
const leavingMs = performance.now()
await relay.close()
const leftMs = performance.now() - leavingMs
const leavingCpu = cpuSeconds(leaving)
server.stdin.end()

const each = (octets: number): string => `${(octets / 1024 / (CONNECTIONS - 1)).toFixed(0)} KiB`
const whole = (octets: number): string => `${(octets / 1024 / 1024).toFixed(0)} MiB`
console.log(
  [
    `${CONNECTIONS} connections made in ${(connectedMs / 1000).toFixed(1)} s, ${connectingCpu.toFixed(1)} s of a processor`,
    `memory for each ${each(after.rss - before.rss)} (heap ${each(after.heap - before.heap)}), in all ${whole(after.rss)}; of one connection ${whole(before.rss)}`,
    `at rest for ${SECONDS} s: ${((restingCpu / SECONDS) * 100).toFixed(1)} % of a processor, ${((CONNECTIONS * SECONDS * 1000) / RELAY.renewMs).toFixed(0)} renewals; then memory for each ${each(later.rss - before.rss)}, in all ${whole(later.rss)}`,
    `${CONNECTIONS / 10} arrivals at once: all asked for after ${noticedMs.toFixed(0)} ms`,
    `signed out everywhere in ${(leftMs / 1000).toFixed(1)} s, ${leavingCpu.toFixed(1)} s of a processor`,
  ].join('\n'),
)
