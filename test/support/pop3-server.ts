import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

export interface MaildropMessage {
  readonly uidl: string
  readonly octets: Buffer
}

export interface Pop3ServerOptions {
  readonly messages?: readonly MaildropMessage[]
  readonly user?: string
  readonly password?: string
  /** Which access tokens XOAUTH2 takes. @default none */
  readonly takesToken?: (accessToken: string) => boolean
  /** Key and certificate; with them `implicit` TLS or STLS is offered. */
  readonly tls?: { readonly keyPem: string; readonly certPem: string; readonly mode: 'implicit' | 'stls' }
  /** CAPA. @default everything that this server can; empty: CAPA is refused */
  readonly capabilities?: readonly string[]
  /** Refuses commands, as older servers do: UIDL, TOP, CAPA … */
  readonly without?: readonly string[]
  /**
   * Answers a command in place of the server: octets as they are; undefined leaves it to the server. For what no decent server does.
   * `close` ends the connection.
   */
  readonly answer?: (
    line: string,
    client: { close(): void; write(text: string | Buffer): void },
  ) => string | Buffer | undefined
  /** Sent on connect. */
  readonly greeting?: string
}

export interface Pop3Server {
  readonly port: number
  readonly user: string
  readonly password: string
  /** What is in the maildrop now. */
  readonly maildrop: MaildropMessage[]
  /** Commands as they came, all connections; with how many of them arrived in one piece. */
  readonly commands: readonly string[]
  /** The most commands that came before one was answered. */
  mostAhead(): number
  /** Connections that are open now. */
  connections(): number
  close(): Promise<void>
}

const CAPABILITIES = [
  'TOP',
  'UIDL',
  'USER',
  'SASL PLAIN',
  'RESP-CODES',
  'PIPELINING',
  'IMPLEMENTATION Mailsluice-test',
]

/**
 * A POP3 server of one maildrop in this process, on a real socket of 127.0.0.1, with as much of RFC 1939 as a client can tell: deletions
 * count after QUIT alone, and messages keep their numbers for the session.
 */
