import { IngestError } from '../errors.ts'
import { printable } from './connection-errors.ts'
import { answerOf, type Completion, completionOf, tagOf } from './imap-completion.ts'
import { type LogIn, logInBy, type Secret } from './imap-log-in.ts'
import { type ImapLine, ImapReader } from './imap-reader.ts'
import type { TakenSocket } from './imap-taken-socket.ts'
import type { ImapSocket } from './imap-transport.ts'
import type { MailboxAccess } from './mailbox.ts'

/** A connection on which somebody has signed in, and nothing is under way. */
export interface SignedIn {
  /** Upper case, as the server gave them last. */
  readonly capabilities: ReadonlySet<string>
  /** That was before the log-in; they are to be asked for again. */
  readonly capabilitiesAged: boolean
  readonly socket: TakenSocket
  /** What arrived and was not asked for. */
  readonly unread: Buffer
}

/** Name, password, and what is asked in vain. */
const MOST_CHALLENGES = 10
const CAPABILITIES = /^(?:\* CAPABILITY |\S+ (?:OK|PREAUTH) \[CAPABILITY )([^\]]*)/i

/**
 * Greeting, STARTTLS, log-in (RFC 9051, 6.1 and 6.2). What the server can do is asked for only where it does not say so by itself, in its
 * greeting and with the end of the log-in, as most do. Rejects with an IngestError; the connection is of no use then.
 */
export async function signInImap(
  line: ImapLine,
  socket: ImapSocket,
  access: MailboxAccess,
  secret: Secret,
): Promise<SignedIn> {
  let session = new Opening(line, socket, access)
  const greeting = await session.greeting()
  if (access.tls === 'starttls') {
    // It may have been said to keep the log-in, or all, in clear.
    if (greeting === 'PREAUTH')
      throw new IngestError('TLS_UNAVAILABLE', `${line.where}: STARTTLS: the greeting leaves no room for it`)
    await session.startTls()
    session.endClear()
    await line.run('STARTTLS', () => socket.startTls(access), { timeoutMs: line.limits.connectMs })
    // What was said in clear counts for nothing.
    session = new Opening(line, socket, access)
  }
  if (greeting === 'OK') {
    const offered = await session.capabilities()
    const logIn = logInBy(offered, access, secret)
    if ('impossible' in logIn)
      throw new IngestError('AUTHENTICATION_FAILED', `${line.where}: ${logIn.impossible}`)
    await session.logIn(logIn, secret)
  }
  const capabilities = session.showsAll ? session.known : await session.capabilities()
  return { capabilities, capabilitiesAged: !session.said, socket: session.socket, unread: session.rest() }
}

/** The conversation before imapflow: one command at a time. */
class Opening {
  readonly socket: TakenSocket
  readonly #line: ImapLine
  readonly #reader: ImapReader
  readonly #transcript: ((line: string) => void) | undefined
  #tags = 0
  known: ReadonlySet<string> = new Set()
  /** Whether they are those of now. */
  said = false

