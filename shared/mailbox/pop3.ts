import { createHash, randomUUID } from 'node:crypto'
import type { Epoch, Uidl } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { DRAIN, POP3 } from '../limits.ts'
import type { Octets } from '../octets.ts'
import {
  type Acknowledgement,
  type AcknowledgementEffect,
  type Fetched,
  type FetchOptions,
  type FolderStatus,
  type Listing,
  type MailboxAccess,
  type MailboxSession,
  type OpenMailbox,
  SESSION_ID_PREFIX,
  type ServerFacts,
  type ServerId,
} from './mailbox.ts'
import { Pop3Connection, type Pop3Limits } from './pop3-connection.ts'
import { type Capabilities, refusalOf, type Secret, type SignedIn, said, signIn } from './pop3-sign-in.ts'
import { commandLine, parseRows } from './pop3-wire.ts'

/**
 * The mailbox port over POP3 (RFC 1939, 2449, 2595, 3206, 5034).
 *
 * Ids are UIDLs (epoch `uidl`). A server without UIDL is told from its header: the SHA-256 of what TOP n 0 answers, with the size that LIST says
 * (epoch `top`); the message itself would have to be fetched to know it. Where neither is to be had, and for messages that
 * share an id, an id of this session stands in: such a message is fetched by every drain and known by its octets, for skipping one that
 * only looks known would lose it.
 */
export const openPop3: OpenMailbox = pop3Opener(POP3)

/** `limits`: so that a test need not wait a minute. */
export function pop3Opener(limits: Pop3Limits): OpenMailbox {
  return async (access) => {
    const secret: Secret = access.accessToken
      ? { by: 'access token', accessToken: await access.accessToken() }
      : { by: 'password', password: await access.password() }
    const connection = await Pop3Connection.open(access, limits)
    try {
      const signedIn = await signIn(connection, access, secret, listing())
      connection.tokenEndsAt = access.accessTokenEndsAt
      return new Pop3Session(connection, access, signedIn, limits)
    } catch (error) {
      connection.destroy()
      throw error
    }
  }
}

const FOLDER = 'INBOX'
/** How the maildrop is listed. */
const LISTING = ['UIDL', 'LIST'] as const
const listing = (): string => LISTING.map((verb) => commandLine(verb)).join('')

interface Message {
  readonly id: ServerId
  readonly number: number
  /** As LIST says; 0 when it does not. */
  readonly octets: number
}

class Pop3Session implements MailboxSession {
  readonly protocol = 'pop3'
  readonly acknowledgedBy = 'close'
  readonly server: ServerFacts
  readonly #connection: Pop3Connection
  readonly #limits: Pop3Limits
  readonly #capabilities: Capabilities
  /** The maildrop is locked for the session: what was listed stays (RFC 1939, 4). */
  #maildrop: { readonly epoch: Epoch; readonly messages: ReadonlyMap<ServerId, Message> } | undefined
  /** Its answers come next. */
  #listingAsked: boolean
  readonly #deleted = new Set<ServerId>()
  #open = true

  constructor(
    connection: Pop3Connection,
    { host, port }: MailboxAccess,
    { capabilities, asked }: SignedIn,
    limits: Pop3Limits,
  ) {
    this.#connection = connection
    this.#capabilities = capabilities
    this.#listingAsked = asked
    this.#limits = limits
    this.server = {
      host,
      port,
      tls: connection.tls,
      certificateSha256: connection.certificateSha256,
      capabilities: [...capabilities].map(([name, arguments_]) => [name, ...arguments_].join(' ')),
    }
  }

  async folders(): Promise<readonly string[]> {
    return [FOLDER]
  }

  async status(): Promise<readonly FolderStatus[]> {
    const { epoch, messages } = await this.#look()
    const ids = [...messages.keys()]
    return [{ folder: FOLDER, epoch, messages: ids.length, uidNext: undefined, ids }]
  }

