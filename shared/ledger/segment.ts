import * as z from 'zod'
import type { DrainId, MailboxId, Sha256 } from '../contract/ids.ts'
import { MAILBOX_ID_PATTERN, SHA256_PATTERN } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { type Complaint, decodeLine, encodeLines, splitLines } from '../ndjson.ts'

// A segment of the ledger, version 1: newline-delimited JSON, one header and then its entries, in the order in which the messages were
// fetched. Written once and never changed. Readers of other programs (Athena, DuckDB) find one object a line with a `type`.

const epoch = z.string().min(1)
const id = z.union([z.int().min(1).max(0xffff_ffff), z.string().min(1)])
const digest = z.string().regex(SHA256_PATTERN)
const octets = z.int().nonnegative()
const SEQUENCE_SET = /^[1-9]\d{0,9}(:[1-9]\d{0,9})?(,[1-9]\d{0,9}(:[1-9]\d{0,9})?)*$/
const ids = z.union([z.string().regex(SEQUENCE_SET), z.array(z.string().min(1)).min(1)])
const place = { folder: z.string().min(1), epoch }

/** An event that no queue has taken yet and that cannot be made again from the archive. */
const unsent = z.object({ id: z.string(), queue: z.string(), body: z.string(), refused: z.string() })

/** Who and why. */
const decision = { by: z.string().min(1), reason: z.string().min(1) }

/**
 * What has to be so before a message leaves the server that stayed there for some days. `announcement`: a queue has its event, and the ledger says so.
 * `object`: the archive has the recorded version. `checksum`: with its length and SHA-256. `lock`: under a retention that lasts. `hold`: no legal hold
 * wants the original kept too.
 */
export const REMOVAL_CHECKS = ['announcement', 'object', 'checksum', 'lock', 'hold'] as const

/** Of a message that leaves the archive. */
const deletion = {
  sha256: digest,
  octets,
  versionId: z.string().optional(),
  ground: z.enum(['expired', 'erasure']),
  ...decision,
}

const headerSchema = z.object({
  type: z.literal('segment'),
  v: z.literal(1),
  mailbox: z.string().regex(MAILBOX_ID_PATTERN),
  seq: z.int().min(1),
  /** SHA-256 of the octets of the segment before; null for the first. */
  previous: digest.nullable(),
  drain: z.string().min(1),
  startedAt: z.string(),
  closedAt: z.string(),
  /** Lines that follow: a file that was cut at a line end shows. */
  entries: z.int().nonnegative(),
  /** Octets fetched from the server: what the daily budget counts. */
  octetsFetched: octets,
  /** Absent when the segment holds announcements alone. */
  server: z
    .object({
      /** `import`: from files; `host` names them. */
      protocol: z.enum(['imap', 'pop3', 'import']),
      host: z.string(),
      port: z.int(),
      user: z.string(),
      tls: z.string(),
      certificateSha256: z.string().optional(),
    })
    .optional(),
  /** The policy in force, as configured; absent in what no drain wrote. */
  afterArchive: z.unknown().optional(),
})

/**
 * What became of one message. `announced`: its queues took its event. `pending`: archived, and a queue refused (`refused` says why).
 * `duplicate`: its octets were known, so that nothing was announced. `imported`: archived without telling anybody, as its operator wanted.
 */
const messageSchema = z.object({
  type: z.literal('message'),
  ...place,
  id,
  outcome: z.enum(['announced', 'pending', 'duplicate', 'imported']),
  sha256: digest,
  octets,
  versionId: z.string().optional(),
  retainUntil: z.string().optional(),
  queue: z.string().optional(),
  refused: z.string().optional(),
  /** In place of both, when it was routed to several queues: what became of it on each. */
  queues: z.array(z.object({ queue: z.string(), refused: z.string().optional() })).optional(),
  /** The segment that the object was written for, when that is not this one: 0 when the object does not say. */
  writtenFor: z.int().nonnegative().optional(),
  /** The size that the server had announced, when what it sent differs. */
  announcedOctets: octets.optional(),
  internalDate: z.string().optional(),
  flags: z.array(z.string()).optional(),
  gmailLabels: z.array(z.string()).optional(),
  gmailThreadId: z.string().optional(),
  emailId: z.string().optional(),
  threadId: z.string().optional(),
  messageId: z.string().optional(),
  threadKey: z.string().optional(),
  from: z.string().optional(),
  /**
   * Addresses of To, Cc, Bcc and Delivered-To; `toCut` when there are more. Like `attachments`, absent in entries that were written before there
   * was such a field: unknown, not none.
   */
  to: z.array(z.string()).optional(),
  toCut: z.literal(true).optional(),
  subject: z.string().optional(),
  date: z.string().optional(),
  /** From the topmost Received field. */
  receivedAt: z.string().optional(),
  /** Names of attachments; `attachmentsCut` when there are more. */
  attachments: z.array(z.string()).optional(),
  attachmentsCut: z.literal(true).optional(),
  class: z.string().optional(),
  parse: z.string().optional(),
})

