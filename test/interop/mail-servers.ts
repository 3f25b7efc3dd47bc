import { createCipheriv, createHash } from 'node:crypto'
import type { MailboxAccess } from '../../shared/mailbox/mailbox.ts'
import * as courier from '../support/courier.ts'
import * as dovecot from '../support/dovecot.ts'
import { LocalWorld } from '../support/local-world.ts'
import type { MailServer } from '../support/mail-server.ts'

// The servers that the mailbox adapters are tried on, and what is put into their mailboxes.

export interface Candidate {
  readonly name: string
  readonly missing: string | undefined
  start(): Promise<MailServer>
  /** How often a session with one message is waited for, after the connection stands. */
  readonly waits: { readonly imap: number; readonly pop3: number }
  /** What it sends by IMAP for a file with these octets, lines ending in LF. */
  byImap(file: string): string
  /** By POP3: the last line gets an end where it has none. */
  byPop3(file: string): string
}

export const CANDIDATES: readonly Candidate[] = [
  {
    name: 'Dovecot',
    missing: dovecot.available(),
    start: dovecot.startDovecot,
    waits: { imap: 3, pop3: 5 },
    // CRLF for LF, unless it is there; NUL, which an IMAP string cannot hold, as 0x80.
    byImap: (file) => file.replace(/\r?\n/g, '\r\n').replaceAll('\0', '\x80'),
    byPop3: (file) => ended(file.replace(/\r?\n/g, '\r\n')),
  },
  {
    name: 'Courier',
    missing: courier.available(),
    start: courier.startCourier,
    // It takes no initial response: a log-in by IMAP has two steps.
    waits: { imap: 4, pop3: 5 },
    // CRLF for every LF; a CR at the very end is lost.
    byImap: (file) => file.replaceAll('\n', '\r\n').replace(/\r$/, ''),
    byPop3: (file) => ended(file.replaceAll('\n', '\r\n')),
  },
]

function ended(text: string): string {
  return text.endsWith('\r\n') ? text : `${text}\r\n`
}

/** Changes of the access; the port follows `tls`. */
/** 300 MB. */
export const MEMORY_MIB = 286

export type Changes = Partial<Omit<MailboxAccess, 'port'>>

/** Access over TLS, implicit by default, to INBOX. */
export function accessOn(
  server: MailServer,
  protocol: 'imap' | 'pop3',
  user: string,
  changes: Changes = {},
): MailboxAccess {
  return {
    host: 'localhost',
    port: server.ports[changes.tls === 'starttls' ? protocol : (`${protocol}s` as const)],
    tls: 'implicit',
    ca: server.ca,
    user,
    password: async () => server.password,
    folders: ['INBOX'],
    search: undefined,
    ...changes,
  }
}

let users = 0

/** A user with an empty mailbox. */
export function newUser(): string {
  return `user${++users}@example.org`
}

/** Opens, uses and closes a world of its own with a user of its own, whatever happens. */
export async function inWorld(
  server: MailServer,
  use: (world: LocalWorld, user: string) => Promise<void>,
): Promise<void> {
  const user = newUser()
  const world = await LocalWorld.open(server, user)
  try {
    await use(world, user)
  } finally {
    await world.close()
  }
}

/** What a delivery agent writes: lines end in LF, and every server sends CRLF. */
export function letter(number: number, more = ''): string {
  return `From: "Sender ${number}" <s${number}@example.net>\nSubject: letter ${number}\n${more}\nText of ${number}.\n.\n..\n`
}

export function onWire(text: string): Buffer {
  return Buffer.from(text.replaceAll('\n', '\r\n'))
}

/** A letter with an attachment, of at least so many octets, the same each time it is asked for; length and SHA-256 are those on the wire. */
export async function largeLetter(
  octets: number,
): Promise<{ octets(): AsyncIterable<Buffer>; length: number; sha256: string }> {
  const hash = createHash('sha256')
  let length = 0
  for await (const lines of base64Letter(octets)) {
    const sent = onWire(lines.toString('latin1'))
    hash.update(sent)
    length += sent.length
  }
  return { octets: () => base64Letter(octets), length, sha256: hash.digest('hex') }
}

const LARGE_BEGIN = `Subject: large
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=large

--large

See the attachment.
--large
Content-Type: application/octet-stream; name="large.bin"
Content-Disposition: attachment; filename="large.bin"
Content-Transfer-Encoding: base64

`

async function* base64Letter(octets: number): AsyncGenerator<Buffer> {
  yield Buffer.from(LARGE_BEGIN)
  const random = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16))
  const zeros = Buffer.alloc(57 * 1024)
  for (let sent = 0; sent < octets; ) {
    const lines = random.update(zeros).toString('base64').replace(/.{76}/g, '$&\n')
    yield Buffer.from(lines)
    sent += lines.length
  }
  yield Buffer.from('--large--\n')
}

export function sha256(octets: Buffer): string {
  return createHash('sha256').update(octets).digest('hex')
}