  async list(folder: string): Promise<Listing> {
    const { epoch, messages } = await this.#look()
    const ids = [...messages.keys()].filter((id) => !this.#deleted.has(id))
    return { folder, epoch, ids, selected: undefined, uidNext: undefined }
  }

  async *fetch(_: Listing, ids: readonly ServerId[], options: FetchOptions): AsyncGenerator<Fetched> {
    const { messages } = await this.#look()
    const window = new RetrievalWindow(this.#limits, this.#pipelining)
    const waiting = ids.values()
    let next = waiting.next()
    let asking = true
    while (true) {
      let lines = ''
      for (; asking && !next.done; next = waiting.next()) {
        const message = messages.get(next.value)
        if (!message || message.octets > options.maxOctets) {
          yield message ? tooLarge(this.#where(message), message, options) : gone(next.value)
          continue
        }
        if (!window.hasRoomFor(message)) break
        asking = options.keepGoing()
        if (!asking) break
        window.add(message)
        lines += commandLine('RETR', String(message.number))
      }
      if (lines !== '') this.#connection.send(lines)
      const message = window.take()
      if (!message) return
      yield await this.#retrieve(message, options)
    }
  }

  async outstanding(_: Listing, ids: readonly ServerId[]): Promise<readonly ServerId[]> {
    const { messages } = await this.#look()
    return ids.filter((id) => messages.has(id) && !this.#deleted.has(id))
  }

  async acknowledge(
    _: Listing,
    ids: readonly ServerId[],
    action: Acknowledgement,
  ): Promise<AcknowledgementEffect> {
    if (action.kind !== 'delete')
      throw this.#connection.error(
        'ACKNOWLEDGEMENT_REFUSED',
        `POP3 cannot ${action.kind} messages, only delete them`,
      )
    const { messages } = await this.#look()
    const wanted = ids.flatMap((id) => messages.get(id) ?? []).filter(({ id }) => !this.#deleted.has(id))
    const refused: string[] = []
    await this.#pipeline(wanted, 'DELE', async ({ id, number }) => {
      const status = await this.#connection.status(`DELE ${number}`)
      if (status.ok) this.#deleted.add(id)
      else refused.push(`message ${number}: ${said(status)}`)
    })
    if (refused.length > 0)
      throw this.#connection.error(
        'ACKNOWLEDGEMENT_REFUSED',
        `DELE: ${refused.length} refused; ${refused[0]}`,
      )
    return 'deleted'
  }

  /** QUIT: only now the server deletes (RFC 1939, 6). Without deletions its answer changes nothing. */
  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    const connection = this.#connection
    try {
      if (this.#listingAsked) await this.#answers()
      const status = await connection.command(commandLine('QUIT'), 'QUIT')
      if (!status.ok && this.#deleted.size > 0)
        throw connection.error('SERVER_UNAVAILABLE', `QUIT: messages may not be deleted: ${said(status)}`)
    } catch (error) {
      if (this.#deleted.size > 0 || !(error instanceof IngestError)) throw error
    } finally {
      connection.destroy()
    }
  }

  abort(): void {
    this.#open = false
    this.#connection.destroy()
  }

  get #pipelining(): boolean {
    return this.#capabilities.has('PIPELINING')
  }

  #where({ number }: Message): string {
    return `${this.#connection.where}: message ${number}`
  }

  /** Lists the maildrop, once in a session. */
  async #look() {
    this.#maildrop ??= await this.#list()
    return this.#maildrop
  }

  async #list() {
    const [uidls, sizes] = await this.#answers()
    const octets = new Map<number, number>()
    for (const [number, size] of this.#rows(sizes ?? '', 'LIST')) octets.set(number, Number(size) || 0)
    const ids = uidls === undefined ? await this.#headerIds(octets) : new Map(this.#rows(uidls, 'UIDL'))
    const times = new Map<string, number>()
    for (const id of ids.values()) times.set(id, (times.get(id) ?? 0) + 1)
    const session = randomUUID()
    const messages = new Map<ServerId, Message>()
    // A message that one of the two lists left out is there all the same.
    for (const number of [...new Set([...octets.keys(), ...ids.keys()])].sort((a, b) => a - b)) {
      const lasting = ids.get(number)
      const known = lasting !== undefined && times.get(lasting) === 1
      const id = (known ? lasting : `${SESSION_ID_PREFIX}${session}-${number}`) as Uidl
      messages.set(id, { id, number, octets: octets.get(number) ?? 0 })
    }
    return { epoch: (uidls === undefined ? 'top' : 'uidl') as Epoch, messages }
  }

  /**
   * Multi-line answers; undefined for a command that the server does not know. One that it knows and refuses must not look like an empty
   * maildrop: Gmail takes the log-in of a mailbox without POP access, and refuses what comes next.
   */
  async #answers(): Promise<(string | undefined)[]> {
    const connection = this.#connection
    let asked = this.#listingAsked
    this.#listingAsked = false
    if (!asked && this.#pipelining) {
      connection.send(listing())
      asked = true
    }
    const answers: (string | undefined)[] = []
    for (const verb of LISTING) {
      if (!asked) connection.send(commandLine(verb))
      connection.allow(this.#limits.listOctets)
      const status = await connection.status(verb)
      if (!status.ok && (status.code !== '' || verb === 'LIST'))
        throw connection.error(refusalOf(status, 'SERVER_UNAVAILABLE'), `${verb}: ${said(status)}`)
      answers.push(status.ok ? await connection.text(verb) : undefined)
    }
    return answers
  }

