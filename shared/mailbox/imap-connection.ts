import { checkServerIdentity } from 'node:tls'
import { ImapFlow, type ImapFlowOptions, type MailboxObject } from 'imapflow'
import { within } from '../deadline.ts'
import { type ErrorCode, IngestError } from '../errors.ts'
import type { IMAP } from '../limits.ts'
import { LOOPBACK, printable } from './connection-errors.ts'
import { toIngestError } from './imap-errors.ts'
import { imapLogger } from './imap-transcript.ts'
import { imapSocket, type TakenSocket } from './imap-transport.ts'
import type { MailboxAccess, ServerFacts } from './mailbox.ts'
import { sessionCode } from './session-end.ts'

/** The bounds of limits.ts; an argument, so that a test need not wait a minute. */
export type ImapLimits = { readonly [Name in keyof typeof IMAP]: number }

/** A signed-in imapflow client, with our deadlines around its calls and its failures in our words. */
export interface ImapConnection {
  readonly client: ImapFlow
  readonly server: ServerFacts
  readonly limits: ImapLimits
  /** `imap.example.com (invoices@example.com)`: begins every message. */
  readonly where: string
  /** `INBOX.` on servers that keep the personal folders below INBOX, else empty. */
  readonly namespacePrefix: string
  /**
   * Runs a command: rejects with an IngestError of scope session or mailbox, and closes the connection when `timeoutMs` of
   * wall clock have passed (imapflow's own timeout counts silence only). `refused` is what a plain NO or BAD means.
   */
  run<T>(
    doing: string,
    work: () => Promise<T>,
    options?: { timeoutMs?: number; refused?: ErrorCode },
  ): Promise<T>
  /** What `run` would reject with. */
  translate(error: unknown, doing: string, refused?: ErrorCode): unknown
  /** Takes the socket from imapflow: no command may be in flight. Whoever takes it gives it back, or calls `abort`. */
  takeSocket(): Promise<TakenSocket>
  /** Receives what is said while the socket is taken. */
  readonly transcript: ((line: string) => void) | undefined
  /** The error behind a `false` with which imapflow answers some refused commands. */
  refusal(doing: string, refused?: ErrorCode): unknown
  /** The selected folder as the server described it, undefined when none is. */
  selected(): MailboxObject | undefined
  /** RFC 9051 contains many extensions that RFC 3501 servers announce one by one. */
  supports(capability: string): boolean
  close(): Promise<void>
  abort(): void
}

/** What IMAP4rev2 contains of what is used here (RFC 9051, appendix E). */
const IN_REV2: ReadonlySet<string> = new Set(['UIDPLUS', 'MOVE', 'UNSELECT', 'ESEARCH'])

