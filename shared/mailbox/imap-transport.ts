import { connect as connectNet, type OnReadOpts, type Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { connect as connectTls, TLSSocket } from 'node:tls'
import type { ImapTransport } from 'imapflow'
import type { MailboxAccess } from './mailbox.ts'
import { ReadAhead } from './read-ahead.ts'
import { bareHost, tlsOptions } from './tls.ts'

// The socket under imapflow. We open it and sign in on it; imapflow gets it as a connection that begins signed in (PREAUTH; RFC 9051, 7.1.4),
// and it can be taken from it between two commands. imapflow lets others bring the socket (its option `transport`), writes to it, and reads by
// piping it into one stream; this is all that is relied on here.

/** The socket while it is taken. Nothing is read from it beyond `readAheadOctets` unless somebody takes it. */
export interface TakenSocket {
  /** What has arrived, lent until the next call; undefined when nothing has. */
  read(): Buffer | undefined
  /**
   * What arrives next goes to `memory` and nowhere before. Resolves to how many octets did: when it is full, when the connection has ended, or when
   * some have come and `afterMs` are over. What had arrived before has to be read first.
   */
  fill(memory: Buffer, afterMs: number): Promise<number>
  /** Resolves when something has arrived or the connection has ended. One caller at a time. */
  arrival(): Promise<void>
  /** Nothing will arrive any more; what did is still there to `read`. */
  readonly ended: boolean
  write(octets: string): void
  /** Writes the last that will be said. The process may end before it is answered. */
  part(octets: string): void
  /** What imapflow writes next goes between the two, in one piece. `behind` where that is a whole command: one without a literal. */
  surround(before: string, behind: string): Surrounding
  /** Lets imapflow read octets, whole responses only. Resolves when it takes more. */
  pass(octets: Buffer): Promise<void>
  /** imapflow reads again, `unread` first. */
  giveBack(unread: Buffer): void
}

export interface Surrounding {
  /** Resolves when imapflow has written. */
  readonly written: Promise<void>
  cancel(): void
}

export interface ImapSocket {
  /** `none` without TLS. */
  readonly tls: string
  readonly certificateSha256: string | undefined
  /** Resolves when what imapflow has read ends with a line, so that the next octet begins a response, or when nothing will come. */
  lineEnd(): Promise<void>
  /**
   * No command may be in flight. Undefined where imapflow has read half a line. Silence is nobody's failure while it is taken: `idleMs` counts
   * again from `giveBack` on.
   */
  take(readAheadOctets: number, idleMs: number): TakenSocket | undefined
  /** Shakes hands (STARTTLS; RFC 9051, 6.2.1). Nothing may have arrived that was not read. It is another socket from then on, and is not taken. */
  startTls(access: MailboxAccess): Promise<void>
  /**
   * For imapflow: the connection as it stands, taken and nothing under way, with `capabilities`. What imapflow asks first is answered here: it
   * wants to know the prefix of a namespace, which we never want it to add.
   */
  introduce(taken: TakenSocket, unread: Buffer, capabilities: readonly string[]): ImapTransport
  destroy(): void
}

const LF = 0x0a
/** A record of TLS has no more (RFC 8446, 5.1). */
const RECORD_OCTETS = 16 * 1024
/** By which imapflow asks for the prefix, as the server can. */
const ROOT = /^(\S+) (?:NAMESPACE|LIST "" "")\r\n$/
/** What may stand in a response code without being quoted. */
const ATOM = /^[\w!#$&'+,\-./:;<=>?@^`|~]+$/

/** Connects, and with `tls: implicit` shakes hands. Rejects with what the socket fails with, then and later told to `failed`. */
export async function openImapSocket(
  access: MailboxAccess,
  failed: (error: Error) => void,
  opened: (destroy: () => void) => void,
): Promise<ImapSocket> {
  const address = { host: bareHost(access.host), port: access.port }
  const holder: Holder = { arrive: undefined }
  let socket: Socket = access.tls === 'implicit' ? connectOverTls(access, holder) : connectNet(address)
  let reader: Writable | undefined
  let midLine = false
  opened(() => socket.destroy())
  await settled(socket, access.tls === 'implicit' ? 'secureConnect' : 'connect', failed)
  socket.setNoDelay(true)

  const follow = (octets: Buffer): void => {
    midLine = octets[octets.length - 1] !== LF
  }

  return {
    get tls() {
      return socket instanceof TLSSocket ? (socket.getProtocol() ?? 'TLS') : 'none'
    },
    get certificateSha256() {
      if (!(socket instanceof TLSSocket)) return undefined
      return socket.getPeerCertificate().fingerprint256?.replaceAll(':', '').toLowerCase()
    },

    async lineEnd() {
      if (midLine && !socket.destroyed) await eventOf(socket, 'data', 'close')
    },

    take(readAheadOctets, idleMs) {
      if (midLine && !socket.destroyed) return undefined
      return taken(socket, holder, () => reader, follow, readAheadOctets, idleMs)
    },

    async startTls(again) {
      socket = connectTls({ socket, ...tlsOptions(again) })
      await settled(socket, 'secureConnect', failed)
    },

    introduce(held, unread, capabilities) {
      const { pipe, write } = socket
      const known = capabilities.filter((name) => name !== 'ID' && ATOM.test(name))
      const say = (text: string): void => void reader?.write(text, 'latin1')
      socket.pipe = ((destination: Writable) => {
        reader = destination
        socket.pipe = ((again: Writable) => pipe.call(socket.on('data', follow), again)) as typeof pipe
        say(`* PREAUTH [CAPABILITY ${known.join(' ')}] signed in\r\n`)
        return destination
      }) as typeof pipe
      socket.write = ((octets: Buffer) => {
        socket.write = write
        const [, tag = ''] = ROOT.exec(octets.toString('latin1')) ?? []
        if (tag !== '')
          say(`* NAMESPACE (("" "/")) NIL NIL\r\n* LIST (\\Noselect) "/" ""\r\n${tag} OK done\r\n`)
        held.giveBack(unread)
        return tag !== '' || write.call(socket, octets)
      }) as typeof write
      return {
        connect(_, onConnect) {
          setImmediate(onConnect)
          return socket
        },
      }
    },

    destroy: () => socket.destroy(),
  }
}

/** Resolves with `event`; an error before it rejects, and each one is told to `failed`: without a listener it would end the process. */
function settled(
  socket: Socket,
  event: 'connect' | 'secureConnect',
  failed: (error: Error) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', (error) => {
      failed(error)
      reject(error)
    })
    socket.once('close', () =>
      reject(Object.assign(new Error('Connection closed'), { code: 'NoConnection' })),
    )
    socket.once(event, resolve)
  })
}

