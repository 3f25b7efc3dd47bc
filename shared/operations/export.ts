import { join } from 'node:path'
import type { Archive } from '../archive/archive.ts'
import type { MailboxId } from '../contract/ids.ts'
import { ledgerPrefix, parseLedgerKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { type FetchedFromArchive, fetchAhead } from '../export/fetch-ahead.ts'
import { type ExportState, nameFile, readState, saveState, writeSums } from '../export/folder.ts'
import type { ExportFormat, Part } from '../export/part.ts'
import { EXPORT } from '../limits.ts'
import type { Octets } from '../octets.ts'
import { type ArchivedMessage, placeOf } from '../query/archived-messages.ts'
import { findByQuery, type QueryPorts } from '../query/find.ts'
import type { MessageQuery } from '../query/query.ts'

// Messages to files, in parts. A part is complete or not there: it gets its name when it is, and then the state of the export says so. An export that was
// interrupted goes on after its last part, and ends with the messages that were there when it began.

export interface ExportReport {
  readonly messages: number
  readonly octets: number
  /** Messages that could not be read. */
  readonly errors: number
  readonly parts: number
  /** Of the parts, those that an earlier run had written. */
  readonly resumed: number
  /** False when it was stopped: the same call goes on. */
  readonly complete: boolean
}

export interface ExportOptions {
  readonly keepGoing?: (() => boolean) | undefined
  readonly progress?: ((messages: number, octets: number) => void) | undefined
  /** @default EXPORT.partMessages */
  readonly partMessages?: number | undefined
}

/**
 * Exports what the query means into `folder`, with a SHA256SUMS over all of it. Rejects with EXPORT_FAILED (also for a folder that holds another export),
 * ARCHIVE_…, SPOOL_FAILED, LEDGER_CORRUPT, and SIGNING_… for a bundle.
 */
export async function exportMessages(
  query: MessageQuery,
  { folder, format }: { readonly folder: string; readonly format: ExportFormat },
  mailboxes: readonly MailboxId[],
  ports: QueryPorts,
  options: ExportOptions = {},
): Promise<ExportReport> {
  const state = await openState(folder, format, query, mailboxes, ports.archive)
  const resumed = state.parts.length
  const writing = new Writing(state, folder, format, options)
  const complete = await writing.write(fetchAhead(remaining(state, query, ports), ports))
  if (complete) await writeSums(folder, state, format)
  const total = (of: 'messages' | 'octets' | 'errors') => state.parts.reduce((sum, part) => sum + part[of], 0)
  return {
    messages: total('messages'),
    octets: total('octets'),
    errors: total('errors'),
    parts: state.parts.length,
    resumed,
    complete,
  }
}

/** What an export would hold, by what the ledgers say; reads no message that the query can be decided without. */
export async function countExport(
  query: MessageQuery,
  mailboxes: readonly MailboxId[],
  ports: QueryPorts,
): Promise<Pick<ExportReport, 'messages' | 'octets'>> {
  let [messages, octets] = [0, 0]
  for await (const { entry } of findByQuery(query, mailboxes, ports)) {
    messages++
    octets += entry.octets
  }
  return { messages, octets }
}

/** The messages after the last part. */
async function* remaining(
  { until, last }: ExportState,
  query: MessageQuery,
  ports: QueryPorts,
): AsyncGenerator<ArchivedMessage> {
  for (const mailbox of Object.keys(until).sort() as MailboxId[])
    for await (const message of findByQuery(query, [mailbox], ports, last)) {
      if (message.seq > (until[mailbox] as number)) break
      yield message
    }
}

class Writing {
  readonly #state: ExportState
  readonly #folder: string
  readonly #format: ExportFormat
  readonly #options: ExportOptions
  #messages = 0
  #octets = 0
  #errors = 0
  #last: ArchivedMessage | undefined
  readonly #adding: Promise<void>[] = []

  constructor(state: ExportState, folder: string, format: ExportFormat, options: ExportOptions) {
    this.#state = state
    this.#folder = folder
    this.#format = format
    this.#options = options
  }

  /** False when it was stopped. */
  async write(fetched: AsyncIterable<FetchedFromArchive>): Promise<boolean> {
    const { keepGoing = () => true } = this.#options
    let part: Part | undefined
    try {
      for await (const one of fetched) {
        if (!keepGoing()) {
          await one.octets?.discard()
          return false
        }
        if (part && this.#isFull(one.message)) {
          await this.#close(part)
          part = undefined
        }
        part ??= await this.#open(one)
        await this.#add(part, one)
      }
      if (part) await this.#close(part)
      part = undefined
      return true
    } finally {
      await Promise.allSettled(this.#adding)
      await part?.abort()
    }
  }

  async #open({ message, octets }: FetchedFromArchive): Promise<Part> {
    try {
      return await this.#format.open(this.#partialOf(message))
    } catch (error) {
      await octets?.discard()
      throw error
    }
  }

  /** Waits for as many as have to be done first, not for this one. */
  async #add(part: Part, { message, octets, error }: FetchedFromArchive): Promise<void> {
    const added = octets ? addAndDiscard(part, message, octets) : part.miss(message, error as IngestError)
    // Its failure is met when its turn comes.
    added.catch(() => undefined)
    this.#adding.push(added)
    if (octets) {
      this.#messages++
      this.#octets += octets.length
    } else this.#errors++
    this.#last = message
    this.#options.progress?.(this.#messages, this.#octets)
    if (this.#adding.length >= this.#format.addsAtOnce) await this.#adding.shift()
  }

  #isFull({ mailbox }: ArchivedMessage): boolean {
    const { partMessages = EXPORT.partMessages } = this.#options
    return (
      this.#messages + this.#errors >= partMessages ||
      this.#octets >= EXPORT.partOctets ||
      (this.#format.perMailbox && mailbox !== this.#last?.mailbox)
    )
  }

  /** Parts are numbered through, so that their order is that of the messages. */
  #nameOf({ mailbox }: ArchivedMessage): string {
    const number = String(this.#state.parts.length + 1).padStart(4, '0')
    return `${this.#format.perMailbox ? `${mailbox}-` : 'part-'}${number}.${this.#format.ending}`
  }

  #partialOf(message: ArchivedMessage): string {
    return join(this.#folder, `${this.#nameOf(message)}.partial`)
  }

  async #close(part: Part): Promise<void> {
    while (this.#adding.length > 0) await this.#adding.shift()
    const last = this.#last as ArchivedMessage
    const sha256 = await part.end()
    const file = this.#nameOf(last)
    await nameFile(this.#partialOf(last), join(this.#folder, file))
    this.#state.last = placeOf(last)
    const [messages, octets, errors] = [this.#messages, this.#octets, this.#errors]
    this.#state.parts.push({ file, sha256, messages, octets, errors })
    await saveState(this.#folder, this.#state)
    this.#messages = 0
    this.#octets = 0
    this.#errors = 0
  }
}

async function addAndDiscard(part: Part, message: ArchivedMessage, octets: Octets): Promise<void> {
  try {
    await part.add(message, octets)
  } finally {
    await octets.discard()
  }
}

async function openState(
  folder: string,
  format: ExportFormat,
  query: MessageQuery,
  mailboxes: readonly MailboxId[],
  archive: Archive,
): Promise<ExportState> {
  const known = await readState(folder)
  if (known) {
    if (known.format !== format.name || JSON.stringify(known.query) !== JSON.stringify(query))
      throw new IngestError(
        'EXPORT_FAILED',
        `${folder} holds an export of another query or format; expected an empty folder, or the same options to go on`,
      )
    return known
  }
  const chosen = query.mailboxes ? mailboxes.filter((id) => query.mailboxes?.includes(id)) : mailboxes
  const until: Record<string, number> = {}
  for (const mailbox of chosen)
    for await (const { key } of archive.list(ledgerPrefix(mailbox)))
      until[mailbox] = parseLedgerKey(key)?.seq ?? until[mailbox] ?? 0
  const state: ExportState = { v: 1, format: format.name, query, until, parts: [] }
  await saveState(folder, state)
  return state
}
