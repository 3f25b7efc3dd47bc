import { type EventEmitter, once } from 'node:events'
import { createRequire } from 'node:module'
import type { AddressInfo, Server, Socket } from 'node:net'

// hoodiecrow-imap in process: one user, memory only. It keeps messages as binary strings and parses a message's MIME structure
// at the first FETCH of its body, which takes seconds for 20 MB; nobody here asks for BODYSTRUCTURE, so large messages come
// with a structure of their header alone.

const require = createRequire(import.meta.url)
const LARGE_OCTETS = 256 * 1024

export interface ServedMessage {
  readonly raw: Buffer | string
  readonly flags?: readonly string[]
  readonly internalDate?: Date
}

export interface ImapServerOptions {
  /** Messages of INBOX. */
  readonly messages?: readonly ServedMessage[]
  /** Other folders by name; `/` separates levels. */
  readonly folders?: Readonly<Record<string, readonly ServedMessage[]>>
  /** @default testuser */
  readonly user?: string
  /** @default testpass */
  readonly password?: string
  /** With it: `implicit` TLS, or STARTTLS offered. Without: in clear. */
  readonly tls?: { readonly mode: 'implicit' | 'starttls'; readonly keyPem: string; readonly certPem: string }
  /** Says what it can do unasked, with its greeting and with the end of the log-in, and takes a log-in in one step, as most servers do. */
  readonly tells?: boolean
  /** Extensions not to offer, to meet older servers. */
  readonly without?: readonly ('UIDPLUS' | 'MOVE' | 'UNSELECT' | 'CONDSTORE')[]
  /** Fixed, so that two starts serve the same mailbox. @default 1 */
  readonly uidValidity?: number
  /** @default 0: any free one */
  readonly port?: number
}

export interface ImapServer {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** Returns the UID. */
  append(folder: string, message: ServedMessage): number
  /** What the server holds now. */
  messages(folder: string): readonly { readonly uid: number; readonly flags: readonly string[] }[]
  setUidValidity(folder: string, value: number): void
  /** Every line that clients sent. */
  readonly received: readonly string[]
  close(): Promise<void>
}

interface HoodiecrowMessage {
  uid?: number
  raw: string
  flags: string[]
  internaldate: Date
  parsed?: unknown
}

interface HoodiecrowFolder {
  messages: (HoodiecrowMessage & { uid: number })[]
  uidvalidity: number
}

interface Hoodiecrow extends EventEmitter {
  readonly server: Server
  listen(port: number, host: string): void
  getMailbox(path: string): HoodiecrowFolder | undefined
  processMessage(message: HoodiecrowMessage, folder: HoodiecrowFolder): void
}

export async function startImapServer(options: ImapServerOptions = {}): Promise<ImapServer> {
  const { user = 'testuser', password = 'testpass', tls, without = [], uidValidity = 1 } = options
  const offered = [
    'ID',
    'ENABLE',
    'UIDPLUS',
    'MOVE',
    'CONDSTORE',
    'LITERALPLUS',
    'AUTH-PLAIN',
    'NAMESPACE',
    'SPECIAL-USE',
    'UNSELECT',
  ]
  const plugins = offered.filter((plugin) => !(without as readonly string[]).includes(plugin))
  if (tls?.mode === 'starttls') plugins.push('STARTTLS')
  if (options.tells) plugins.push('SASL-IR')
  const folder = (messages: readonly ServedMessage[]): object => ({
    uidvalidity: uidValidity,
    messages: messages.map(stored),
  })
  const hoodiecrow: Hoodiecrow = require('hoodiecrow-imap')({
    plugins,
    id: { name: 'hoodiecrow' },
    users: { [user]: { password } },
    ...(tls
      ? { credentials: { key: tls.keyPem, cert: tls.certPem }, secureConnection: tls.mode === 'implicit' }
      : {}),
    storage: {
      INBOX: folder(options.messages ?? []),
      '': { separator: '/', folders: tree(options.folders ?? {}, folder) },
    },
  })

  // Each connection listens for what another one changes.
  hoodiecrow.setMaxListeners(0)
  const sockets = new Set<Socket>()
  const received: string[] = []
  hoodiecrow.server.on('connection', (socket: Socket) => {
    // Without it every command waits some 40 ms for a delayed ACK.
    socket.setNoDelay(true)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    if (tls?.mode !== 'implicit')
      socket.on('data', (octets: Buffer) => received.push(...octets.toString('latin1').trim().split('\r\n')))
  })
  if (options.tells) hoodiecrow.server.prependListener('connection', telling)
  hoodiecrow.listen(options.port ?? 0, '127.0.0.1')
  await once(hoodiecrow.server, 'listening')

  const existing = (name: string): HoodiecrowFolder => {
    const found = hoodiecrow.getMailbox(name)
    if (!found) throw new TypeError(`no folder ${name}`)
    return found
  }
  return {
    host: '127.0.0.1',
    port: (hoodiecrow.server.address() as AddressInfo).port,
    user,
    password,
    received,
    append(name, message) {
      const folder = existing(name)
      const added = stored(message)
      hoodiecrow.processMessage(added, folder)
      folder.messages.push(added as HoodiecrowMessage & { uid: number })
      return added.uid as number
    },
    messages: (name) => existing(name).messages.map(({ uid, flags }) => ({ uid, flags: [...flags] })),
    setUidValidity(name, value) {
      existing(name).uidvalidity = value
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      hoodiecrow.server.close()
      await once(hoodiecrow.server, 'close')
    },
  }
}

function telling(socket: Socket): void {
  const { write } = socket
  const code = (offered: string): string => `OK [CAPABILITY IMAP4rev1 ${offered}]`
  socket.write = ((said: string | Buffer) =>
    write.call(
      socket,
      said
        .toString('latin1')
        .replace(/^\* OK(?= Hoodiecrow)/, `* ${code('ID SASL-IR AUTH=PLAIN')}`)
        .replace(
          /^(\S+) OK(?= User logged in)/,
          `$1 ${code('ID ENABLE UIDPLUS MOVE CONDSTORE LITERAL+ NAMESPACE SPECIAL-USE UNSELECT')}`,
        ),
      'latin1',
    )) as typeof write
}

function stored({
  raw,
  flags = [],
  internalDate = new Date('2026-01-02T03:04:05Z'),
}: ServedMessage): HoodiecrowMessage {
  const text = typeof raw === 'string' ? Buffer.from(raw).toString('latin1') : raw.toString('latin1')
  const message: HoodiecrowMessage = { raw: text, flags: [...flags], internaldate: internalDate }
  if (text.length < LARGE_OCTETS) return message
  const header = text.slice(0, text.indexOf('\r\n\r\n') + 4)
  return { ...message, parsed: require('hoodiecrow-imap/lib/mimeparser')(header) }
}

function tree(
  folders: Readonly<Record<string, readonly ServedMessage[]>>,
  folder: (messages: readonly ServedMessage[]) => object,
): object {
  const root: Record<string, Record<string, unknown>> = {}
  for (const [path, messages] of Object.entries(folders)) {
    let level = root
    const names = path.split('/')
    names.forEach((name, index) => {
      const node = level[name] ?? {}
      level[name] = node
      if (index === names.length - 1) Object.assign(node, folder(messages))
      else {
        node.folders ??= {}
        level = node.folders as typeof root
      }
    })
  }
  return root
}
