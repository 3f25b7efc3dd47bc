import * as z from 'zod'
import type { Archive } from '../archive/archive.ts'
import { MESSAGE_CLASSES } from '../contract/event.ts'
import { matchesAnyGlob } from '../contract/glob.ts'
import { MAILBOX_ID_PATTERN, type MailboxId, type Sha256 } from '../contract/ids.ts'
import { rawKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { catalogue } from '../ledger/catalogue.ts'
import { readSegments } from '../ledger/ledger.ts'
import type { MessageEntry, Segment } from '../ledger/segment.ts'
import { DRAIN } from '../limits.ts'
import type { Spool } from '../octets.ts'
import type { Parser } from '../parser/parser.ts'

// Which archived messages are meant: one query for search, export, hold, retention and replay. It is plain JSON, for cases keep it.

const globs = z.array(z.string().min(1)).min(1)
/** A day (its start in UTC) or a time with its zone. */
export const timeSchema = z.iso.date().or(z.iso.datetime({ offset: true }))

/** Fields are joined by AND, the values of one by OR, the words of `subject` by AND. A query without fields means every message. */
export const querySchema = z.strictObject({
  mailboxes: z.array(z.string().regex(MAILBOX_ID_PATTERN)).min(1).optional(),
  /** Globs, as in routes. Any of From, To, Cc, Bcc and Delivered-To. */
  address: globs.optional(),
  from: globs.optional(),
  /** Any of To, Cc, Bcc and Delivered-To. */
  to: globs.optional(),
  /**
   * From then on, and before then. The message's own times count: Date, which a sender may forge, and those of servers that had it (INTERNALDATE,
   * Received): one of them in the range is enough. Without any of them it is when the message was archived.
   */
  since: timeSchema.optional(),
  before: timeSchema.optional(),
  /** By when the message was archived. */
  archivedSince: timeSchema.optional(),
  archivedBefore: timeSchema.optional(),
  /** Each has to occur; case does not count, `*` and `?` stand for what is between. */
  subject: globs.optional(),
  class: z.array(z.enum(MESSAGE_CLASSES)).min(1).optional(),
  /** Without angle brackets. */
  messageId: z.array(z.string().min(1)).min(1).optional(),
  /** SHA-256, or the id of an event: `<mailbox>/<sha256>`. */
  ids: z
    .array(z.string().regex(/^([a-z0-9][a-z0-9-]{0,62}\/)?[0-9a-f]{64}$/))
    .min(1)
    .optional(),
  /** Globs on file names. */
  attachment: globs.optional(),
})

export type MessageQuery = z.infer<typeof querySchema>

/** A message as the ledger has it: each once in its mailbox, by the entry that is not a duplicate. */
export interface ArchivedMessage {
  readonly mailbox: MailboxId
  /** The segment that names it. */
  readonly seq: number
  /** ISO 8601; when the segment was closed. */
  readonly archivedAt: string
  readonly entry: MessageEntry
}

/** `unknown`: the entry was written without the field that decides, or with a list that was cut. */
export type Match = 'yes' | 'no' | 'unknown'

/** Compares messages with a query by their entries alone; made once for many. */
export function matcherOf(query: MessageQuery): (message: ArchivedMessage) => Match {
  const conditions = conditionsOf(query)
  return (message) => {
    let match: Match = 'yes'
    for (const condition of conditions) {
      const one = condition(message)
      if (one === 'no') return 'no'
      if (one === 'unknown') match = 'unknown'
    }
    return match
  }
}

export interface QueryPorts {
  readonly archive: Archive
  readonly parser: Parser
  readonly spool: Spool
}

/**
 * Whether a message is meant. Where its entry does not tell, the message is read and parsed; what cannot be decided even then (it is gone, or its
 * lists are longer than the parser reads) counts as meant: it is better to hold one message too many. Rejects with ARCHIVE_… and SPOOL_FAILED.
 */
export function decider(
  query: MessageQuery,
  ports: QueryPorts,
): (message: ArchivedMessage) => Promise<boolean> {
  const matches = matcherOf(query)
  return async (message) => {
    const match = matches(message)
    if (match !== 'unknown') return match === 'yes'
    const read = await readAgain(message, ports)
    if (!read) return true
    const { toCut, attachmentsCut, ...entry } = message.entry
    return matches({ ...message, entry: { ...entry, ...read } }) !== 'no'
  }
}

/** Where who works through many messages has come to: the last one that is done. */
export const placeSchema = z.object({ mailbox: z.string(), seq: z.int(), sha256: z.string() })

export type Place = z.infer<typeof placeSchema>

export function placeOf({ mailbox, seq, entry }: ArchivedMessage): Place {
  return { mailbox, seq, sha256: entry.sha256 }
}

/**
 * Every message that the query means, mailbox by mailbox in the order in which they were archived. `mailboxes`: all there are; those that the query
 * does not name are not read. `after`: begins behind this place; mailboxes have to be in the order of their ids then. Holds no more than the segments
 * that are read ahead. Rejects with ARCHIVE_…, SPOOL_FAILED and LEDGER_CORRUPT.
 */
export async function* findByQuery(
  query: MessageQuery,
  mailboxes: readonly MailboxId[],
  ports: QueryPorts,
  after?: Place,
): AsyncGenerator<ArchivedMessage> {
  const isMeant = decider(query, ports)
  for (const mailbox of mailboxes) {
    if (query.mailboxes && !query.mailboxes.includes(mailbox)) continue
    if (after && mailbox < after.mailbox) continue
    let passing = mailbox === after?.mailbox
    for await (const message of archivedMessages(mailbox, ports.archive)) {
      if (passing && after && message.seq <= after.seq) {
        if (message.seq === after.seq && message.entry.sha256 === after.sha256) passing = false
      } else if (await isMeant(message)) yield message
    }
  }
}

/** Every message of a mailbox. Rejects with ARCHIVE_… and LEDGER_CORRUPT. */
export async function* archivedMessages(
  mailbox: MailboxId,
  archive: Archive,
): AsyncGenerator<ArchivedMessage> {
  for await (const segment of readSegments(mailbox, archive)) yield* messagesIn(segment)
}

/** The messages that a segment names for the first time. */
export function messagesIn({ header, entries }: Segment): ArchivedMessage[] {
  const { mailbox, seq, closedAt: archivedAt } = header
  return entries.flatMap((entry) =>
    entry.type === 'message' && entry.outcome !== 'duplicate' ? [{ mailbox, seq, archivedAt, entry }] : [],
  )
}

async function readAgain({ mailbox, entry }: ArchivedMessage, { archive, parser, spool }: QueryPorts) {
  try {
    const { body } = await archive.get(rawKey(mailbox, entry.sha256 as Sha256))
    const octets = await spool.collect(body, DRAIN.memoryMessageOctets)
    try {
      return catalogue(await parser.parse(octets), Number.POSITIVE_INFINITY)
    } finally {
      await octets.discard()
    }
  } catch (error) {
    if (error instanceof IngestError && error.code === 'ARCHIVE_CONFLICT') return undefined
    throw error
  }
}

type Condition = (message: ArchivedMessage) => Match

function conditionsOf(query: MessageQuery): Condition[] {
  const conditions: Condition[] = []
  const add = <Value>(value: Value | undefined, make: (value: Value) => Condition): void => {
    if (value !== undefined) conditions.push(make(value))
  }
  // Cheap ones first: the first that fails decides.
  add(
    query.mailboxes,
    (ids) =>
      ({ mailbox }) =>
        known(ids.includes(mailbox)),
  )
  add(query.ids && new Set(query.ids), (ids) => ({ mailbox, entry }) => {
    return known(ids.has(entry.sha256) || ids.has(`${mailbox}/${entry.sha256}`))
  })
  add(
    query.messageId,
    (ids) =>
      ({ entry }) =>
        known(ids.includes(entry.messageId ?? '')),
  )
  add(
    query.class,
    (classes) =>
      ({ entry }) =>
        known((classes as string[]).includes(entry.class ?? '')),
  )
  add(rangeOf(query.archivedSince, query.archivedBefore), (within) => ({ archivedAt }) => {
    return known(within(archivedAt))
  })
  add(rangeOf(query.since, query.before), (within) => (message) => known(timesOf(message).some(within)))
  add(query.subject, (words) => ({ entry }) => {
    return known(words.every((word) => matchesAnyGlob(`*${word}*`, [entry.subject ?? ''])))
  })
  add(
    query.from,
    (patterns) =>
      ({ entry }) =>
        known(matchesAnyGlob(patterns, sendersOf(entry))),
  )
  add(
    query.to,
    (patterns) =>
      ({ entry }) =>
        among(patterns, entry.to, entry.toCut),
  )
  add(query.address, (patterns) => ({ entry }) => {
    if (matchesAnyGlob(patterns, sendersOf(entry))) return 'yes'
    return among(patterns, entry.to, entry.toCut)
  })
  add(query.attachment, (patterns) => ({ entry }) => {
    return among(patterns, entry.attachments, entry.attachmentsCut)
  })
  return conditions
}

function known(holds: boolean): Match {
  return holds ? 'yes' : 'no'
}

function among(patterns: readonly string[], values: readonly string[] | undefined, cut?: boolean): Match {
  if (values && matchesAnyGlob(patterns, values)) return 'yes'
  return values && !cut ? 'no' : 'unknown'
}

function sendersOf({ from }: MessageEntry): string[] {
  return from?.split(', ') ?? []
}

function timesOf({ archivedAt, entry }: ArchivedMessage): string[] {
  const own = [entry.date, entry.internalDate, entry.receivedAt].filter((each) => each !== undefined)
  return own.length > 0 ? own : [archivedAt]
}

function rangeOf(since: string | undefined, before: string | undefined) {
  if (since === undefined && before === undefined) return undefined
  const fromMs = since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(since)
  const toMs = before === undefined ? Number.POSITIVE_INFINITY : Date.parse(before)
  return (at: string): boolean => {
    const atMs = Date.parse(at)
    return atMs >= fromMs && atMs < toMs
  }
}
