import type { Archive, Retention } from '../archive/archive.ts'
import type { ArchiveAudit } from '../archive/audit.ts'
import type { Custody } from '../archive/custody.ts'
import type { Order } from '../cases/case-log.ts'
import { readHeldMessages } from '../cases/held-messages.ts'
import { archivedEventId } from '../contract/event.ts'
import type { CaseName, MailboxId, Sha256 } from '../contract/ids.ts'
import type { IngestError } from '../errors.ts'
import { inGroups, inLanes } from '../lanes.ts'
import { openRecorder, type Recorder } from '../ledger/recorder.ts'
import { CUSTODY } from '../limits.ts'
import type { ArchivedMessage } from '../query/archived-messages.ts'
import { findByQuery, type QueryPorts } from '../query/find.ts'
import type { MessageQuery } from '../query/query.ts'
import { deleteMessages } from './delete-messages.ts'
import { type Obstacle, type ObstaclePorts, obstaclesTo } from './obstacles.ts'

export interface ExpiryPorts extends QueryPorts {
  readonly archive: Archive
  readonly audit: Pick<ArchiveAudit, 'inspect' | 'versions'>
  readonly retentionOf: (mailbox: MailboxId) => Retention | undefined
  /** Of its own, for the segments of its ledger. */
  readonly ownRetentionOf: (mailbox: MailboxId) => Retention | undefined
  readonly now: () => Date
}

export interface Judged {
  readonly message: ArchivedMessage
  /** Empty: it may be deleted then. */
  readonly obstacles: readonly Obstacle[]
}

export interface DeletedOrKept extends Judged {
  /** What the store answered where nothing else was in the way; undefined for what was deleted, or is kept by an obstacle. */
  readonly error: IngestError | undefined
}

/**
 * What may be deleted at that time, and what keeps the rest, if nothing changes until then. Messages that were deleted before are left out.
 * Changes nothing. Rejects as findByQuery does.
 */
export async function* simulateExpiry(
  query: MessageQuery,
  at: Date,
  mailboxes: readonly MailboxId[],
  ports: ExpiryPorts,
): AsyncGenerator<Judged> {
  const held = await readHeldMessages(ports.archive)
  for (const mailbox of chosen(query, mailboxes)) {
    const recorder = await openRecorder(mailbox, ports.archive, undefined, ports.now)
    yield* judge(query, mailbox, at, held, recorder, ports)
  }
}

/**
 * Deletes what has expired: the records officer's order, with intent and receipt in the ledger. A hold or retention that came since it was looked at is met
 * by the store itself. Rejects as findByQuery and deleteMessages do.
 */
export async function* deleteExpired(
  query: MessageQuery,
  mailboxes: readonly MailboxId[],
  order: Order,
  ports: ExpiryPorts & { readonly custody: Pick<Custody, 'delete'> },
): AsyncGenerator<DeletedOrKept> {
  const held = await readHeldMessages(ports.archive)
  for (const mailbox of chosen(query, mailboxes)) {
    const recorder = await openRecorder(mailbox, ports.archive, ports.ownRetentionOf(mailbox), ports.now)
    const judged = judge(query, mailbox, ports.now(), held, recorder, ports)
    for await (const group of inGroups(judged, CUSTODY.groupMessages)) {
      const expired = group.flatMap(({ message, obstacles }) => (obstacles.length === 0 ? [message] : []))
      const deletions =
        expired.length > 0 ? await deleteMessages(expired, 'expired', order, { ...ports, recorder }) : []
      for (const { message, error } of deletions) yield { message, obstacles: [], error }
      for (const kept of group) if (kept.obstacles.length > 0) yield { ...kept, error: undefined }
    }
  }
}

async function* judge(
  query: MessageQuery,
  mailbox: MailboxId,
  at: Date,
  held: ReadonlyMap<string, readonly CaseName[]>,
  recorder: Recorder,
  ports: ExpiryPorts,
): AsyncGenerator<Judged> {
  const obstaclePorts: ObstaclePorts = {
    audit: ports.audit,
    retentionOf: ports.retentionOf,
    casesOf: (message) => held.get(idOf(message)) ?? [],
    isPending: (message) => recorder.fold.pending.has(idOf(message)),
    isDeleting: ({ entry }) => recorder.fold.isDeleting(entry.sha256),
  }
  for await (const group of inGroups(findByQuery(query, [mailbox], ports), CUSTODY.groupMessages)) {
    const judged = await inLanes(group, CUSTODY.requestsAtOnce, async (message): Promise<Judged> => {
      return { message, obstacles: await obstaclesTo(message, at, obstaclePorts) }
    })
    yield* judged.filter(({ obstacles }) => obstacles[0]?.kind !== 'gone')
  }
}

function idOf({ mailbox, entry }: ArchivedMessage): string {
  return archivedEventId(mailbox, entry.sha256 as Sha256)
}

function chosen(query: MessageQuery, mailboxes: readonly MailboxId[]): readonly MailboxId[] {
  return query.mailboxes ? mailboxes.filter((mailbox) => query.mailboxes?.includes(mailbox)) : mailboxes
}