export async function startPop3Server(options: Pop3ServerOptions = {}): Promise<Pop3Server> {
  const { user = 'testuser', password = 'testpass', greeting = '+OK ready\r\n', without = [], tls } = options
  const capabilities = options.capabilities ?? [...CAPABILITIES, ...(tls?.mode === 'stls' ? ['STLS'] : [])]
  const maildrop = [...(options.messages ?? [])]
  const commands: string[] = []
  const sockets = new Set<Socket>()
  let mostAhead = 0

  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    socket.setNoDelay(true)
    const secured = tls?.mode === 'implicit' ? secure(socket) : socket
    secured.write(greeting, 'latin1')
    converse(secured)
  })

  function secure(socket: Socket): Socket {
    const secured = new TLSSocket(socket, { isServer: true, key: tls?.keyPem, cert: tls?.certPem })
    secured.on('error', () => socket.destroy())
    return secured
  }

  function converse(socket: Socket): void {
    const listed = [...maildrop]
    const deleted = new Set<MaildropMessage>()
    let claimed = ''
    let signedIn = false
    let authenticating = false
    let pending = ''
    let ended = false

    const reply = (line: string): string | Buffer => {
      const [verb = '', ...rest] = line.split(' ')
      const name = verb.toUpperCase()
      const number = Number(rest[0])
      const message = listed[number - 1]
      const there = message && !deleted.has(message) ? message : undefined
      if (without.includes(name)) return '-ERR unknown command\r\n'
      if (authenticating) {
        authenticating = false
        return authenticate(line)
      }
      switch (name) {
        case 'CAPA':
          return capabilities.length === 0
            ? '-ERR unknown command\r\n'
            : `+OK\r\n${capabilities.join('\r\n')}\r\n.\r\n`
        case 'USER':
          claimed = rest.join(' ')
          return '+OK\r\n'
        case 'PASS':
          return signIn(claimed, rest.join(' '))
        case 'AUTH':
          if (rest[1] !== undefined) return authenticate(rest[1])
          authenticating = true
          return '+ \r\n'
        case 'QUIT':
          ended = true
          for (const each of deleted) maildrop.splice(maildrop.indexOf(each), 1)
          return '+OK bye\r\n'
        case 'NOOP':
          return '+OK\r\n'
      }
      if (!signedIn) return '-ERR sign in first\r\n'
      const rows = (of: (message: MaildropMessage) => string | number): string =>
        `+OK\r\n${listed.map((each, index) => (deleted.has(each) ? '' : `${index + 1} ${of(each)}\r\n`)).join('')}.\r\n`
      switch (name) {
        case 'STAT':
          return `+OK ${listed.length - deleted.size} ${listed.reduce((sum, each) => sum + each.octets.length, 0)}\r\n`
        case 'UIDL':
          return rows(({ uidl }) => uidl)
        case 'LIST':
          return rows(({ octets }) => octets.length)
        case 'RETR':
          return there ? multiline(there.octets) : '-ERR no such message\r\n'
        case 'TOP':
          return there ? multiline(headerOf(there.octets)) : '-ERR no such message\r\n'
        case 'DELE':
          if (there) deleted.add(there)
          return there ? '+OK\r\n' : '-ERR no such message\r\n'
        case 'RSET':
          deleted.clear()
          return '+OK\r\n'
      }
      return '-ERR unknown command\r\n'
    }
    const signIn = (name: string, secret: string): string => {
      signedIn = name === user && secret === password
      return signedIn ? '+OK signed in\r\n' : '-ERR [AUTH] wrong user or password\r\n'
    }
    const authenticate = (response: string): string => {
      const bearer = /auth=Bearer ([^\x01]*)/.exec(Buffer.from(response, 'base64').toString('utf8'))
      if (bearer) {
        signedIn = options.takesToken?.(bearer[1] ?? '') === true
        return signedIn ? '+OK signed in\r\n' : '-ERR [AUTH] token refused\r\n'
      }
      const [, name = '', secret = ''] = Buffer.from(response, 'base64').toString('utf8').split('\0')
      return signIn(name, secret)
    }

    const received = (chunk: Buffer): void => {
      pending += chunk.toString('utf8')
      mostAhead = Math.max(mostAhead, pending.split('\r\n').length - 1)
      for (let end = pending.indexOf('\r\n'); end >= 0 && !ended; end = pending.indexOf('\r\n')) {
        const line = pending.slice(0, end)
        pending = pending.slice(end + 2)
        commands.push(line)
        const own = options.answer?.(line, {
          close: () => socket.destroy(),
          write: (text) => socket.write(text),
        })
        if (own !== undefined) socket.write(own)
        else if (line.toUpperCase() === 'STLS' && tls?.mode === 'stls') {
          socket.off('data', received)
          socket.write('+OK begin\r\n', () => converse(secure(socket)))
          return
        } else socket.write(reply(line))
      }
      if (ended) socket.end()
    }
    socket.on('data', received)
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    user,
    password,
    maildrop,
    commands,
    mostAhead: () => mostAhead,
    connections: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** As a server sends it: dots at the start of a line doubled, and a CRLF at the end if there is none (RFC 1939, 3). */
export function multiline(octets: Buffer): Buffer {
  const text = octets.toString('latin1')
  const stuffed = text.replace(/(^|\r\n)\./g, '$1..')
  const end = text === '' || text.endsWith('\r\n') ? '' : '\r\n'
  return Buffer.from(`+OK ${octets.length} octets\r\n${stuffed}${end}.\r\n`, 'latin1')
}

function headerOf(octets: Buffer): Buffer {
  const end = octets.indexOf('\r\n\r\n')
  return end < 0 ? octets : octets.subarray(0, end + 4)
}
