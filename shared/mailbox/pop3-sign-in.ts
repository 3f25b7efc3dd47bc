import type { ErrorCode } from '../errors.ts'
import { printable } from './connection-errors.ts'
import type { MailboxAccess } from './mailbox.ts'
import type { Pop3Connection } from './pop3-connection.ts'
import { commandLine, parseCapabilities, parseStatus, type Status } from './pop3-wire.ts'
import { loginMeaningOf, meaningOf } from './refusals.ts'
import { bearerError, oauthBearerMessage, plainMessage, xoauth2Message } from './sasl.ts'

export type Capabilities = ReadonlyMap<string, readonly string[]>

/** The most octets of a command line (RFC 2449, 4): a longer initial response goes into a line of its own (RFC 5034, 4). */
const COMMAND_OCTETS = 255

/** What the server's refusal means; `refused` when it does not say. */
export function refusalOf(status: Status, refused: ErrorCode): ErrorCode {
  return meaningOf(status) ?? refused
}

/** The server's own words, bounded. */
export function said({ code, text }: Status): string {
  return `the server answered -ERR: ${printable(code ? `[${code}] ${text}` : text)}`
}

export type Secret =
  | { readonly by: 'password'; readonly password: string }
  | { readonly by: 'access token'; readonly accessToken: string }

export interface SignedIn {
  /** Of the signed-in session; empty for a server without CAPA. */
  readonly capabilities: Capabilities
  /** The commands of `next` were sent, and their answers are the next ones. */
  readonly asked: boolean
}

/**
 * Greeting, STLS, log-in. `next`: command lines that the session begins with; they go with the last CAPA to a server that takes several at
 * once (RFC 2449, 6.6), which costs a round trip less.
 */
export async function signIn(
  connection: Pop3Connection,
  access: MailboxAccess,
  secret: Secret,
  next: string,
): Promise<SignedIn> {
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
  const asked = offered.has('PIPELINING')
  if (offered.has('UTF8') && asked) connection.sendAlong(commandLine('UTF8'))
  else if (offered.has('UTF8')) await connection.command(commandLine('UTF8'), 'UTF8')
  // Nothing goes behind it: Courier announces PIPELINING, and loses what comes with the log-in.
  await authenticate(connection, access, secret, offered)
  return { capabilities: await capabilitiesOf(connection, asked ? next : ''), asked }
}

async function capabilitiesOf(connection: Pop3Connection, next = ''): Promise<Capabilities> {
  const status = await connection.command(commandLine('CAPA') + next, 'CAPA')
  return status.ok ? parseCapabilities(await connection.text('CAPA')) : new Map()
}

async function authenticate(
  connection: Pop3Connection,
  access: MailboxAccess,
  secret: Secret,
  offered: Capabilities,
): Promise<void> {
  const { status, token } =
    secret.by === 'password'
      ? { status: await byPassword(connection, access.user, secret.password, offered), token: '' }
      : await byAccessToken(connection, access, secret.accessToken, offered)
  if (status.ok) return
  const more = token === '' ? '' : ` (${token})`
  throw connection.error(loginMeaningOf(status, secret.by), `sign-in: ${said(status)}${more}`)
}

/** PLAIN where it is offered; LOGIN where a server has taken USER away and has nothing better. */
function byPassword(
  connection: Pop3Connection,
  user: string,
  password: string,
  offered: Capabilities,
): Promise<Status> {
  const mechanisms = offered.get('SASL') ?? []
  if (mechanisms.includes('PLAIN')) return plain(connection, user, password)
  if (mechanisms.includes('LOGIN') && !offered.has('USER')) return login(connection, user, password)
  return userPass(connection, user, password)
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
  return finalOf(await respond(connection, 'PLAIN', base64(plainMessage(user, password))), 'AUTH')
}

/** The mechanism that nobody ever wrote down: the server asks for the name, then for the password. */
async function login(connection: Pop3Connection, user: string, password: string): Promise<Status> {
  commandLine('AUTH', user, password)
  const name = await exchange(connection, commandLine('AUTH', 'LOGIN'))
  if (name.status) return name.status
  const secret = await exchange(connection, `${base64(user)}\r\n`)
  if (secret.status) return secret.status
  return connection.command(`${base64(password)}\r\n`, 'AUTH', '***')
}

/** OAUTHBEARER (RFC 7628) where it is offered, else XOAUTH2, also unasked: servers without CAPA know nothing else. */
async function byAccessToken(
  connection: Pop3Connection,
  { user, host, port }: MailboxAccess,
  accessToken: string,
  offered: Capabilities,
): Promise<{ status: Status; token: string }> {
  const mechanisms = offered.get('SASL')
  const bearer = mechanisms?.includes('OAUTHBEARER') === true
  if (mechanisms && !bearer && !mechanisms.includes('XOAUTH2'))
    throw connection.error(
      'AUTHENTICATION_FAILED',
      'the server offers no way to sign in with an access token',
    )
  // Fields of the message end with this, so that a name with one in it could bring a token of its own.
  if (/[\x00-\x1f\x7f]/.test(user + accessToken))
    throw connection.error('AUTHENTICATION_FAILED', 'the user name or access token holds a control character')
  const answer = bearer
    ? await respond(connection, 'OAUTHBEARER', base64(oauthBearerMessage(user, accessToken, { host, port })))
    : // Microsoft takes it in two lines only; others take both.
      await respond(connection, 'XOAUTH2', base64(xoauth2Message(user, accessToken)), 'two lines')
  if (answer.status) return { status: answer.status, token: '' }
  // The error comes as a challenge, and the refusal after an answer to it.
  const status = await connection.command(bearer ? 'AQ==\r\n' : '\r\n', 'AUTH', bearer ? 'AQ==' : '')
  return { status, token: bearerError(answer.challenge) }
}

/** Either the end of an exchange, or a challenge (RFC 5034, 4) in base64. */
type SaslAnswer =
  | { readonly status: Status; readonly challenge?: undefined }
  | { readonly status?: undefined; readonly challenge: string }

/** Begins a mechanism with the client's message, in the first line where it fits there. */
async function respond(
  connection: Pop3Connection,
  mechanism: string,
  message: string,
  form: 'two lines' | 'one line if it fits' = 'one line if it fits',
): Promise<SaslAnswer> {
  const line = commandLine('AUTH', mechanism, message)
  if (form !== 'two lines' && line.length <= COMMAND_OCTETS)
    return exchange(connection, line, `AUTH ${mechanism} ***`)
  const prompt = await exchange(connection, commandLine('AUTH', mechanism))
  return prompt.status ? prompt : exchange(connection, `${message}\r\n`, '***')
}

async function exchange(connection: Pop3Connection, line: string, shown?: string): Promise<SaslAnswer> {
  connection.allow()
  connection.send(line, shown ?? (line.startsWith('AUTH') ? line : '***'))
  const answer = await connection.line('AUTH')
  const [, challenge] = /^\+(?!OK\b) ?(.*)$/i.exec(answer) ?? []
  return challenge === undefined ? { status: parseStatus(answer) ?? unread(answer) } : { challenge }
}

/** Whoever answers a message with one more question does not speak this mechanism. */
function finalOf(answer: SaslAnswer, doing: string): Status {
  return answer.status ?? { ok: false, code: '', text: `${doing}: one more question` }
}

/** What is no status line: it stands in the error as it is. */
function unread(text: string): Status {
  return { ok: false, code: '', text }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
