import { archivedEvent, encodeEvent } from '../announcement.ts'
import type { Archive, ObjectFacts } from '../archive/archive.ts'
import type { MailboxConfig } from '../contract/config.ts'
import type { MailboxData } from '../contract/event.ts'
import type { DrainId, Epoch, Sha256 } from '../contract/ids.ts'
import { rawKey } from '../contract/object-key.ts'
import { headerFieldsOf, type RouteConfig } from '../contract/routes.ts'
import type { DerivedStore } from '../derived/derived.ts'
import { IngestError } from '../errors.ts'
import { catalogue } from '../ledger/catalogue.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { MessageEntry } from '../ledger/segment.ts'
import { trustedResults } from '../mail/authentication-results.ts'
import type { ParsedMessage } from '../mail/parsed-message.ts'
import { isSessionId, type ServerId, type ServerMetadata } from '../mailbox/mailbox.ts'
import type { Octets } from '../octets.ts'
import type { Parser } from '../parser/parser.ts'
import { present } from '../present.ts'
import type { Announcer } from '../queue/announcer.ts'
import type { OutgoingEvent } from '../queue/queue.ts'
import { queuesTaken, routesTaken } from '../routing.ts'
import { extractAttachments, keepWhole } from './derivation.ts'
import type { Outcome } from './segment-writer.ts'

// The path of one message: archive and parse beside fetching, announce when its segment closes. What comes of it is an entry for the segment.

export interface MessageContext {
  readonly mailbox: MailboxConfig
  readonly routes: readonly RouteConfig[]
  readonly drain: DrainId
  readonly ledger: Ledger
  readonly archive: Archive
  readonly derived: DerivedStore | undefined
  readonly parser: Parser
  readonly announcer: Announcer
  readonly now: () => Date
  /** Archives and records, and announces nothing. */
  readonly silent: boolean
  /** Told of an error of the queues: the message is pending then, and the drain ends. */
  readonly queueFailed: (error: IngestError) => void
}

/** What an event is made with. `replay`: marks one that an operator has announced again. */
export interface EventContext
  extends Pick<MessageContext, 'mailbox' | 'routes' | 'archive' | 'derived' | 'parser' | 'now'> {
  readonly replay?: string | undefined
}

export interface FetchedMessage {
  readonly folder: string
  readonly epoch: Epoch
  readonly id: ServerId
  readonly octets: Octets
  readonly metadata: ServerMetadata
  readonly announcedOctets: number | undefined
}

export interface Stored {
  readonly versionId?: string | undefined
  readonly retainUntil?: string | undefined
}

/**
 * Archives the message for segment `seq` and makes its event ready unless its octets are known. Rejects with ARCHIVE_… and SPOOL_FAILED.
 * Repeating it announces again at most under the same event id.
 */
export async function ingest(
  message: FetchedMessage,
  seq: number,
  context: MessageContext,
): Promise<Outcome> {
  const { mailbox, archive, drain } = context
  const { octets } = message
  // It may come again under another id: of a folder made anew, or over another protocol.
  if (context.ledger.fold.isForgotten(octets.sha256)) return duplicateOf(message)
  const put = await archive.put(rawKey(mailbox.id, octets.sha256), octets, {
    contentType: 'message/rfc822',
    writtenFor: { seq, drain },
    retention: mailbox.retention,
  })
  if (put.outcome === 'created') return readyToAnnounce(message, put, undefined, context)
  const { facts } = put
  assertSameOctets(facts, octets)
  const home = facts.writtenFor?.seq ?? 0
  if (await isRecorded(octets.sha256, home, context.ledger)) return duplicateOf(message, facts)
  // Archived by a drain that died or lost a race before it could record it: whether it was announced is uncertain.
  return readyToAnnounce(message, facts, home === seq ? undefined : home, context)
}

/** The entry for octets that are archived and recorded already. */
export function duplicateOf(message: FetchedMessage, stored?: Stored): Outcome {
  return { entry: entryOf(message, 'duplicate', stored), record: !isSessionId(message.id) }
}

/** A message that was archived and recorded before, as it was when it had just been fetched. */
export function messageAgain(entry: MessageEntry, octets: Octets): FetchedMessage {
  const { internalDate, flags, gmailLabels, gmailThreadId, emailId, threadId } = entry
  return {
    folder: entry.folder,
    epoch: entry.epoch as Epoch,
    id: entry.id as ServerId,
    octets,
    metadata: { internalDate, flags, gmailLabels, gmailThreadId, emailId, threadId },
    announcedOctets: undefined,
  }
}

/** What the server knows of a message, for its event. */
export function mailboxData(
  mailbox: MailboxConfig,
  { folder, epoch, id }: Pick<FetchedMessage, 'folder' | 'epoch' | 'id'>,
  metadata: ServerMetadata = {},
): MailboxData {
  const ids =
    typeof id === 'number'
      ? { uid: id, uidValidity: epoch }
      : epoch === 'uidl' && !isSessionId(id)
        ? { uidl: id }
        : {}
  return { id: mailbox.id, protocol: mailbox.protocol, folder, ...ids, ...recorded(metadata) }
}

