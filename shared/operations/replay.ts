import type { MailboxConfig } from '../contract/config.ts'
import type { MailboxId, Sha256 } from '../contract/ids.ts'
import { rawKey } from '../contract/object-key.ts'
import { type EventContext, eventOf, messageAgain } from '../drain/message.ts'
import { IngestError } from '../errors.ts'
import { type Catalogue, catalogue } from '../ledger/catalogue.ts'
import type { MessageEntry } from '../ledger/segment.ts'
import { DRAIN, REPLAY } from '../limits.ts'
import type { Octets } from '../octets.ts'
import type { ArchivedMessage } from '../query/archived-messages.ts'
import { findByQuery, type QueryPorts } from '../query/find.ts'
import type { MessageQuery } from '../query/query.ts'
import { openAnnouncer } from '../queue/announcer.ts'
import type { EventQueues, OutgoingEvent } from '../queue/queue.ts'
import { workAhead } from '../work-ahead.ts'
import { openReplayProgress, type ReplayTally } from './replay-progress.ts'

// Announcing archived messages again: the path of a drain from the archive on. Nothing is recorded, for nothing has changed.

export interface ReplayPorts extends QueryPorts {
  readonly queues: EventQueues
  readonly derived: EventContext['derived']
}

export interface ReplayOptions {
  /** Marks the events. */
  readonly replay: string
  /** Every event goes to this one. @default where routes send it now */
  readonly queue?: string | undefined
  /** Messages a second, at most. @default as fast as the queues take them */
  readonly rate?: number | undefined
  /** Counts, and sends nothing. */
  readonly dryRun?: boolean | undefined
  readonly keepGoing?: (() => boolean) | undefined
  readonly progress?: ((messages: number) => void) | undefined
  /** Where an earlier run has stopped. */
  readonly from?: ReplayTally | undefined
  /**
   * Told whenever a message is done, before more is sent: who keeps it at once, and goes on from it after a death, announces again what was with the queues in that
   * moment and no more, a batch for each queue.
   */
  readonly reached?: ((tally: ReplayTally) => void) | undefined
  readonly now?: (() => Date) | undefined
  /** Resolves after so many milliseconds. */
  readonly wait: (ms: number) => Promise<void>
}

/**
 * Announces what the query means, mailbox by mailbox in the order in which it was archived, under the ids that its events had: a consumer that drops what it has
 * seen drops these too. A FIFO queue drops an id that it was given within the last five minutes. Rejects with QUEUE_MISSING, QUEUE_DENIED, ARCHIVE_…,
 * SPOOL_FAILED and LEDGER_CORRUPT.
 */
export async function replayMessages(
  query: MessageQuery,
  {
    mailboxes,
    routes,
  }: { readonly mailboxes: readonly MailboxConfig[]; readonly routes: EventContext['routes'] },
  ports: ReplayPorts,
  options: ReplayOptions,
): Promise<ReplayTally> {
  const { queue, dryRun, keepGoing = () => true, now = () => new Date(), from } = options
  const configured = new Map(mailboxes.map((mailbox) => [mailbox.id, mailbox]))
  const progress = openReplayProgress(from, options.reached)
  // One batch at a time: a FIFO queue keeps the order in which it is given them.
  const announcer = openAnnouncer(ports.queues, { batchesInFlight: 1 })
  const pace = pacer(options)
  const prepare = (message: ArchivedMessage): Promise<Prepared> => {
    const mailbox = configured.get(message.mailbox) as MailboxConfig
    return prepared(message, { ...ports, mailbox, routes, now, replay: options.replay }, ports)
  }
  const found = findByQuery(query, [...configured.keys()].sort(), ports, from?.last)
  const underWay = new Set<Promise<void>>()
  let read = from?.messages ?? 0
  let broken: { readonly error: unknown } | undefined
  for await (const { message, event, queues, error } of workAhead(found, REPLAY.parsedAhead, prepare)) {
    if (broken || !keepGoing()) break
    options.progress?.(++read)
    const names = error ? [] : queue === undefined ? queues : [queue]
    const step = progress.begin(message, names.length)
    if (error) {
      step.failed(error.message)
      continue
    }
    if (!dryRun) await pace()
    for (const name of names) {
      const announced = dryRun
        ? Promise.resolve({ sent: true as const })
        : announcer.announce(name, event as OutgoingEvent)
      const told = announced
        .then(
          (result) => {
            if (result.sent) step.sent(name)
            else step.refused(`${name}: ${result.refused}`)
          },
          (error: unknown) => {
            broken ??= { error }
          },
        )
        .finally(() => underWay.delete(told))
      underWay.add(told)
    }
    if (underWay.size >= REPLAY.eventsUnderWay) await Promise.race(underWay)
  }
  await Promise.all(underWay)
  if (broken) throw broken.error
  return progress.tally
}