const entrySchema = z.discriminatedUnion('type', [
  messageSchema,
  /** Could not be fetched; tried again by later drains. */
  z.object({
    type: z.literal('failed'),
    ...place,
    id,
    code: z.string(),
    reason: z.string(),
    attempts: z.int().min(1),
  }),
  /** Given up until an operator acts, or until `limitOctets` is raised. */
  z.object({
    type: z.literal('quarantined'),
    ...place,
    id,
    code: z.string(),
    reason: z.string(),
    attempts: z.int().nonnegative(),
    octets: octets.optional(),
    limitOctets: octets.optional(),
    unsent: unsent.optional(),
  }),
  /** Listed, and gone before it was fetched. */
  z.object({ type: z.literal('gone'), ...place, id }),
  /** POP3: known and no longer listed, so that its UIDL may be given to another message (RFC 1939, 7). */
  z.object({ type: z.literal('vanished'), ...place, ids }),
  /** Left out by the mailbox's search; `search` is a digest of it. */
  z.object({ type: z.literal('filtered'), ...place, search: z.string(), ids }),
  /** The folder was made anew: UIDs of `from` mean nothing any more. */
  z.object({
    type: z.literal('reset'),
    folder: z.string(),
    from: epoch,
    to: epoch,
    unsent: unsent.optional(),
  }),
  /** One of several queues took an event that stays pending, for another still refuses. */
  z.object({ type: z.literal('taken'), event: z.string(), queue: z.string() }),
  /** An event that an earlier segment had left pending was taken by its queue, the last of them. */
  z.object({ type: z.literal('announced'), event: z.string(), queue: z.string() }),
  /** Intent: these will be removed from the folder. Nothing is removed before this is written. */
  z.object({
    type: z.literal('acknowledge'),
    ...place,
    action: z.unknown(),
    ids,
    /** What the archive was asked before, when these had stayed for some days. */
    checked: z.array(z.enum(REMOVAL_CHECKS)).optional(),
  }),
  /** They were due for removal and stay, for one of these was not so; looked at again the next day. */
  z.object({ type: z.literal('kept'), ...place, ids, lacks: z.enum(REMOVAL_CHECKS) }),
  /**
   * Intent of the records officer: this message will be deleted from the archive. Nothing is deleted before this is written. `ground`: its retention
   * is over, or a law demands it.
   */
  z.object({ type: z.literal('delete'), ...deletion }),
  /** Receipt and tombstone: the version is gone, and this is what is left of it. */
  z.object({ type: z.literal('deleted'), ...deletion }),
  /** Somebody wants these fetched by the next drain, whatever is recorded of them: they are in quarantine, or missing from the archive. */
  z.object({ type: z.literal('refetch'), ...place, ids, ...decision }),
  /** Somebody has decided that a message in quarantine is not archived. */
  z.object({ type: z.literal('dismissed'), ...place, id, ...decision }),
  /** Receipt: the server confirmed. */
  z.object({ type: z.literal('acknowledged'), ...place, action: z.unknown(), effect: z.string(), ids }),
])

export type SegmentHeader = Omit<z.infer<typeof headerSchema>, 'mailbox' | 'drain' | 'previous'> & {
  readonly mailbox: MailboxId
  readonly drain: DrainId
  readonly previous: Sha256 | null
}
export type Entry = z.infer<typeof entrySchema>
export type MessageEntry = Extract<Entry, { type: 'message' }>
export type DeletionEntry = Extract<Entry, { type: 'delete' | 'deleted' }>
export type UnsentEvent = z.infer<typeof unsent>
export type LedgerServer = NonNullable<SegmentHeader['server']>

export interface Segment {
  readonly header: SegmentHeader
  readonly entries: readonly Entry[]
}

export function encodeSegment(segment: Segment): Buffer {
  return encodeLines([segment.header, ...segment.entries])
}

/** Rejects with LEDGER_CORRUPT what is not a whole segment of this version. */
export function decodeSegment(content: Buffer, where: string): Segment {
  const [first = '', ...rest] = splitLines(content, where, corrupt)
  const header = decodeLine(headerSchema, first, `${where}, line 1`, corrupt) as unknown as SegmentHeader
  const entries = rest.map((line, index) =>
    decodeLine(entrySchema, line, `${where}, line ${index + 2}`, corrupt),
  )
  if (entries.length !== header.entries)
    throw corrupt(where, `it has ${entries.length} entries, and its header says ${header.entries}`)
  return { header, entries }
}

const corrupt: Complaint = (where, what, cause) =>
  new IngestError('LEDGER_CORRUPT', `${where}: ${what}`, { cause })

/** Undefined for a line that is not the entry of a message. */
export function readMessageEntry(line: string): MessageEntry | undefined {
  try {
    return messageSchema.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}
