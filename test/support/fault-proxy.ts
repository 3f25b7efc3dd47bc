import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

/** Stands between a client and a server on this machine, and does what networks do. Octets pass unchanged, TLS or not. */
export interface FaultProxy {
  readonly port: number
  /** Connections that are open on the side of the client. */
  connections(): number
  /** Nothing passes any more on the connections that are there, and neither side is told: as after a NAT gateway has forgotten them. */
  freeze(): void
  /** Both sides are reset. */
  drop(): void
  /** The client is told that the server has ended; what the client says then goes nowhere. */
  halfClose(): void
  /** Octets to the client come later by so much, on every connection from now on; 0 ends it. */
  delay(milliseconds: number): void
  /** Whoever connects is reset; false lets them in again. */
  refuse(on: boolean): void
  close(): Promise<void>
}

/** One of each, in turn; whoever causes one ends delay and refusal again. */
export function faultsOf(proxy: FaultProxy): readonly (() => void)[] {
  return [
    () => proxy.freeze(),
    () => proxy.drop(),
    () => proxy.halfClose(),
    () => proxy.delay(100),
    () => {
      proxy.refuse(true)
      proxy.drop()
    },
  ]
}

export async function startFaultProxy(target: { readonly port: number }): Promise<FaultProxy> {
  const pairs = new Set<Pair>()
  let delayMs = 0
  let refused = false

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    if (refused) {
      client.resetAndDestroy()
      return
    }
    const server = connect({ port: target.port, host: '127.0.0.1', allowHalfOpen: true })
    const pair = { client, server }
    pairs.add(pair)
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.setNoDelay(true)
      from.on('error', () => {})
      const later = (work: () => void): void => {
        if (delayMs > 0 && from === server) setTimeout(work, delayMs)
        else work()
      }
      from.on('data', (octets) => later(() => to.writable && to.write(octets)))
      from.on('end', () => later(() => to.end()))
      from.on('close', () => {
        to.destroy()
        pairs.delete(pair)
      })
    }
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')

  const each = (fault: (pair: Pair) => void): void => {
    for (const pair of pairs) fault(pair)
  }
  return {
    port: (listener.address() as AddressInfo).port,
    connections: () => pairs.size,
    freeze: () =>
      each(({ client, server }) => {
        // What is sent is taken and forgotten: the kernel of the proxy answers for a peer that is not there.
        client.removeAllListeners('data').resume()
        server.removeAllListeners('data').resume()
        client.removeAllListeners('end')
        server.removeAllListeners('end')
      }),
    drop: () =>
      each(({ client, server }) => {
        client.resetAndDestroy()
        server.resetAndDestroy()
      }),
    halfClose: () =>
      each(({ client, server }) => {
        client.removeAllListeners('data').resume()
        server.removeAllListeners('data').resume()
        client.end()
      }),
    delay(milliseconds) {
      delayMs = milliseconds
    },
    refuse(on) {
      refused = on
    },
    async close() {
      each(({ client, server }) => {
        client.destroy()
        server.destroy()
      })
      listener.close()
      await once(listener, 'close')
    },
  }
}