interface Prepared {
  readonly message: ArchivedMessage
  readonly event: OutgoingEvent | undefined
  readonly queues: readonly string[]
  readonly error: IngestError | undefined
}

async function prepared(
  message: ArchivedMessage,
  context: EventContext,
  ports: QueryPorts,
): Promise<Prepared> {
  try {
    const { event, queues } = await withOctets(message, ports, (octets) =>
      eventOf(messageAgain(message.entry, octets), message.entry, context),
    )
    return { message, event, queues, error: undefined }
  } catch (error) {
    if (!(error instanceof IngestError) || error.code !== 'ARCHIVE_CONFLICT') throw error
    return { message, event: undefined, queues: [], error }
  }
}

async function withOctets<T>(
  { mailbox, entry }: ArchivedMessage,
  { archive, spool }: QueryPorts,
  work: (octets: Octets) => Promise<T>,
): Promise<T> {
  const { body } = await archive.get(rawKey(mailbox, entry.sha256 as Sha256))
  const octets = await spool.collect(body, DRAIN.memoryMessageOctets)
  try {
    return await work(octets)
  } finally {
    await octets.discard()
  }
}

/** Lets one message pass at a time, so that the rate is kept on the whole and never caught up with after a pause. */
function pacer({ rate, now = () => new Date(), wait }: ReplayOptions): () => Promise<void> {
  if (rate === undefined) return async () => {}
  let nextMs = 0
  return async () => {
    const atMs = now().getTime()
    if (nextMs > atMs) await wait(nextMs - atMs)
    nextMs = Math.max(nextMs, atMs) + 1000 / rate
  }
}

/** A message that is read in another way now than when it was recorded. */
export interface ParseDifference {
  readonly message: ArchivedMessage
  readonly changes: Readonly<Record<string, { readonly recorded: unknown; readonly now: unknown }>>
}

/**
 * Parses what the query means again, and tells each message of which the ledger would say something else today. Fields that the entry was written without, because
 * there was no such field then, are not compared. Rejects with ARCHIVE_…, SPOOL_FAILED and LEDGER_CORRUPT.
 */
export async function* parseAgain(
  query: MessageQuery,
  mailboxes: readonly MailboxId[],
  ports: QueryPorts,
): AsyncGenerator<ParseDifference | { readonly message: ArchivedMessage; readonly changes: undefined }> {
  const compare = async (message: ArchivedMessage) => {
    const read = await withOctets(message, ports, async (octets) =>
      catalogue(await ports.parser.parse(octets)),
    )
    return { message, changes: differences(message.entry, read) }
  }
  yield* workAhead(findByQuery(query, mailboxes, ports), REPLAY.parsedAhead, compare)
}

/** Fields that came later than the others. */
const YOUNGER = ['to', 'toCut', 'attachments', 'attachmentsCut', 'threadKey', 'receivedAt'] as const

function differences(entry: MessageEntry, read: Catalogue): ParseDifference['changes'] | undefined {
  const fields = Object.keys(CATALOGUE) as (keyof Catalogue)[]
  const compared =
    entry.to === undefined
      ? fields.filter((field) => !(YOUNGER as readonly string[]).includes(field))
      : fields
  const changes = compared.flatMap((field) => {
    const [recorded, now] = [entry[field], read[field]]
    return JSON.stringify(recorded) === JSON.stringify(now) ? [] : [[field, { recorded, now }] as const]
  })
  return changes.length === 0 ? undefined : Object.fromEntries(changes)
}

const CATALOGUE: Readonly<Record<keyof Catalogue, true>> = {
  class: true,
  parse: true,
  messageId: true,
  threadKey: true,
  from: true,
  to: true,
  toCut: true,
  subject: true,
  date: true,
  receivedAt: true,
  attachments: true,
  attachmentsCut: true,
}