  constructor(line: ImapLine, socket: ImapSocket, { transcript }: MailboxAccess) {
    const { limits } = line
    this.#line = line
    this.socket = socket.take(limits.readAheadOctets, limits.idleMs) as TakenSocket
    this.#reader = new ImapReader(line, this.socket, {
      lineOctets: limits.rowOctets,
      literalOctets: limits.rowOctets,
    })
    this.#transcript = transcript
  }

  async greeting(): Promise<'OK' | 'PREAUTH'> {
    const { limits } = this.#line
    this.#reader.doing = 'greeting'
    this.#reader.allow(0)
    const line = await this.#line.run('greeting', () => this.#heard(), { timeoutMs: limits.greetingMs })
    const [, status = ''] = /^\* (OK|PREAUTH)\b/i.exec(line) ?? []
    if (status !== '') return status.toUpperCase() as 'OK' | 'PREAUTH'
    throw new IngestError(
      'PROTOCOL_VIOLATION',
      `${this.#line.where}: sign-in: the greeting is not that of IMAP: ${printable(line)}`,
    )
  }

  /**
   * Whether nothing is to be expected of CAPABILITY that is not known: before a log-in, most servers name only what leads to it. One that names
   * what is of use after it (Exchange, Courier) names all.
   */
  get showsAll(): boolean {
    return [...this.known].some((name) => /^(UIDPLUS|MOVE|UNSELECT|NAMESPACE|CHILDREN)$/.test(name))
  }

  /** Empty, or what was known before, where the server refuses to say. */
  async capabilities(): Promise<ReadonlySet<string>> {
    if (!this.said) await this.#exchange('CAPABILITY', { first: 'CAPABILITY', shown: 'CAPABILITY' })
    this.said = true
    return this.known
  }

  async startTls(): Promise<void> {
    const completion = await this.#exchange('STARTTLS', { first: 'STARTTLS', shown: 'STARTTLS' })
    if (completion.status !== 'OK')
      throw this.#line.translate(answerOf(completion), 'STARTTLS', 'TLS_UNAVAILABLE')
  }

  async logIn(logIn: LogIn, secret: Secret): Promise<void> {
    // Signing in changes them.
    this.said = false
    const completion = await this.#exchange('sign-in', logIn)
    if (completion.status === 'OK') return
    throw this.#line.translate(
      Object.assign(answerOf(completion), { oauthError: logIn.oauthError?.() }),
      'sign-in',
      secret.by === 'password' ? 'AUTHENTICATION_FAILED' : 'ACCESS_TOKEN_REJECTED',
    )
  }

  /** What is said in clear ends here. Whoever sits on the path could have written what follows into the stream. */
  endClear(): void {
    const { where } = this.#line
    if (this.rest().length > 0 || this.socket.read())
      throw new IngestError(
        'PROTOCOL_VIOLATION',
        `${where}: STARTTLS: the server sent octets in clear before the handshake, which may be an injection`,
      )
    this.socket.giveBack(Buffer.alloc(0))
  }

  rest(): Buffer {
    return this.#reader.rest()
  }

  async #exchange(doing: string, { first, shown, next }: LogIn): Promise<Completion> {
    const tag = tagOf(++this.#tags)
    this.#reader.doing = doing
    this.#reader.allow(0)
    this.#send(`${tag} ${first}`, `${tag} ${shown}`)
    let challenges = 0
    while (true) {
      const line = await this.#heard()
      const [, challenge] = /^\+ ?(.*)$/.exec(line) ?? []
      if (challenge !== undefined && !next) continue
      if (challenge !== undefined) {
        // Who asks without reading would fill our memory with answers.
        if (++challenges > MOST_CHALLENGES)
          throw new IngestError(
            'PROTOCOL_VIOLATION',
            `${this.#line.where}: ${doing}: one question after the other`,
          )
        const answer = next?.(challenge)
        // Ends the exchange (RFC 9051, 6.2.2).
        this.#send(answer ?? '*', answer === undefined ? '*' : '***')
        continue
      }
      const completion = completionOf(line)
      if (completion && (completion.tag ?? tag) === tag) return completion
    }
  }

  #send(line: string, shown: string): void {
    this.#transcript?.(`C: ${shown}`)
    this.socket.write(`${line}\r\n`)
  }

  /** The first line of the next response. */
  async #heard(): Promise<string> {
    const line = await this.#reader.line()
    await this.#reader.skipRest(line)
    const { text } = line
    this.#transcript?.(`S: ${printable(text)}`)
    const [, names] = CAPABILITIES.exec(text) ?? []
    if (names !== undefined) {
      this.known = new Set(names.toUpperCase().split(' ').filter(Boolean))
      this.said = true
    }
    const [, why] = /^\* BYE\b(?: \[[^\]]*\])? ?(.*)$/i.exec(text) ?? []
    if (why === undefined) return text
    this.#reader.byeReason = why
    throw this.#reader.lost()
  }
}
