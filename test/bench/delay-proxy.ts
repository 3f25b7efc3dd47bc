import { connect, createServer, type Socket } from 'node:net'

// A process of its own that adds a round-trip time to connections to this machine, and nothing else: `delay-proxy.ts ROUND_TRIP_MS PORT…`.
// Prints, as JSON, a port for each of those given; ends when its standard input does.

const [roundTripMs = 0, ...targets] = process.argv.slice(2).map(Number)
const ONE_WAY_MS = roundTripMs / 2
const STEP_MS = 1
/** Timers have steps of a millisecond: what is due within half of one goes now, so that the mean is right. */
const EARLY_MS = 0.5
/** More than any window: the link has latency and no limit on its rate. */
const HELD_OCTETS = 256 * 1024 * 1024

interface Held {
  /** Undefined: the end. */
  readonly octets: Buffer | undefined
  readonly dueMs: number
}

function carry(from: Socket, to: Socket): void {
  const held: Held[] = []
  let octetsHeld = 0
  let timer: NodeJS.Timeout | undefined
  let blocked = false

  function deliver(): void {
    timer = undefined
    const nowMs = performance.now() + EARLY_MS
    let sent = 0
    to.cork()
    for (; sent < held.length && !blocked; sent++) {
      const { octets, dueMs } = held[sent] as Held
      if (dueMs > nowMs) break
      if (octets === undefined) to.end()
      else {
        octetsHeld -= octets.length
        blocked = !to.write(octets)
      }
    }
    to.uncork()
    held.splice(0, sent)
    if (octetsHeld < HELD_OCTETS && !resting) from.resume()
    const [next] = held
    if (next && !blocked) timer = setTimeout(deliver, Math.max(0, Math.round(next.dueMs - performance.now())))
  }

  function hold(octets: Buffer | undefined): void {
    held.push({ octets, dueMs: performance.now() + ONE_WAY_MS })
    octetsHeld += octets?.length ?? 0
    if (octetsHeld >= HELD_OCTETS) from.pause()
    if (!timer && !blocked) timer = setTimeout(deliver, Math.round(ONE_WAY_MS))
  }

  // All that has come meanwhile is read in one go: to be woken for each record of TLS took as much of the processor as the client that is measured.
  let resting = false
  from.on('data', (octets: Buffer) => {
    hold(octets)
    if (resting) return
    resting = true
    setImmediate(() => {
      from.pause()
      setTimeout(() => {
        resting = false
        if (octetsHeld < HELD_OCTETS) from.resume()
      }, STEP_MS)
    })
  })
  from.on('end', () => hold(undefined))
  from.on('error', () => hold(undefined))
  to.on('drain', () => {
    blocked = false
    if (!timer) deliver()
  })
  to.on('close', () => {
    clearTimeout(timer)
    from.destroy()
  })
}

async function portTo(target: number): Promise<number> {
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
    client.on('error', () => {})
    // The handshake of TCP, which this machine does at once.
    setTimeout(() => {
      const there = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      there.on('error', () => client.destroy())
      there.on('connect', () => {
        carry(client, there)
        carry(there, client)
        client.resume()
      })
    }, roundTripMs)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

console.log(JSON.stringify(await Promise.all(targets.map(portTo))))
process.stdin.on('end', () => process.exit()).resume()
