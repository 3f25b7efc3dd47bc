import { connect as connectNet, type OnReadOpts, type Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { connect as connectTls, TLSSocket } from 'node:tls'
import type { ImapTransport } from 'imapflow'
import { eventOf, type Holder, type TakenSocket, takeSocket } from './imap-taken-socket.ts'
import type { MailboxAccess } from './mailbox.ts'
import { bareHost, tlsOptions } from './tls.ts'

// The socket under imapflow. We open it and sign in on it; imapflow gets it as a connection that begins signed in (PREAUTH; RFC 9051, 7.1.4),
// and it can be taken from it between two commands. imapflow lets others bring the socket (its option `transport`), writes to it, and reads by
// piping it into one stream; this is all that is relied on here.

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
      return takeSocket(socket, holder, () => reader, follow, readAheadOctets, idleMs)
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
