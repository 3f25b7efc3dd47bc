import { ImapFlow, type ImapFlowOptions, type MailboxObject } from 'imapflow'
import { within } from '../deadline.ts'
import { type ErrorCode, IngestError } from '../errors.ts'
import type { IMAP } from '../limits.ts'
import { LOOPBACK } from './connection-errors.ts'
import { tagOf } from './imap-completion.ts'
import { toIngestError } from './imap-errors.ts'
import { type Along, runAlong } from './imap-exchange.ts'
import type { Secret } from './imap-log-in.ts'
import { signInImap } from './imap-sign-in.ts'
import type { TakenSocket } from './imap-taken-socket.ts'
import { imapLogger } from './imap-transcript.ts'
import { type ImapSocket, openImapSocket } from './imap-transport.ts'
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
  /**
   * Runs a command: rejects with an IngestError of scope session or mailbox, and closes the connection when `timeoutMs` of
   * wall clock have passed (imapflow's own timeout counts silence only). `refused` is what a plain NO or BAD means. What a session begins
   * with, and `along`, is on the wire together with the first command of the work, so that it is not waited for.
   */
  run<T>(doing: string, work: () => Promise<T>, options?: RunOptions): Promise<T>
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
  /** LOGOUT, whose answer is not waited for: what was asked is answered by now. No command may be in flight. */
  leave(): Promise<void>
  /** LOGOUT, and its answer. */
  close(): Promise<void>
  abort(): void
}

export interface RunOptions {
  /** @default `commandMs` for each command that is waited for */
  readonly timeoutMs?: number
  readonly refused?: ErrorCode
  readonly along?: Along
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
  let signedIn = false
  /** Not sent yet. */
  let beginning: Along | undefined
  let destroy = (): void => {}
  const failed = (error: Error): void => {
    failure ??= error
  }
  const fail = (error: Error): void => {
    failed(error)
    destroy()
  }
  const { signal } = access
  const drop = (): void =>
    fail(new IngestError('CONNECTION_LOST', `${where}: it was dropped, for its time is over`))

  function translated(error: unknown, doing: string, refused: ErrorCode = 'SERVER_UNAVAILABLE'): unknown {
    const known = toIngestError(failure ?? error, `${where}: ${doing}`, refused)
    if (!signedIn || !(known instanceof IngestError)) return known
    const code = sessionCode(known.code, access.accessTokenEndsAt)
    return code === known.code ? known : new IngestError(code, known.message, { cause: known.cause })
  }

  async function run<T>(
    doing: string,
    work: () => Promise<T>,
    {
      refused = 'SERVER_UNAVAILABLE',
      along,
      timeoutMs = limits.commandMs * (1 + (along?.behind?.length ?? 0)),
    }: RunOptions = {},
  ): Promise<T> {
    logged = undefined
    const together = [beginning, along].filter((one) => one !== undefined)
    beginning = undefined
    const working = (): Promise<T> =>
      together.length > 0 ? runAlong(connection, doing, work, together) : work()
    try {
      return await within(timeoutMs, `${where}: ${doing}`, working())
    } catch (error) {
      if (error instanceof IngestError && error.code === 'TIMED_OUT') fail(error)
      throw translated(error, doing, refused)
    }
  }

  async function open(
    secret: Secret,
  ): Promise<{ client: ImapFlow; socket: ImapSocket; capabilities: readonly string[] }> {
    const connecting = openImapSocket(access, failed, (close) => {
      destroy = close
      if (signal?.aborted) drop()
    })
    const socket = await run('connecting', () => connecting, { timeoutMs: limits.connectMs })
    const line = { limits, where, run, translate: translated }
    const { capabilities, capabilitiesAged, ...held } = await signInImap(line, socket, access, secret)
    const client = new ImapFlow({
      ...options(access, limits),
      secure: socket.tls !== 'none',
      transport: socket.introduce(held.socket, held.unread, [...capabilities]),
      logger: imapLogger(
        (error) => {
          logged = error
          // imapflow would wait for what the server asks, up to minutes of a Lambda; our queue can wait cheaper.
          // imapflow logs first and then begins to wait; only a wait that has begun ends with the connection.
          if (String((error as { code?: unknown }).code) === 'ETHROTTLE') setImmediate(fail, error)
        },
        // Before, imapflow talks to nobody.
        (said) => signedIn && access.transcript?.(said),
      ),
    })
    destroy = () => client.close()
    client.once('close', () => signal?.removeEventListener('abort', drop))
    // The true cause of a lost connection comes here only, and without a listener it would end the process.
    client.on('error', failed)
    await client.connect()
    beginning = beginningOf(client, capabilities, capabilitiesAged)
    return { client, socket, capabilities: [...capabilities] }
  }