  #rows(body: string, verb: string): (readonly [number, string])[] {
    const rows: (readonly [number, string])[] = []
    for (const row of parseRows(body)) {
      if (rows.push(row) > this.#limits.listRows)
        throw this.#connection.error(
          'PROTOCOL_VIOLATION',
          `${verb}: more than ${this.#limits.listRows} messages`,
        )
    }
    return rows
  }

  /** Without UIDL: the digest of each header. A message whose TOP is refused gets none. */
  async #headerIds(sizes: ReadonlyMap<number, number>): Promise<Map<number, string>> {
    const ids = new Map<number, string>()
    const connection = this.#connection
    const messages = [...sizes].map(([number, octets]) => ({ id: '' as Uidl, number, octets }))
    await this.#pipeline(messages, 'TOP', async ({ number, octets }) => {
      connection.allow()
      const status = await connection.status(`TOP ${number}`)
      if (!status.ok) return
      const hash = createHash('sha256')
      for await (const chunk of connection.body(`TOP ${number}`)) hash.update(chunk)
      ids.set(number, `top-${hash.update(`\0${octets}`).digest('hex')}`)
    })
    return ids
  }

  /** Sends a command for each message, many ahead where the server allows, and lets `answer` read the answers in order. */
  async #pipeline(
    messages: readonly Message[],
    verb: 'DELE' | 'TOP',
    answer: (message: Message) => Promise<void>,
  ): Promise<void> {
    const most = this.#pipelining ? this.#limits.pipelineCommands : 1
    const lineOf = ({ number }: Message): string =>
      verb === 'TOP' ? commandLine(verb, String(number), '0') : commandLine(verb, String(number))
    let sent = 0
    for (const [at, message] of messages.entries()) {
      const ahead = messages.slice(sent, at + most)
      if (ahead.length > 0) this.#connection.send(ahead.map(lineOf).join(''))
      sent += ahead.length
      this.#connection.allow()
      await answer(message)
    }
  }

  async #retrieve(message: Message, { maxOctets, spool }: FetchOptions): Promise<Fetched> {
    const { id, number, octets: announcedOctets } = message
    const connection = this.#connection
    connection.allow(announcedOctets)
    const status = await connection.status(`RETR ${number}`)
    if (!status.ok) {
      const code = refusalOf(status, 'MESSAGE_UNFETCHABLE')
      const error = new IngestError(code, `${this.#where(message)}: RETR: ${said(status)}`)
      // The server is in trouble, not the message.
      if (error.scope !== 'message') throw error
      return { id, octets: undefined, error, announcedOctets }
    }
    const body = connection.body(`RETR ${number}`)
    async function* bounded(): AsyncGenerator<Buffer> {
      let length = 0
      for (let next = await body.next(); !next.done; next = await body.next()) {
        length += next.value.length
        if (length > maxOctets) throw TOO_LARGE
        yield next.value
      }
    }
    let octets: Octets
    try {
      octets = await spool.collect(bounded(), DRAIN.memoryMessageOctets, announcedOctets)
    } catch (error) {
      if (error !== TOO_LARGE) throw error
      // The rest is read and dropped, for the next answer comes after it.
      for (let next = await body.next(); !next.done; next = await body.next());
      return tooLarge(this.#where(message), message, { maxOctets })
    }
    const differs = announcedOctets > 0 && announcedOctets !== octets.length
    return { id, octets, metadata: {}, announcedOctets: differs ? announcedOctets : undefined }
  }
}

const TOO_LARGE: unique symbol = Symbol('too large')

/**
 * What was asked for and not read yet: bounded in commands and octets, one at a time without PIPELINING (RFC 2449, 6.6). The octets are more the faster they are
 * taken: the receiver's time counts, too.
 */
class RetrievalWindow {
  readonly #commands: number
  readonly #limits: Pop3Limits
  readonly #asked: Message[] = []
  #first = 0
  #octetsAsked = 0
  #octetsTaken = 0
  readonly #beganMs = performance.now()

  constructor(limits: Pop3Limits, pipelining: boolean) {
    this.#commands = pipelining ? limits.pipelineCommands : 1
    this.#limits = limits
  }

  hasRoomFor({ octets }: Message): boolean {
    const commands = this.#asked.length - this.#first
    return commands === 0 || (commands < this.#commands && this.#octetsAsked + octets <= this.#octetsMost)
  }

  add(message: Message): void {
    this.#asked.push(message)
    this.#octetsAsked += message.octets
  }

  take(): Message | undefined {
    const message = this.#asked[this.#first]
    if (!message) return undefined
    this.#first++
    this.#octetsAsked -= message.octets
    this.#octetsTaken += message.octets
    // Shifting one by one would move the whole window each time.
    if (this.#first >= this.#commands) {
      this.#asked.splice(0, this.#first)
      this.#first = 0
    }
    return message
  }

  get #octetsMost(): number {
    const { pipelineOctets, pipelineOctetsMost, pipelineMs } = this.#limits
    const carried = (this.#octetsTaken / Math.max(1, performance.now() - this.#beganMs)) * pipelineMs
    return Math.min(Math.max(carried, pipelineOctets), pipelineOctetsMost)
  }
}

function tooLarge(
  where: string,
  { id, octets }: Message,
  { maxOctets }: Pick<FetchOptions, 'maxOctets'>,
): Fetched {
  const error = new IngestError(
    'MESSAGE_TOO_LARGE',
    `${where}: ${octets > maxOctets ? `${octets} octets` : `more octets than the ${octets} announced`}; the limit is ${maxOctets}`,
  )
  return { id, octets: undefined, error, announcedOctets: octets }
}

function gone(id: ServerId): Fetched {
  const error = new IngestError('MESSAGE_GONE', `message ${id}: it is not in the maildrop`)
  return { id, octets: undefined, error, announcedOctets: undefined }
}
