import { connect as connectNet, type Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { connect as connectTls, TLSSocket } from 'node:tls'
import type { ImapTransport } from 'imapflow'
import type { MailboxAccess } from './mailbox.ts'
import { bareHost, tlsOptions } from './tls.ts'

// The socket under imapflow. We open it and sign in on it; imapflow gets it as a connection that begins signed in (PREAUTH; RFC 9051, 7.1.4),
// and it can be taken from it between two commands. imapflow lets others bring the socket (its option `transport`), writes to it, and reads by
// piping it into one stream; this is all that is relied on here.

/** The socket while it is taken. Nothing is read from it beyond `readAheadOctets` unless somebody takes it. */
export interface TakenSocket {
  /** What has arrived; undefined when nothing has. */
  read(): Buffer | undefined
  /** Resolves when something has arrived or the connection has ended. One caller at a time. */
  arrival(): Promise<void>
  /** Nothing will arrive any more; what did is still there to `read`. */
  readonly ended: boolean
  write(octets: string): void
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
  let socket: Socket =
    access.tls === 'implicit' ? connectTls({ port: access.port, ...tlsOptions(access) }) : connectNet(address)
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
      return taken(socket, () => reader, follow, readAheadOctets, idleMs)
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

function taken(
  socket: Socket,
  readerNow: () => Writable | undefined,
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
  const reader = readerNow()
  socket.setTimeout(0)
  if (reader) socket.unpipe(reader)
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
      socket.off('data', arrive).off('end', end).off('close', end).pause()
      if (ended) return
      const all = Buffer.concat([unread, ...chunks])
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
