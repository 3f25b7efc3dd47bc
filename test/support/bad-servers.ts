import { type Authority, makeAuthority } from './certificates.ts'
import { startImapServer } from './imap-server.ts'
import { multiline, type Pop3ServerOptions, startPop3Server } from './pop3-server.ts'
import {
  fetchRow,
  type ScriptedClient,
  type ScriptedImapOptions,
  startScriptedImap,
  uidsAsked,
} from './scripted-imap.ts'

// Servers that are no use, each in one way, over the same three messages; and ones that are, to drain from afterwards.

export const MAILS: readonly string[] = [1, 2, 3].map(
  (number) => `From: a${number}@example.net\r\nSubject: message ${number}\r\n\r\nText of ${number}.\r\n`,
)

export type Protocol = 'imap' | 'pop3'

/** A server with the settings of a mailbox on it. */
export interface Served {
  readonly settings: object
  /** Commands as they came; none for a server that keeps no record. */
  readonly commands: readonly string[]
  close(): Promise<void>
}

export interface Certified {
  readonly names?: readonly string[]
  readonly validFrom?: Date
  readonly validTo?: Date
}

/** The authority that the mailboxes trust, by `ca: ca.pem`. */
export const AUTHORITY: Authority = makeAuthority()

/** An ordinary server of these messages. */
export async function goodServer(protocol: Protocol, mails: readonly string[] = MAILS): Promise<Served> {
  return protocol === 'imap'
    ? served(await startImapServer({ messages: mails.map((raw) => ({ raw })) }))
    : served(await startPop3Server({ messages: mails.map(maildropMessage) }), 'pop3')
}

/** An ordinary server with TLS and this certificate. */
export async function certifiedServer(
  protocol: Protocol,
  { names = ['localhost'], ...validity }: Certified,
  by: Authority = AUTHORITY,
): Promise<Served> {
  const tls = { mode: 'implicit', ...by.issue({ names, ...validity }) } as const
  const server =
    protocol === 'imap'
      ? await startImapServer({ messages: MAILS.map((raw) => ({ raw })), tls })
      : await startPop3Server({ messages: MAILS.map(maildropMessage), tls })
  return served(server, protocol, { host: 'localhost', tls: 'implicit', ca: 'ca.pem' })
}

/** Sends this on connect. */
export async function greetingServer(protocol: Protocol, greeting: string): Promise<Served> {
  return protocol === 'imap'
    ? served(await startScriptedImap({ greeting }))
    : served(await startPop3Server({ greeting }), 'pop3')
}

/** Does not offer STARTTLS to a mailbox that wants it. */
export async function strippedServer(protocol: Protocol): Promise<Served> {
  const server = protocol === 'imap' ? await startScriptedImap() : await startPop3Server()
  return served(server, protocol, { host: 'localhost', tls: 'starttls', ca: 'ca.pem' })
}

/** Sends the messages of IMAP as `row` does. */
export async function imapOf(
  row: (uid: number, body: string, client: ScriptedClient) => string | undefined,
  options: ScriptedImapOptions = {},
): Promise<Served> {
  const answer = (client: ScriptedClient): void => {
    const withBody = /BODY\.PEEK\[\]/.test(client.line)
    for (const uid of uidsAsked(client.line)) {
      const body = MAILS[uid - 1] ?? ''
      const said = withBody ? row(uid, body, client) : fetchRow(uid, { size: body.length })
      if (said === undefined) return
      client.say(said)
    }
    client.say('{tag} OK done\r\n')
  }
  const answers = [...(options.answers ?? []), [/^UID FETCH/, answer] as const]
  return served(await startScriptedImap({ exists: MAILS.length, ...options, answers }))
}

/** Answers some commands of POP3 in a way of its own. */
export async function pop3Of(answer: NonNullable<Pop3ServerOptions['answer']>): Promise<Served> {
  return served(await startPop3Server({ messages: MAILS.map(maildropMessage), answer }), 'pop3')
}

export function maildropMessage(raw: string): { uidl: string; octets: Buffer } {
  return { uidl: `u${raw.length}-${/message (\d+)/.exec(raw)?.[1]}`, octets: Buffer.from(raw) }
}

/** What a server sends for RETR of this one. */
export function retrieved(number: number): Buffer {
  return multiline(Buffer.from(MAILS[number - 1] ?? ''))
}

function served(
  server: {
    readonly port: number
    readonly commands?: readonly string[]
    readonly received?: readonly string[]
    close(): Promise<void>
  },
  protocol: Protocol = 'imap',
  changes: object = {},
): Served {
  return {
    settings: {
      id: 'orders',
      protocol,
      host: '127.0.0.1',
      port: server.port,
      tls: 'none',
      user: 'testuser',
      credential: 'env:PASSWORD',
      ...changes,
    },
    commands: server.commands ?? server.received ?? [],
    close: () => server.close(),
  }
}