/** Whoever has taken the socket. */
interface Holder {
  /** What comes is lent to it until it returns. */
  arrive: ((octets: Buffer) => void) | undefined
}

/**
 * Node reads into the same memory each time instead of making a Buffer for each record of TLS: thousands a second. While nobody holds the socket it is a
 * stream like any other.
 */
function connectOverTls(access: MailboxAccess, holder: Holder): TLSSocket {
  const buffer = Buffer.allocUnsafeSlow(RECORD_OCTETS)
  const onread: OnReadOpts = {
    buffer,
    callback(octets) {
      const read = buffer.subarray(0, octets)
      // What the stream holds from before comes first.
      if (!holder.arrive || socket.readableLength > 0) return socket.push(Buffer.from(read))
      holder.arrive(read)
      return true
    },
  }
  const socket = connectTls({ port: access.port, ...tlsOptions(access), ...{ onread } })
  return socket
}

function taken(
  socket: Socket,
  holder: Holder,
  readerNow: () => Writable | undefined,
  follow: (octets: Buffer) => void,
  readAheadOctets: number,
  idleMs: number,
): TakenSocket {
  const arrived = new ReadAhead()
  let ended = socket.destroyed || socket.readableEnded
  let wake = (): void => {}
  let waking: NodeJS.Immediate | undefined
  let filling: { readonly memory: Buffer; octets: number; readonly untilMs: number } | undefined
  const arrive = (octets: Buffer): void => {
    const rest = filling ? fill(filling, octets) : octets
    if (rest.length === 0) return
    arrived.add(rest)
    if (arrived.octets > readAheadOctets) socket.pause()
    // Many records come out of one read of the socket: who waits is woken for all of them.
    waking ??= setImmediate(() => {
      waking = undefined
      wake()
    })
  }
  const fill = (into: NonNullable<typeof filling>, octets: Buffer): Buffer => {
    const { memory, untilMs } = into
    const taking = octets.subarray(0, memory.length - into.octets)
    memory.set(taking, into.octets)
    into.octets += taking.length
    const isFull = into.octets === memory.length
    if (isFull || performance.now() > untilMs) {
      filling = undefined
      wake()
    }
    return octets.subarray(taking.length)
  }
  const end = (): void => {
    ended = true
    filling = undefined
    wake()
  }
  const reader = readerNow()
  socket.setTimeout(0)
  if (reader) socket.unpipe(reader)
  socket.off('data', follow)
  holder.arrive = arrive
  socket.on('data', arrive).once('end', end).once('close', end).resume()

  return {
    read() {
      const octets = arrived.take()
      if (octets && octets.length > readAheadOctets) socket.resume()
      return octets
    },
    arrival: () =>
      new Promise((resolve) => {
        wake = resolve
        if (arrived.octets > 0 || ended) resolve()
      }),
    async fill(memory, afterMs) {
      if (arrived.octets > 0) throw new TypeError('what has arrived was not read')
      if (ended) return 0
      const into = { memory, octets: 0, untilMs: performance.now() + afterMs }
      filling = into
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      return into.octets
    },
    get ended() {
      return ended
    },
    write(octets) {
      // What cannot be sent any more is told by the answer that does not come.
      if (socket.writable) socket.write(octets, 'latin1')
    },
    part(octets) {
      if (socket.writable) socket.write(octets, 'latin1')
      socket.unref()
    },
    surround(before, behind) {
      const { write } = socket
      const written = new Promise<void>((resolve) => {
        socket.write = ((octets: Buffer) => {
          socket.write = write
          resolve()
          return write.call(
            socket,
            Buffer.concat([Buffer.from(before, 'latin1'), octets, Buffer.from(behind, 'latin1')]),
          )
        }) as typeof write
      })
      return {
        written,
        cancel() {
          socket.write = write
        },
      }
    },
    async pass(octets) {
      if (reader && !reader.destroyed && !reader.write(octets)) await eventOf(reader, 'drain', 'close')
    },
    giveBack(unread) {
      holder.arrive = undefined
      clearImmediate(waking)
      socket.off('data', arrive).off('end', end).off('close', end).pause()
      if (ended) return
      const all = Buffer.concat([unread, arrived.take() ?? Buffer.of()])
      if (all.length > 0) socket.unshift(all)
      socket.setTimeout(idleMs)
      const back = readerNow()
      if (back) socket.pipe(back)
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
