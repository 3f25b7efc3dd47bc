import { connect as connectNet, type Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import type { ImapTransport, ImapTransportOptions } from 'imapflow'

// The socket under imapflow, which can be taken from it between two commands. imapflow lets others bring the socket (its option
// `transport`) and reads by piping it into one stream; this is all that is relied on here.

/** The socket while it is taken. Nothing is read from it beyond `readAheadOctets` unless somebody takes it. */
export interface TakenSocket {
  /** What has arrived; undefined when nothing has. */
  read(): Buffer | undefined
  /** Resolves when something has arrived or the connection has ended. One caller at a time. */
  arrival(): Promise<void>
  /** Nothing will arrive any more; what did is still there to `read`. */
  readonly ended: boolean
  write(octets: string): void
  /** Lets imapflow read octets, whole responses only. Resolves when it takes more. */
  pass(octets: Buffer): Promise<void>
  /** imapflow reads again, `unread` first. */
  giveBack(unread: Buffer): void
}

export interface ImapSocket {
  /** For imapflow. One connection. */
  readonly transport: ImapTransport
  /** Resolves when what imapflow has read ends with a line, so that the next octet begins a response, or when nothing will come. */
  lineEnd(): Promise<void>
  /**
   * No command may be in flight. Undefined where imapflow has read half a line. Silence is nobody's failure while it is taken: `idleMs` counts
   * again from `giveBack` on.
   */
  take(readAheadOctets: number, idleMs: number): TakenSocket | undefined
}

const LF = 0x0a

export function imapSocket(): ImapSocket {
  let socket: Socket | undefined
  let reader: Writable | undefined
  let midLine = false

  function watched(opened: Socket): Socket {
    socket = opened
    opened.setNoDelay(true)
    const { pipe } = opened
    opened.pipe = ((destination: Writable, ...more: []) => {
      reader = destination
      opened.on('data', follow)
      return pipe.call(opened, destination, ...more)
    }) as typeof pipe
    return opened
  }

  const follow = (octets: Buffer): void => {
    midLine = octets[octets.length - 1] !== LF
  }

  return {
    transport: {
      connect: (options, onConnect) =>
        watched(
          options.secure
            ? connectTls(destinationOf(options), onConnect)
            : connectNet({ host: options.host, port: options.port }, onConnect),
        ),
      upgrade(plain, options, onSecure) {
        socket?.off('data', follow)
        return watched(connectTls({ ...destinationOf(options), socket: plain }, onSecure))
      },
    },

    async lineEnd() {
      if (midLine && socket && !socket.destroyed) await eventOf(socket, 'data', 'close')
    },

    take(readAheadOctets, idleMs) {
      if (!socket || !reader) throw new TypeError('there is no connection to take')
      return midLine && !socket.destroyed ? undefined : taken(socket, reader, follow, readAheadOctets, idleMs)
    },
  }
}

function destinationOf({ host, port, servername, tls }: ImapTransportOptions) {
  return { host, port, ...(servername === undefined ? {} : { servername }), ...tls }
}

function taken(
  socket: Socket,
  reader: Writable,
  follow: (octets: Buffer) => void,
  readAheadOctets: number,
  idleMs: number,
): TakenSocket {
  const chunks: Buffer[] = []
  let held = 0
  let ended = socket.destroyed || socket.readableEnded
  let wake = (): void => {}
  const arrive = (chunk: Buffer): void => {
    chunks.push(chunk)
    held += chunk.length
    if (held > readAheadOctets) socket.pause()
    wake()
  }
  const end = (): void => {
    ended = true
    wake()
  }
  socket.setTimeout(0)
  socket.unpipe(reader)
  socket.off('data', follow)
  socket.on('data', arrive).once('end', end).once('close', end).resume()

  return {
    read() {
      const chunk = chunks.shift()
      if (!chunk) return undefined
      const before = held
      held -= chunk.length
      if (before > readAheadOctets && held <= readAheadOctets) socket.resume()
      return chunk
    },
    arrival: () =>
      new Promise((resolve) => {
        wake = resolve
        if (chunks.length > 0 || ended) resolve()
      }),
    get ended() {
      return ended
    },
    write(octets) {
      // What cannot be sent any more is told by the answer that does not come.
      if (socket.writable) socket.write(octets, 'latin1')
    },
    async pass(octets) {
      if (!reader.destroyed && !reader.write(octets)) await eventOf(reader, 'drain', 'close')
    },
    giveBack(unread) {
      socket.off('data', arrive).off('end', end).off('close', end).pause()
      if (ended) return
      const all = Buffer.concat([unread, ...chunks])
      if (all.length > 0) socket.unshift(all)
      socket.setTimeout(idleMs)
      socket.pipe(reader)
    },
  }
}

function eventOf(emitter: Socket | Writable, ...names: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      for (const name of names) emitter.off(name, settle)
      resolve()
    }
    for (const name of names) emitter.on(name, settle)
  })
}
