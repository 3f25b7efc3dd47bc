import { once } from 'node:events'
import { type AddressInfo, createServer as createPlainServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'

// An IMAP server that does little but IDLE, for as many connections as fit; any user with any password, each with folders of
// its own. What it does wrong is set at any time, and counts for what comes after.

export interface IdleServerOptions {
  readonly tls?: { readonly keyPem: string; readonly certPem: string }
  /** @default IMAP4rev1 IDLE UIDPLUS */
  readonly capabilities?: string
  /** Of every user. @default ['INBOX'] */
  readonly folders?: readonly string[]
  /** UIDNEXT is part of SELECT and STATUS. @default true */
  readonly uidNext?: boolean
}

export interface Misbehaviour {
  /** Hangs up after the answer to: the log-in, SELECT. */
  dropAfter?: 'LOGIN' | 'SELECT' | undefined
  /** Hangs up instead of an answer to it. */
  dropOn?: 'LIST "" "*"' | 'NOOP' | undefined
  /** Answers nothing any more, on connections old and new. */
  frozen?: boolean | undefined
  refuseLogin?: 'AUTHENTICATIONFAILED' | 'UNAVAILABLE' | undefined
  refuseList?: boolean | undefined
  refuseIdle?: boolean | undefined
  /** Says nothing of what arrives, and only SELECT and STATUS show it. */
  mute?: boolean | undefined
}

export interface IdleServer {
  readonly port: number
  misbehave: Misbehaviour
  deliver(user: string, folder?: string, count?: number): void
  expunge(user: string, folder?: string): void
  /** Tells that the first message was seen. */
  flag(user: string, folder?: string): void
  addFolder(name: string): void
  removeFolder(name: string): void
  /** Another UIDVALIDITY, and UIDs from 1. */
  recreate(user: string, folder?: string): void
  /** Ends every IDLE with OK, as if DONE had been said. */
  endIdle(): void
  /** Hangs up on everybody. */
  drop(): void
  /** Open connections; those that IDLE; with their user and folder. */
  connections(): number
  idling(): readonly { readonly user: string; readonly folder: string }[]
  /** Of each user since the start, in milliseconds of performance.now. */
  logIns(user?: string): readonly number[]
  /** Commands without their tags, `DONE` too, of all connections in their order. */
  readonly commands: string[]
  /** Resolves when so many connections IDLE, looked at with each change. */
  whenIdling(count: number): Promise<void>
  close(): Promise<void>
}

interface Folder {
  uidValidity: number
  uidNext: number
  exists: number
}

interface Connection {
  readonly socket: Socket
  user: string
  folder: string
  /** Tag of the IDLE that is under way. */
  idle: string | undefined
}

export async function startIdleServer(options: IdleServerOptions = {}): Promise<IdleServer> {
  const { capabilities = 'IMAP4rev1 IDLE UIDPLUS', uidNext = true } = options
  const names = [...(options.folders ?? ['INBOX'])]
  const folders = new Map<string, Folder>()
  const connections = new Set<Connection>()
  const logIns: { readonly user: string; readonly atMs: number }[] = []
  const commands: string[] = []
  let changed: (() => void)[] = []

  const folderOf = (user: string, name: string): Folder => {
    const key = `${user} ${name}`
    const folder = folders.get(key) ?? { uidValidity: 1, uidNext: 1, exists: 0 }
    folders.set(key, folder)
    return folder
  }
  const change = (): void => {
    const waiting = changed
    changed = []
    for (const look of waiting) look()
  }
  const say = ({ socket }: Connection, text: string): void => {
    if (!server.misbehave.frozen) socket.write(text)
  }
  const tell = (user: string, folder: string, text: string): void => {
    if (server.misbehave.mute) return
    for (const each of connections) if (each.user === user && each.folder === folder) say(each, text)
  }

  /** What is said to a command, and whether the connection ends with it. */
  function answer(client: Connection, tag: string, line: string): { text: string; last?: boolean } {
    const { dropAfter, refuseLogin, refuseList, refuseIdle } = server.misbehave
    const [, command = '', rest = ''] = /^(UID \S+|\S+) ?(.*)$/.exec(line) ?? []
    const ok = (untagged = '', text = 'done'): string => `${untagged}${tag} OK ${text}\r\n`
    switch (command.toUpperCase()) {
      case 'CAPABILITY':
        return { text: ok(`* CAPABILITY ${capabilities}\r\n`) }
      case 'LOGIN': {
        const user = rest.split(' ')[0]?.replaceAll('"', '') ?? ''
        logIns.push({ user, atMs: performance.now() })
        if (refuseLogin) return { text: `${tag} NO [${refuseLogin}] no\r\n` }
        client.user = user
        return { text: ok('', `[CAPABILITY ${capabilities}] signed in`), last: dropAfter === 'LOGIN' }
      }
      case 'NAMESPACE':
        return { text: ok('* NAMESPACE (("" "/")) NIL NIL\r\n') }
      case 'LIST':
        if (refuseList) return { text: `${tag} NO [UNAVAILABLE] not now\r\n` }
        return { text: ok(names.map((name) => `* LIST () "/" "${name}"\r\n`).join('')) }
      case 'STATUS': {
        const name = /^"?([^"(]+?)"? \(/.exec(rest)?.[1] ?? ''
        const { exists, uidNext: next, uidValidity } = folderOf(client.user, name)
        const items = `MESSAGES ${exists} UIDVALIDITY ${uidValidity}${uidNext ? ` UIDNEXT ${next}` : ''}`
        return { text: ok(`* STATUS "${name}" (${items})\r\n`) }
      }
      case 'SELECT': {
        const name = rest.replaceAll('"', '').replace(/ \(.*$/, '')
        if (!names.includes(name)) return { text: `${tag} NO [NONEXISTENT] no such folder\r\n` }
        client.folder = name
        const { exists, uidNext: next, uidValidity } = folderOf(client.user, name)
        const facts = [
          '* FLAGS (\\Seen)',
          `* ${exists} EXISTS`,
          `* OK [UIDVALIDITY ${uidValidity}] ok`,
          ...(uidNext ? [`* OK [UIDNEXT ${next}] ok`] : []),
        ]
        const text = ok(facts.map((fact) => `${fact}\r\n`).join(''), '[READ-WRITE] done')
        return { text, last: dropAfter === 'SELECT' }
      }
      case 'IDLE':
        if (refuseIdle) return { text: `${tag} BAD unknown command\r\n` }
        client.idle = tag
        return { text: '+ idling\r\n' }
      case 'LOGOUT':
        return { text: ok('* BYE bye\r\n'), last: true }
      case 'ID':
      case 'ENABLE':
      case 'NOOP':
      case 'LSUB':
        return { text: ok() }
      default:
        return { text: `${tag} BAD unknown command\r\n` }
    }
  }

  function take(client: Connection, line: string): void {
    if (server.misbehave.frozen) return
    if (line.toUpperCase() === 'DONE') {
      commands.push('DONE')
      endIdle(client)
      return
    }
    const space = line.indexOf(' ')
    commands.push(line.slice(space + 1))
    if (line.slice(space + 1) === server.misbehave.dropOn) {
      client.socket.destroy()
      return
    }
    const { text, last } = answer(client, line.slice(0, space), line.slice(space + 1))
    say(client, text)
    if (last) client.socket.end()
    change()
  }

  function endIdle(client: Connection): void {
    if (client.idle === undefined) return
    say(client, `${client.idle} OK IDLE ended\r\n`)
    client.idle = undefined
    change()
  }

  function connected(socket: Socket): void {
    const client: Connection = { socket, user: '', folder: '', idle: undefined }
    connections.add(client)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.once('close', () => {
      connections.delete(client)
      change()
    })
    say(client, `* OK [CAPABILITY ${capabilities}] ready\r\n`)
    let pending = ''
    socket.on('data', (octets) => {
      pending += octets.toString('latin1')
      for (let end = pending.indexOf('\r\n'); end >= 0; end = pending.indexOf('\r\n')) {
        const line = pending.slice(0, end)
        pending = pending.slice(end + 2)
        take(client, line)
      }
    })
  }

  const listener = options.tls
    ? createTlsServer({ key: options.tls.keyPem, cert: options.tls.certPem }, connected)
    : createPlainServer(connected)
  // A client that hangs up within the handshake.
  listener.on('tlsClientError', () => {})
  listener.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  await once(listener, 'listening')

  const server: IdleServer = {
    port: (listener.address() as AddressInfo).port,
    misbehave: {},
    commands,
    deliver(user, name = 'INBOX', count = 1) {
      const folder = folderOf(user, name)
      folder.exists += count
      folder.uidNext += count
      tell(user, name, `* ${folder.exists} EXISTS\r\n`)
    },
    expunge(user, name = 'INBOX') {
      const folder = folderOf(user, name)
      tell(user, name, `* ${folder.exists} EXPUNGE\r\n`)
      folder.exists--
    },
    flag: (user, name = 'INBOX') => tell(user, name, '* 1 FETCH (FLAGS (\\Seen))\r\n'),
    addFolder: (name) => void names.push(name),
    removeFolder: (name) => void names.splice(names.indexOf(name), 1),
    recreate(user, name = 'INBOX') {
      const folder = folderOf(user, name)
      Object.assign(folder, { uidValidity: folder.uidValidity + 1, uidNext: folder.exists + 1 })
    },
    endIdle() {
      for (const client of connections) endIdle(client)
    },
    drop() {
      for (const { socket } of connections) socket.destroy()
    },
    connections: () => connections.size,
    idling: () =>
      [...connections].filter(({ idle }) => idle !== undefined).map(({ user, folder }) => ({ user, folder })),
    logIns: (user) =>
      logIns.filter((each) => user === undefined || each.user === user).map(({ atMs }) => atMs),
    async whenIdling(count) {
      while (server.idling().length !== count)
        await new Promise<void>((look) => {
          changed.push(look)
        })
    },
    async close() {
      server.drop()
      listener.close()
      await once(listener, 'close')
    },
  }
  return server
}
