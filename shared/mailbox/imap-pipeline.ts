import type { Uid } from '../contract/ids.ts'
import type { IngestError } from '../errors.ts'
import { memoryOctets, type Octets } from '../octets.ts'
import { printable } from './connection-errors.ts'
import { completionOf, refusalOf, tagOf } from './imap-completion.ts'
import type { ImapConnection } from './imap-connection.ts'
import { type FetchRow, isFetchRow } from './imap-fetch-row.ts'
import { ImapReader, type Line } from './imap-reader.ts'
import { messageItems } from './imap-row.ts'
import { fetchOf } from './imap-rows.ts'
import type { TakenSocket } from './imap-taken-socket.ts'
import type { FetchOptions } from './mailbox.ts'
import { uidSet } from './uid-set.ts'

// UID FETCH of whole messages, the next ones on the wire before the first is answered (RFC 9051, 5.5), on the socket of an
// imapflow that is between two commands. What the server says besides goes on to imapflow, so that it knows what it would know.

/** One UID FETCH that is under way. */
export interface Batch {
  readonly uids: readonly Uid[]
  /** As announced. */
  readonly octets: number
  /** UIDs without an answer yet. */
  readonly open: Set<Uid>
  /** Sent when nothing else was under way. */
  readonly alone: boolean
}

export type Answer =
  | { readonly kind: 'message'; readonly row: FetchRow; readonly body: Body }
  /** The FETCH is complete. `refused`: with NO or BAD that concerns these messages only; the connection goes on. */
  | { readonly kind: 'done'; readonly batch: Batch; readonly refused: IngestError | undefined }

/** `tooLarge`: of so many octets, which were passed over. Null: NIL. */
export type Body = Octets | null | { readonly tooLarge: number }

type Sink = Pick<FetchOptions, 'maxOctets' | 'spool'>

export class FetchPipeline {
  readonly #connection: ImapConnection
  readonly #socket: TakenSocket
  readonly #reader: ImapReader
  readonly #items: string
  readonly #batches = new Map<string, Batch>()
  #octetsInFlight = 0
  #tags = 0

  private constructor(connection: ImapConnection, socket: TakenSocket, maxOctets: number) {
    const { rowOctets, literalOctets } = connection.limits

    this.#connection = connection
    this.#socket = socket
    this.#reader = new ImapReader(connection, socket, {
      lineOctets: rowOctets,
      // A message goes to the disk as it comes; what is longer than any may be is passed over as far as this.
      literalOctets: Math.max(literalOctets, maxOctets),
    })
    this.#items = messageItems(connection.client)
  }

  /** The folder is selected and no command in flight; nothing else may be asked of the connection until `close`. */
  static async open(connection: ImapConnection, maxOctets: number): Promise<FetchPipeline> {
    return new FetchPipeline(connection, await connection.takeSocket(), maxOctets)
  }

  get batchesInFlight(): number {
    return this.#batches.size
  }

  get octetsInFlight(): number {
    return this.#octetsInFlight
  }

  /** The message that is awaited next. */
  get first(): Uid | undefined {
    for (const { open } of this.#batches.values()) for (const id of open) return id
    return undefined
  }

  /** `uids` ascending, their set no longer than a command line may be. */
  send(requests: readonly Pick<Batch, 'uids' | 'octets'>[]): void {
    if (requests.length === 0) return
    const idle = this.#batches.size === 0
    let lines = ''
    for (const { uids, octets } of requests) {
      const tag = tagOf(++this.#tags)
      const command = `${tag} UID FETCH ${uidSet(uids)} ${this.#items}`
      this.#connection.transcript?.(`C: ${command}`)
      this.#batches.set(tag, { uids, octets, open: new Set(uids), alone: this.#batches.size === 0 })
      this.#octetsInFlight += octets
      lines += `${command}\r\n`
    }
    if (idle) this.#awaitFirst()
    this.#socket.write(lines)
  }

  /**
   * The next message that was asked for, or the end of a FETCH. Rejects with an IngestError of scope session or mailbox, and the
   * connection is of no use then.
   */
  async next(sink: Sink): Promise<Answer> {
    while (true) {
      const line = await this.#reader.line()
      if (isFetchRow(line.text)) {
        const message = await this.#message(line, sink)
        if (message) return message
      } else if (line.text.startsWith('* ')) {
        await this.#reader.passOn(line)
      } else {
        await this.#reader.skipRest(line)
        const done = this.#completed(line.text)
        if (done) return done
      }
    }
  }

  /** Gives the socket back to imapflow. Drops the connection when answers are under way that nobody will read. */
  close(): void {
    if (this.#batches.size > 0 || this.#socket.ended) this.#connection.abort()
    else this.#socket.giveBack(this.#reader.rest())
  }

  async #message(first: Line, sink: Sink): Promise<Answer | undefined> {
    const read: { body: Body } = { body: null }
    const row = await this.#reader.row(first, async (octets) => {
      read.body = await this.#body(octets, sink)
    })
    const batch = row && row.body !== undefined ? this.#batchOf(row.uid) : undefined
    if (!row || !batch) {
      // Said unasked, as news of flags are, or a second time.
      if (read.body && 'discard' in read.body) await read.body.discard()
      return undefined
    }
    batch.open.delete(row.uid)
    const body = Buffer.isBuffer(row.body) ? memoryOctets(row.body) : read.body
    return { kind: 'message', row, body }
  }

  async #body(octets: number, { maxOctets, spool }: Sink): Promise<Body> {
    if (octets > maxOctets) {
      await this.#reader.skip(octets)
      return { tooLarge: octets }
    }
    if (octets > this.#connection.limits.wholeMessageOctets)
      return spool.collect(this.#reader.literal(octets), 0)
    return spool.fill(octets, (memory) => this.#reader.whole(memory))
  }

  #batchOf(uid: Uid): Batch | undefined {
    for (const batch of this.#batches.values()) if (batch.open.has(uid)) return batch
    return undefined
  }

  #completed(line: string): Answer | undefined {
    const completion = completionOf(line)
    const [first = ''] = this.#batches.keys()
    const tag = completion && (completion.tag ?? first)
    const batch = this.#batches.get(tag ?? '')
    // What is no answer to anything that was asked says nothing.
    if (!completion || !batch) return undefined
    this.#connection.transcript?.(`S: ${printable(line)}`)
    const refused = refusalOf(completion, fetchOf(batch.uids), this.#connection, this.#reader)
    this.#batches.delete(tag ?? '')
    this.#octetsInFlight -= batch.octets
    if (tag === first) this.#awaitFirst()
    return { kind: 'done', batch, refused }
  }

  #awaitFirst(): void {
    const [first] = this.#batches.values()
    if (!first) return
    this.#reader.allow(first.octets)
    this.#reader.doing = fetchOf(first.uids)
  }
}