/** Connects, verifies the certificate and signs in; everything within `limits.signInMs`. */
export async function connectImap(access: MailboxAccess, limits: ImapLimits): Promise<ImapConnection> {
  const where = `${access.host} (${access.user})`
  if (access.tls === 'none' && !LOOPBACK.test(access.host))
    throw new IngestError('TLS_UNAVAILABLE', `${where}: a log-in in clear is allowed to a loopback host only`)

  let failure: Error | undefined
  let logged: Error | undefined
  let greeted = false
  let signedIn = false
  let certificateSha256: string | undefined
  const byToken = access.accessToken !== undefined
  const auth: ImapFlowOptions['auth'] & object = access.accessToken
    ? { user: access.user, accessToken: await access.accessToken() }
    : { user: access.user, pass: await access.password() }
  const heard = (line: string): void => {
    access.transcript?.(line)
    if (greeted || !line.startsWith('S: ')) return
    greeted = true
    // imapflow waits for another greeting, and what POP3, SMTP or HTTP says would end as a time-out.
    if (!line.startsWith('S: * ')) fail(notImap(line.slice(3)))
  }
  const notImap = (said: string, cause?: Error): IngestError =>
    new IngestError(
      'PROTOCOL_VIOLATION',
      `${where}: sign-in: the greeting is not that of IMAP: ${printable(said)}`,
      { cause },
    )
  const socket = imapSocket()
  const client: ImapFlow = new ImapFlow({
    ...options(access, limits),
    transport: socket.transport,
    // Asked when it has signed in. What else it would enable is of no use here, and costs a round trip.
    get disableAutoEnable() {
      return !client.capabilities.has('UTF8=ACCEPT')
    },
    auth,
    tls: {
      minVersion: 'TLSv1.2',
      ...(access.ca === undefined ? {} : { ca: access.ca }),
      checkServerIdentity(host, certificate) {
        certificateSha256 = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
        return checkServerIdentity(host, certificate)
      },
    },
    logger: imapLogger((error) => {
      logged = error
      const code = String((error as { code?: unknown }).code)
      // imapflow would wait for what the server asks, up to minutes of a Lambda; our queue can wait cheaper.
      // imapflow logs first and then begins to wait; only a wait that has begun ends with the connection.
      if (code === 'ETHROTTLE') setImmediate(fail, error)
      // Later imapflow skips a line that it cannot parse; a greeting like that is not an IMAP server.
      if (!signedIn && code.startsWith('ParserError')) fail(greeted ? error : notImap(error.message, error))
    }, heard),
  })
  const fail = (error: Error): void => {
    failure ??= error
    client.close()
  }
  const { signal } = access
  const drop = (): void =>
    fail(new IngestError('CONNECTION_LOST', `${where}: it was dropped, for its time is over`))
  signal?.addEventListener('abort', drop)
  client.once('close', () => signal?.removeEventListener('abort', drop))
  // The true cause of a lost connection comes here only, and without a listener it would end the process.
  client.on('error', (error: Error) => {
    failure ??= error
  })

  function translated(error: unknown, doing: string, refused: ErrorCode): unknown {
    const known = toIngestError(error, `${where}: ${doing}`, refused)
    if (!signedIn || !(known instanceof IngestError)) return known
    const code = sessionCode(known.code, access.accessTokenEndsAt)
    return code === known.code ? known : new IngestError(code, known.message, { cause: known.cause })
  }

  async function run<T>(
    doing: string,
    work: () => Promise<T>,
    {
      timeoutMs = limits.commandMs,
      refused = 'SERVER_UNAVAILABLE',
    }: { timeoutMs?: number; refused?: ErrorCode } = {},
  ): Promise<T> {
    logged = undefined
    try {
      return await within(timeoutMs, `${where}: ${doing}`, work())
    } catch (error) {
      if (error instanceof IngestError && error.code === 'TIMED_OUT') fail(error)
      throw translated(failure ?? error, doing, refused)
    }
  }

  try {
    if (signal?.aborted) drop()
    await run('sign-in', () => client.connect(), {
      timeoutMs: limits.signInMs,
      refused: byToken ? 'ACCESS_TOKEN_REJECTED' : 'AUTHENTICATION_FAILED',
    })
  } catch (error) {
    client.close()
    throw duringSignIn(error, where, byToken ? 'an access token' : 'a password')
  } finally {
    // imapflow keeps its options for as long as it lives, and needs this no more.
    auth.pass = ''
    auth.accessToken = ''
  }
  signedIn = true
  // We name folders as LIST does; imapflow would put the prefix of the personal namespace before names of the other ones.
  const prefix = client.namespace?.prefix ?? ''
  if (client.namespace) client.namespace = { ...client.namespace, prefix: '' }
  const rev2 =
    client.enabled.has('IMAP4REV2') ||
    (client.capabilities.has('IMAP4rev2') && !client.capabilities.has('IMAP4rev1'))

  return {
    client,
    limits,
    where,
    namespacePrefix: prefix,
    server: {
      host: access.host,
      port: access.port,
      tls: client.tls ? (client.tls.version ?? 'TLS') : 'none',
      certificateSha256,
      capabilities: [...client.capabilities.keys()],
    },
    run,
    translate: (error, doing, refused = 'SERVER_UNAVAILABLE') => translated(failure ?? error, doing, refused),
    async takeSocket() {
      const take = () => socket.take(limits.readAheadOctets, limits.idleMs)
      let taken = take()
      for (; !taken; taken = take()) await run('FETCH', () => socket.lineEnd())
      return taken
    },
    transcript: access.transcript,
    refusal(doing, refused = 'SERVER_UNAVAILABLE') {
      const error = failure ?? logged
      if (!error && client.usable)
        return new IngestError(refused, `${where}: ${doing}: it could not be sent as it stands`)
      const lost = Object.assign(new Error('Connection not available'), { code: 'NoConnection' })
      return translated(error ?? lost, doing, refused)
    },
    selected: () => client.mailbox || undefined,
    supports: (capability) => client.capabilities.has(capability) || (rev2 && IN_REV2.has(capability)),
    async close() {
      await within(limits.logoutMs, 'LOGOUT', client.logout()).catch(() => {})
      client.close()
    },
    abort: () => client.close(),
  }
}

function options(access: MailboxAccess, limits: ImapLimits): ImapFlowOptions {
  return {
    host: access.host,
    port: access.port,
    secure: access.tls === 'implicit',
    // Undefined would mean "in clear when the server offers no STARTTLS", which anybody on the path can arrange.
    ...(access.tls === 'implicit' ? {} : { doSTARTTLS: access.tls === 'starttls' }),
    clientInfo: { name: 'Mailsluice', version: '0', vendor: 'Mailsluice', 'support-url': '' },
    disableAutoIdle: true,
    disableCompression: true,
    disableIMAP4rev2: true,
    connectionTimeout: limits.connectMs,
    greetingTimeout: limits.greetingMs,
    socketTimeout: limits.idleMs,
    maxLineLength: limits.lineOctets,
    maxLiteralSize: limits.literalOctets,
    maxResponseSize: limits.literalOctets + limits.lineOctets,
    maxResponseTokens: limits.responseTokens,
  }
}

/** Before the session stands, a lost connection is one that was not made; the rest keeps its meaning. */
function duringSignIn(error: unknown, where: string, by: 'a password' | 'an access token'): unknown {
  if (error instanceof IngestError && error.code === 'CONNECTION_LOST')
    return new IngestError('CONNECTION_FAILED', error.message, { cause: error.cause })
  // imapflow's one failure without a code or an answer of the server.
  if (error instanceof Error && error.message === 'Unsupported authentication mechanism')
    return new IngestError(
      'AUTHENTICATION_FAILED',
      `${where}: the server offers no way to sign in with ${by}`,
      {
        cause: error,
      },
    )
  return error
}