  const signIn = (secret: Secret) => run('sign-in', () => open(secret), { timeoutMs: limits.signInMs })
  const secret = await secretOf(access)
  signal?.addEventListener('abort', drop)
  const { client, socket, capabilities } = await signIn(secret).catch((error: unknown) => {
    destroy()
    signal?.removeEventListener('abort', drop)
    throw duringSignIn(error)
  })
  signedIn = true
  const rev2 = capabilities.includes('IMAP4REV2') && !capabilities.includes('IMAP4REV1')

  const connection: ImapConnection = {
    client,
    limits,
    where,
    server: {
      host: access.host,
      port: access.port,
      tls: socket.tls,
      certificateSha256: socket.certificateSha256,
      capabilities: capabilities.map((name) => name.replace(/^(IMAP4)REV(?=[12]$)/, '$1rev')),
    },
    run,
    translate: translated,
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
    async leave() {
      const leaving = async (): Promise<void> => {
        const taken = await connection.takeSocket()
        const command = `${tagOf(1)} LOGOUT`
        access.transcript?.(`C: ${command}`)
        taken.part(`${command}\r\n`)
      }
      await within(limits.logoutMs, 'LOGOUT', leaving()).catch(() => client.close())
      // The server closes the connection before.
      setTimeout(() => client.close(), limits.logoutMs).unref()
    },
    async close() {
      await within(limits.logoutMs, 'LOGOUT', client.logout()).catch(() => {})
      client.close()
    },
    abort: () => client.close(),
  }
  return connection
}

async function secretOf(access: MailboxAccess): Promise<Secret> {
  return access.accessToken
    ? { by: 'access token', accessToken: await access.accessToken() }
    : { by: 'password', password: await access.password() }
}

/**
 * What a session begins with, before a folder is selected. A server may hide or replace mail with addresses beyond ASCII from who has not
 * enabled UTF8=ACCEPT (RFC 6855, 7), and NetEase takes no SELECT from who has not given a name (RFC 2971).
 */
function beginningOf({ enabled }: ImapFlow, told: ReadonlySet<string>, aged: boolean): Along | undefined {
  const before = aged ? ['CAPABILITY'] : []
  if (told.has('UTF8=ACCEPT')) before.push('ENABLE UTF8=ACCEPT')
  if (told.has('ID')) before.push('ID ("name" "Mailsluice" "version" "0" "vendor" "Mailsluice")')
  if (before.length === 0) return undefined
  const said = (line: string): void => {
    if (/^\* ENABLED\b.* UTF8=ACCEPT\b/i.test(line)) enabled.add('UTF8=ACCEPT')
  }
  return { before, untagged: { said } }
}

function options(access: MailboxAccess, limits: ImapLimits): ImapFlowOptions {
  return {
    host: access.host,
    port: access.port,
    // It finds the connection secured and signed in.
    doSTARTTLS: false,
    disableAutoIdle: true,
    disableCompression: true,
    disableIMAP4rev2: true,
    disableAutoEnable: true,
    socketTimeout: limits.idleMs,
    maxLineLength: limits.lineOctets,
    maxLiteralSize: limits.literalOctets,
    maxResponseSize: limits.literalOctets + limits.lineOctets,
    maxResponseTokens: limits.responseTokens,
  }
}

/** Before the session stands, a lost connection is one that was not made; the rest keeps its meaning. */
function duringSignIn(error: unknown): unknown {
  if (error instanceof IngestError && error.code === 'CONNECTION_LOST')
    return new IngestError('CONNECTION_FAILED', error.message, { cause: error.cause })
  return error
}
