import type { ErrorCode } from '../errors.ts'
import { printable } from './connection-errors.ts'
import type { MailboxAccess } from './mailbox.ts'
import type { Pop3Connection } from './pop3-connection.ts'
import { commandLine, parseCapabilities, type Status } from './pop3-wire.ts'

export type Capabilities = ReadonlyMap<string, readonly string[]>

/** RESP-CODES (RFC 2449, 8; RFC 3206). */
const BY_RESPONSE_CODE: Readonly<Record<string, ErrorCode>> = {
  'IN-USE': 'MAILDROP_LOCKED',
  'LOGIN-DELAY': 'THROTTLED',
  'SYS/TEMP': 'SERVER_UNAVAILABLE',
  'SYS/PERM': 'SERVER_UNAVAILABLE',
  AUTH: 'AUTHENTICATION_FAILED',
}

/** Servers without RESP-CODES, in the words of RFC 1939, 4 and 7. */
const LOCKED = /\b(locked|in use|busy)\b/i

/** The most octets of a command line (RFC 2449, 4): a longer initial response goes into a line of its own (RFC 5034, 4). */
const COMMAND_OCTETS = 255

/** What the server's refusal means; `refused` without a code. */
export function refusalOf(status: Status, refused: ErrorCode): ErrorCode {
  return BY_RESPONSE_CODE[status.code] ?? (LOCKED.test(status.text) ? 'MAILDROP_LOCKED' : refused)
}

/** The server's own words, bounded. */
export function said({ code, text }: Status): string {
  return `the server answered -ERR: ${printable(code ? `[${code}] ${text}` : text)}`
}

/** Greeting, STLS, log-in. Resolves to the capabilities of the signed-in session; empty for a server without CAPA. */
export async function signIn(
  connection: Pop3Connection,
  access: MailboxAccess,
  password: string,
): Promise<Capabilities> {
  connection.allow()
  const greeting = await connection.status('greeting')
  if (!greeting.ok)
    throw connection.error(refusalOf(greeting, 'SERVER_UNAVAILABLE'), `greeting: ${said(greeting)}`)
  if (access.tls === 'starttls') {
    const status = await connection.command(commandLine('STLS'), 'STLS')
    if (!status.ok) throw connection.error('TLS_UNAVAILABLE', `STLS: ${said(status)}`)
    await connection.startTls(access)
  }
  // What was said in clear counts for nothing (RFC 2595, 4), and signing in changes it again (RFC 2449, 5).
  const offered = await capabilitiesOf(connection)
  // A server may send a substitute for mail with 8-bit octets in its header to a client that has not said this (RFC 6856, 2.1).
  // Where it is refused, mail comes as the server likes to send it.
  if (offered.has('UTF8')) await connection.command(commandLine('UTF8'), 'UTF8')
  await authenticate(connection, access.user, password, offered)
  return capabilitiesOf(connection)
}

async function capabilitiesOf(connection: Pop3Connection): Promise<Capabilities> {
  const status = await connection.command(commandLine('CAPA'), 'CAPA')
  return status.ok ? parseCapabilities(await connection.text('CAPA')) : new Map()
}

async function authenticate(
  connection: Pop3Connection,
  user: string,
  password: string,
  offered: Capabilities,
): Promise<void> {
  const status = offered.get('SASL')?.includes('PLAIN')
    ? await plain(connection, user, password)
    : await userPass(connection, user, password)
  if (!status.ok)
    throw connection.error(refusalOf(status, 'AUTHENTICATION_FAILED'), `sign-in: ${said(status)}`)
}

async function userPass(connection: Pop3Connection, user: string, password: string): Promise<Status> {
  const pass = commandLine('PASS', password)
  const status = await connection.command(commandLine('USER', user), 'USER')
  return status.ok ? connection.command(pass, 'PASS', 'PASS ***') : status
}

/** SASL PLAIN (RFC 4616), in one round trip where the line is not too long for it. */
async function plain(connection: Pop3Connection, user: string, password: string): Promise<Status> {
  // Neither may hold NUL, which parts them; line breaks are harmless in base64, and refused like everywhere.
  commandLine('AUTH', user, password)
  const response = Buffer.from(`\0${user}\0${password}`).toString('base64')
  const line = commandLine('AUTH', 'PLAIN', response)
  if (line.length <= COMMAND_OCTETS) return connection.command(line, 'AUTH', 'AUTH PLAIN ***')
  connection.allow()
  connection.send(commandLine('AUTH', 'PLAIN'))
  const prompt = await connection.line('AUTH')
  if (prompt.startsWith('+') && !/^\+OK/i.test(prompt))
    return connection.command(`${response}\r\n`, 'AUTH', '***')
  return { ok: false, code: '', text: prompt }
}
