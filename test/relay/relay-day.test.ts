import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { RELAY } from '../../shared/limits.ts'
import { FastClock } from '../support/fast-clock.ts'
import { startIdleServer } from '../support/idle-server.ts'
import { watched } from '../support/relay-world.ts'
import { SocketRelay } from '../support/socket-relay.ts'

const HOUR = 3_600_000
const MIB = 1024 * 1024

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

test('in a day of IDLE over real sockets renewals happen, sessions end before the server ends them, and nothing leaks', async () => {
  const clock = new FastClock()
  const server = await startIdleServer({ folders: ['INBOX', 'Work', 'Bills'] })
  const [kept, renewed] = [watched({ id: 'kept', folders: ['*'] }), watched({ id: 'renewed' })]
  const relay = new SocketRelay(() => server.port, {
    clock,
    replyMs: 10_000,
    sessionMsOf: ({ id }) => (id === renewed.id ? HOUR : undefined),
  })
  const warnings: string[] = []
  const warned = ({ name, message }: Error): void => void warnings.push(`${name}: ${message}`)
  process.on('warning', warned)
  after(async () => {
    process.off('warning', warned)
    await relay.relay.close()
    await server.close()
  })
  const answered = async (): Promise<void> => {
    do await new Promise((resolve) => setImmediate(resolve))
    while (relay.inFlight > 0)
  }
  const footprint = async () => {
    await server.whenIdling(4)
    collectGarbage()
    return {
      heap: process.memoryUsage().heapUsed,
      sockets: process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length,
      timers: clock.pending,
      connections: server.connections(),
    }
  }

  relay.apply([kept, renewed])
  await clock.pass(HOUR, answered)
  const first = await footprint()
  server.commands.length = 0
  const requests = relay.requests.length
  for (let hour = 1; hour < 24; hour++) {
    await clock.pass(HOUR, answered)
    server.deliver('kept', 'Work')
    server.deliver('renewed')
    await relay.until(() => relay.requests.length === requests + 2 * hour)
  }
  // No request waits for its window any more.
  await clock.pass(60_000, answered)
  const last = await footprint()

  // Every connection says NOOP every four minutes, but for the time of the second clock, which asks in another way.
  const counted = (command: string): number =>
    server.commands.filter((line) => line.startsWith(command)).length
  const proofs = counted('NOOP') + counted('SELECT')
  assert.ok(proofs >= 4 * 23 * (HOUR / RELAY.renewMs), `${proofs} proofs`)
  assert.ok(counted('SELECT') >= 4 * 23 * 3, `${counted('SELECT')} looks`)
  assert.equal(counted('DONE'), counted('IDLE'))
  const logIns = counted('LOGIN')
  assert.ok(logIns >= 23 && logIns <= 30, `${logIns} log-ins`)
  assert.equal(counted('LOGOUT'), logIns)
  assert.deepEqual(
    relay.events.filter(({ kind }) => kind === 'disconnected'),
    [],
  )
  assert.deepEqual({ ...last, heap: 0 }, { ...first, heap: 0 })
  assert.ok(last.heap - first.heap < 4 * MIB, `${(last.heap - first.heap) / MIB} MiB more`)
  assert.deepEqual(warnings, [])
})