async function isRecorded(digest: Sha256, home: number, ledger: Ledger): Promise<boolean> {
  return ledger.fold.strayOf(digest) !== undefined || (await ledger.names(home, digest))
}

async function readyToAnnounce(
  message: FetchedMessage,
  stored: Stored,
  writtenFor: number | undefined,
  context: MessageContext,
): Promise<Outcome> {
  const { queues, event, parsed } = await eventOf(message, stored, context)
  const entry: MessageEntry = {
    ...entryOf(message, 'announced', stored),
    ...present({ writtenFor }),
    ...catalogue(parsed),
  }
  if (context.silent) return { entry: { ...entry, outcome: 'imported' }, record: true }
  const announce = async (): Promise<MessageEntry> => {
    const announcements = await announceTo(queues, event, context)
    const everywhere = announcements.every(({ refused }) => refused === undefined)
    return {
      ...entry,
      outcome: everywhere ? 'announced' : 'pending',
      ...(announcements.length === 1 ? announcements[0] : { queues: [...announcements] }),
    }
  }
  return { entry, record: true, unannounced: { octets: Buffer.byteLength(event.body), announce } }
}

/** Parses and routes an archived message and stores what is derived of it: its event, the queues that get it, and what it was made of. */
export async function eventOf(
  message: FetchedMessage,
  stored: Stored,
  context: EventContext,
): Promise<{
  readonly queues: readonly string[]
  readonly event: OutgoingEvent
  readonly parsed: ParsedMessage
}> {
  const { mailbox, routes, parser, archive, derived, now, replay } = context
  const { octets } = message
  const parsed = await parser.parse(octets, headerFieldsOf(routes))
  const key = rawKey(mailbox.id, octets.sha256)
  const trustedAuthentication = trustedResults(parsed.authentication, mailbox.authservId)
  const routed = routesTaken(routes, { mailbox: mailbox.id, parsed, trustedAuthentication })
  const event = archivedEvent({
    mailbox: mailbox.id,
    time: now(),
    raw: {
      uri: archive.uri(key),
      key,
      sha256: octets.sha256,
      octets: octets.length,
      ...present({ bucket: archive.bucket, versionId: stored.versionId, retainUntil: stored.retainUntil }),
    },
    server: mailboxData(mailbox, message, message.metadata),
    parsed,
    trustedAuthentication,
    attachments: await extractAttachments(mailbox.id, octets, parsed, routed, derived),
    replay,
  })
  const body = encodeEvent(await keepWhole(mailbox.id, event, derived))
  return { queues: queuesTaken(routed), event: { id: event.id, group: mailbox.id, body }, parsed }
}

/** What became of an event on one queue. `refused`: why it was not taken. */
export interface Announcement {
  readonly queue: string
  readonly refused?: string
}

/**
 * Sends an event to each of its queues, beside each other; a crash between two of them leaves the message without an entry, so that a
 * repeat, under the same id, goes to both.
 */
export function announceTo(
  queues: readonly string[],
  event: OutgoingEvent,
  context: Pick<MessageContext, 'announcer' | 'queueFailed'>,
): Promise<Announcement[]> {
  return Promise.all(
    queues.map(async (queue) => ({ queue, ...present({ refused: await send(queue, event, context) }) })),
  )
}

/** Undefined when the queue has it, else why not. */
export async function send(
  queue: string,
  event: OutgoingEvent,
  { announcer, queueFailed }: Pick<MessageContext, 'announcer' | 'queueFailed'>,
): Promise<string | undefined> {
  try {
    const result = await announcer.announce(queue, event)
    return result.sent ? undefined : result.refused
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    queueFailed(error)
    return error.code
  }
}

function assertSameOctets(facts: ObjectFacts, octets: Octets): void {
  if (facts.octets === octets.length && (facts.sha256 ?? octets.sha256) === octets.sha256) return
  throw new IngestError(
    'ARCHIVE_CONFLICT',
    `${facts.key}: the archive has ${facts.octets} octets with SHA-256 ${facts.sha256 ?? 'unknown'} there, and the message has ${octets.length}`,
  )
}

function entryOf(message: FetchedMessage, outcome: MessageEntry['outcome'], stored?: Stored): MessageEntry {
  const { folder, epoch, id, octets, metadata, announcedOctets } = message
  return {
    type: 'message',
    folder,
    epoch,
    id,
    outcome,
    sha256: octets.sha256,
    octets: octets.length,
    ...present({
      versionId: stored?.versionId,
      retainUntil: stored?.retainUntil,
      announcedOctets,
    }),
    ...recorded(metadata),
  }
}

function recorded({ flags, gmailLabels, ...single }: ServerMetadata) {
  return present({ ...single, flags: flags && [...flags], gmailLabels: gmailLabels && [...gmailLabels] })
}
