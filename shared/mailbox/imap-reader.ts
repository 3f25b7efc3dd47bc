import { IngestError } from '../errors.ts'
import type { ImapConnection } from './imap-connection.ts'
import { type FetchRow, FetchRowReader } from './imap-fetch-row.ts'
import type { TakenSocket } from './imap-taken-socket.ts'
import { ImapWire, type Piece } from './imap-wire.ts'

/** What reading needs of a connection, signed in or not. */
export type ImapLine = Pick<ImapConnection, 'limits' | 'where' | 'run' | 'translate'>

export type Line = Extract<Piece, { kind: 'line' }>

const BYE = /^\* BYE(?: \[[^\]]*\])?(?: (.*))?$/i
/** Lists within lists: data items have two. */
const DEPTH = 20
/** For so long memory is filled without a look at the clocks. */
const FILL_MS = 1000

/**
 * Reads responses from a taken socket. Nothing is read from it unless somebody asks. Two clocks run while it waits: silence (`idleMs`), and
 * all waiting for one answer (`allow`). Every method rejects with an IngestError of scope session, and the connection is of no use then.
 */
export class ImapReader {
  /** What is awaited, for what is said when it does not come. */
  doing = 'FETCH'
  /** What the server said of its leaving. */
  byeReason: string | undefined
  readonly #connection: ImapLine
  readonly #socket: TakenSocket
  readonly #wire: ImapWire
  /** Waiting that is left for the answer at hand. */
  #leftMs = 0

  constructor(
    connection: ImapLine,
    socket: TakenSocket,
    { lineOctets, literalOctets }: { readonly lineOctets: number; readonly literalOctets: number },
  ) {
    this.#connection = connection
    this.#socket = socket
    this.#wire = new ImapWire({ lineOctets, literalOctets, responseOctets: literalOctets + lineOctets })
  }

  /** Waiting for the next answer may take `commandMs` in all, and longer for its octets. */
  allow(octets: number): void {
    const { commandMs, slowestOctetsPerSecond } = this.#connection.limits
    this.#leftMs = commandMs + (octets / slowestOctetsPerSecond) * 1000
  }

  async line(): Promise<Line> {
    while (true) {
      const piece = this.#piece() ?? (await this.#arrived())
      if (piece.kind === 'line') return piece
    }
  }

  /** The literal that a line announced, as it comes. Take it to its end. */
  async *literal(octets: number): AsyncGenerator<Buffer> {
    for (let left = octets; left > 0; ) {
      const piece = this.#piece() ?? (await this.#arrived())
      if (piece.kind !== 'literal') continue
      left -= piece.octets.length
      yield piece.octets
    }
  }

  /** The literal that a line announced, into memory of its length. */
  async whole(memory: Buffer): Promise<void> {
    for (let at = 0; at < memory.length; ) {
      const piece = this.#piece()
      if (piece) {
        if (piece.kind === 'literal') at += piece.octets.copy(memory, at)
        continue
      }
      // The larger part of a large one need not lie anywhere else before.
      const rest = memory.subarray(at)
      const filled = await this.#wait((mostMs) => this.#socket.fill(rest, Math.min(FILL_MS, mostMs / 4)))
      this.#wire.literalRead(filled)
      at += filled
    }
  }

  /**
   * A FETCH response from its first line on; undefined for what is none. `body` reads the literal of BODY[]; each other one may have
   * `rowOctets`, else PROTOCOL_VIOLATION.
   */
  async row(first: Line, body?: (octets: number) => Promise<void>): Promise<FetchRow | undefined> {
    const row = new FetchRowReader({ tokens: this.#connection.limits.responseTokens, depth: DEPTH })
    for (let line = first; ; line = await this.line()) {
      const { literalOctets, text } = line
      if (literalOctets === undefined) {
        row.line(text)
        return row.end()
      }
      row.line(text.slice(0, text.lastIndexOf('{')).replace(/~$/, ''))
      if (body && row.awaitsBody) {
        row.bodyIsLiteral()
        await body(literalOctets)
      } else row.literal(await this.#short(literalOctets))
    }
  }

  /** Hands a response from its first line on to imapflow. */
  async passOn(first: Line): Promise<void> {
    const bye = BYE.exec(first.text)
    if (bye) this.byeReason = bye[1] ?? ''
    const parts: Buffer[] = []
    for (let line = first; ; line = await this.line()) {
      parts.push(Buffer.from(`${line.text}\r\n`, 'latin1'))
      if (line.literalOctets === undefined) break
      parts.push(await this.#short(line.literalOctets))
    }
    await this.#socket.pass(Buffer.concat(parts))
  }

  /** Passes over what follows the first line of a response. */
  async skipRest(first: Line): Promise<void> {
    for (let line = first; line.literalOctets !== undefined; line = await this.line())
      await this.skip(line.literalOctets)
  }

  async skip(octets: number): Promise<void> {
    const literal = this.literal(octets)
    while (!(await literal.next()).done);
  }

  /** What was received and belongs to nothing that was read. */
  rest(): Buffer {
    return this.#wire.rest()
  }

  /** What a connection that has ended is. */
  lost(): unknown {
    const { byeReason } = this
    const lost = Object.assign(new Error('Connection not available'), {
      code: 'NoConnection',
      ...(byeReason === undefined ? {} : { reason: byeReason }),
    })
    return this.#connection.translate(lost, this.doing)
  }

  async #short(octets: number): Promise<Buffer> {
    const { rowOctets } = this.#connection.limits
    if (octets <= rowOctets) {
      const literal = Buffer.allocUnsafe(octets)
      await this.whole(literal)
      return literal
    }
    const what = `a literal of more than ${rowOctets} octets that is no message`
    throw this.#failed(new IngestError('PROTOCOL_VIOLATION', what))
  }

  #piece(): Piece | undefined {
    try {
      for (let piece = this.#wire.next(); ; piece = this.#wire.next()) {
        if (piece) return piece
        const chunk = this.#socket.read()
        if (!chunk) return undefined
        this.#wire.push(chunk)
      }
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** The next piece when it has to be waited for. */
  async #arrived(): Promise<Piece> {
    while (true) {
      await this.#wait(() => this.#socket.arrival())
      const piece = this.#piece()
      if (piece) return piece
    }
  }

  /** Only this counts as the server's time. */
  async #wait<T>(arrival: (mostMs: number) => Promise<T>): Promise<T> {
    if (this.#socket.ended) throw this.lost()
    const timeoutMs = Math.max(1, Math.min(this.#connection.limits.idleMs, this.#leftMs))
    const began = performance.now()
    const arrived = await this.#connection.run(this.doing, () => arrival(timeoutMs), { timeoutMs })
    this.#leftMs -= performance.now() - began
    return arrived
  }

  #failed(error: unknown): unknown {
    if (!(error instanceof IngestError)) return error
    const { where } = this.#connection
    return new IngestError(error.code, `${where}: ${this.doing}: ${error.message}`, { cause: error })
  }
}
