import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** A connection of the scripted server, as an answer sees it. */
export interface ScriptedClient {
  readonly tag: string
  readonly line: string
  /** How often this answer was used before on any connection. */
  readonly times: number
  /** Octets as they are; `{tag}` stands for the tag of the command. */
  say(text: string | Buffer): void
  /** Resolves when what was said is on its way. */
  drained(): Promise<void>
  close(): void
}

type Answer = string | ((client: ScriptedClient) => void)

export interface ScriptedImapOptions {
  /** Sent on connect; a function may do anything with the socket. @default an ordinary greeting */
  readonly greeting?: string | ((socket: Socket) => void)
  /** @default IMAP4rev1 UIDPLUS MOVE */
  readonly capabilities?: string
  /** The first that matches the command (without its tag) answers; what none matches gets the answer of a small ordinary server. */
  readonly answers?: readonly (readonly [RegExp, Answer])[]
  /** Of the ordinary server's INBOX. */
  readonly exists?: number
  readonly uidValidity?: number
}

export interface ScriptedImap {
  readonly port: number
  /** Commands without their tags, as they came. */
  readonly commands: readonly string[]
  /** The same lines with what stands before the command: what answers a question of the server has no tag. */
  readonly lines: readonly string[]
  /** Connections that are open now. */
  connections(): number
  close(): Promise<void>
}

/** An IMAP server of fixed answers on a real socket, for what no decent server does. */
export async function startScriptedImap(options: ScriptedImapOptions = {}): Promise<ScriptedImap> {
  const { greeting = '* OK scripted\r\n', answers = [], exists = 0, uidValidity = 1 } = options
  const capability = `CAPABILITY ${options.capabilities ?? 'IMAP4rev1 UIDPLUS MOVE'}`
  const all: (readonly [RegExp, Answer])[] = [
    ...answers,
    [/^CAPABILITY/i, `* ${capability}\r\n{tag} OK done\r\n`],
    [/^LOGIN/i, `{tag} OK [${capability}] signed in\r\n`],
    [/^NAMESPACE/i, '* NAMESPACE (("" "/")) NIL NIL\r\n{tag} OK done\r\n'],
    [/^LIST/i, '* LIST () "/" INBOX\r\n* LIST () "/" Done\r\n{tag} OK done\r\n'],
    [
      /^STATUS/i,
      `* STATUS INBOX (MESSAGES ${exists} UIDNEXT ${exists + 1} UIDVALIDITY ${uidValidity})\r\n{tag} OK done\r\n`,
    ],
    [/^(SELECT|EXAMINE)/i, (client) => client.say(opened(client.line, exists, uidValidity))],
    [
      /^UID SEARCH ALL/i,
      `* SEARCH ${Array.from({ length: exists }, (_, index) => index + 1).join(' ')}\r\n{tag} OK done\r\n`,
    ],
    [/^LOGOUT/i, '* BYE bye\r\n{tag} OK done\r\n'],
    [/^(ID|ENABLE|NOOP|LSUB|UID STORE|UID MOVE|UID COPY|UID EXPUNGE)/i, '{tag} OK done\r\n'],
    [/./, '{tag} BAD unknown\r\n'],
  ]
  const used = new Map<RegExp, number>()
  const commands: string[] = []
  const lines: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    socket.setNoDelay(true)
    if (typeof greeting === 'string') socket.write(greeting, 'latin1')
    else greeting(socket)
    let pending = ''
    socket.on('data', (octets) => {
      pending += octets.toString('latin1')
      for (let end = pending.indexOf('\r\n'); end >= 0; end = pending.indexOf('\r\n')) {
        lines.push(pending.slice(0, end))
        const [, tag = '', line = ''] = /^(\S+) (.*)$/.exec(pending.slice(0, end)) ?? []
        pending = pending.slice(end + 2)
        commands.push(line)
        const [pattern, answer] = all.find(([pattern]) => pattern.test(line)) ?? []
        if (!pattern || answer === undefined) continue
        const times = used.get(pattern) ?? 0
        used.set(pattern, times + 1)
        const say = (text: string | Buffer): void => {
          socket.write(typeof text === 'string' ? Buffer.from(text.replaceAll('{tag}', tag), 'latin1') : text)
        }
        if (typeof answer === 'string') say(answer)
        else {
          const drained = async (): Promise<void> => {
            if (!socket.writableNeedDrain) return
            await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve))
          }
          answer({ tag, line, times, say, drained, close: () => socket.destroy() })
        }
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    commands,
    lines,
    connections: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** One row of a FETCH; `source` null is NIL. */
export function fetchRow(uid: number, items: { size?: number; source?: string | null }): string {
  const size = items.size === undefined ? '' : ` RFC822.SIZE ${items.size}`
  const source =
    items.source === undefined
      ? ''
      : ` BODY[] ${items.source === null ? 'NIL' : `{${items.source.length}}\r\n${items.source}`}`
  return `* ${uid} FETCH (UID ${uid} FLAGS (\\Recent)${size}${source})\r\n`
}

/** The UIDs of a `UID FETCH` or `UID SEARCH UID` set. */
export function uidsAsked(line: string): number[] {
  const [, set = ''] =
    /^UID (?:FETCH|SEARCH UID|SEARCH .*UID|STORE|MOVE|COPY|EXPUNGE) ([\d:,*]+)/.exec(line) ?? []
  return set.split(',').flatMap((part) => {
    const [low = 0, high = low] = part.split(':').map(Number)
    return Array.from({ length: high - low + 1 }, (_, index) => low + index)
  })
}

function opened(line: string, exists: number, uidValidity: number): string {
  const mode = /^EXAMINE/i.test(line) ? 'READ-ONLY' : 'READ-WRITE'
  return (
    `* FLAGS (\\Seen \\Deleted)\r\n* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] ok\r\n* ${exists} EXISTS\r\n` +
    `* OK [UIDVALIDITY ${uidValidity}] ok\r\n* OK [UIDNEXT ${exists + 1}] ok\r\n{tag} OK [${mode}] done\r\n`
  )
}
