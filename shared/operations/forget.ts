import type { Archive, Retention } from '../archive/archive.ts'
import type { ArchiveAudit } from '../archive/audit.ts'
import type { Custody } from '../archive/custody.ts'
import type { Order } from '../cases/case-log.ts'
import { readHeldMessages } from '../cases/held-messages.ts'
import { archivedEventId } from '../contract/event.ts'
import type { CaseName, MailboxId, Sha256 } from '../contract/ids.ts'
import type { IngestError } from '../errors.ts'
import { openRecorder, type Recorder } from '../ledger/recorder.ts'
import { type ArchivedMessage, archivedMessages } from '../query/archived-messages.ts'
import { deleteMessages } from './delete-messages.ts'
import { type Obstacle, storedObstacles, versionOf } from './obstacles.ts'

export interface ForgetPorts {
  readonly archive: Archive
  readonly audit: Pick<ArchiveAudit, 'inspect' | 'versions'>
  readonly custody: Pick<Custody, 'delete'>
  readonly retentionOf: (mailbox: MailboxId) => Retention | undefined
  /** Of its own, for the segments of its ledger. */
  readonly ownRetentionOf: (mailbox: MailboxId) => Retention | undefined
  readonly now: () => Date
}

export interface Forgotten {
  readonly message: ArchivedMessage
  /** `refused`: what is in `obstacles` keeps it, or `error` tells what the store answered. `possible`: a dry run found nothing against it. */
  readonly outcome: 'forgotten' | 'forgotten-before' | 'refused' | 'possible'
  readonly obstacles: readonly Obstacle[]
  readonly error: IngestError | undefined
}

/**
 * Erases messages that a law wants to be forgotten: their octets, in every mailbox that is asked for, whatever governance retention is left. What
 * stays is the ledger with what it says of them (addresses and subject among it), for the chain has to verify, and a tombstone with the
 * SHA-256. Neither a legal hold nor compliance mode is passed over, and nothing whose event is still to be made from it. Rejects with ARCHIVE_… and
 * LEDGER_….
 */
export async function* forget(
  digests: ReadonlySet<Sha256>,
  mailboxes: readonly MailboxId[],
  order: Order,
  ports: ForgetPorts,
  { dryRun }: { readonly dryRun: boolean },
): AsyncGenerator<Forgotten> {
  const held = await readHeldMessages(ports.archive)
  for (const mailbox of mailboxes) {
    const messages: ArchivedMessage[] = []
    for await (const message of archivedMessages(mailbox, ports.archive))
      if (digests.has(message.entry.sha256 as Sha256)) messages.push(message)
    if (messages.length === 0) continue
    const recorder = await openRecorder(mailbox, ports.archive, ports.ownRetentionOf(mailbox), ports.now)
    for (const message of latestOf(messages))
      yield await forgetOne(message, held, recorder, order, ports, dryRun)
  }
}

async function forgetOne(
  message: ArchivedMessage,
  held: ReadonlyMap<string, readonly CaseName[]>,
  recorder: Recorder,
  order: Order,
  ports: ForgetPorts,
  dryRun: boolean,
): Promise<Forgotten> {
  const nothing = { message, obstacles: [], error: undefined }
  if (recorder.fold.isForgotten(message.entry.sha256)) return { ...nothing, outcome: 'forgotten-before' }
  const obstacles = await objectionsTo(message, held, recorder, ports)
  if (obstacles.length > 0) return { ...nothing, outcome: 'refused', obstacles }
  if (dryRun) return { ...nothing, outcome: 'possible' }
  const [deletion] = await deleteMessages([message], 'erasure', order, { ...ports, recorder })
  return { ...nothing, outcome: deletion?.error ? 'refused' : 'forgotten', error: deletion?.error }
}

async function objectionsTo(
  message: ArchivedMessage,
  held: ReadonlyMap<string, readonly CaseName[]>,
  { fold }: Recorder,
  { audit, retentionOf, now }: ForgetPorts,
): Promise<readonly Obstacle[]> {
  const { mailbox, entry } = message
  const id = archivedEventId(mailbox, entry.sha256 as Sha256)
  const cases = held.get(id) ?? []
  if (cases.length > 0) return [{ kind: 'legal-hold', cases }]
  if (fold.pending.has(id)) return [{ kind: 'not-announced' }]
  const facts = await audit.inspect(versionOf(message))
  // An interrupted run may have deleted it already: its receipt is still to be recorded.
  if (!facts) return fold.isDeleting(entry.sha256) ? [] : [{ kind: 'gone' }]
  const stored = storedObstacles(facts, now()).filter(
    (obstacle) => obstacle.kind !== 'retention' || obstacle.mode === 'compliance',
  )
  // Where the store tells no date of its own, what is configured and recorded counts.
  const until = facts.retainUntil ?? entry.retainUntil
  const isFinal = retentionOf(mailbox)?.mode === 'compliance' && facts.lockMode === undefined
  if (stored.length > 0 || !isFinal || until === undefined || new Date(until) <= now()) return stored
  return [{ kind: 'retention', mode: 'compliance', until }]
}

/** A message that was archived again has several entries; the last one knows its version. */
function latestOf(messages: readonly ArchivedMessage[]): ArchivedMessage[] {
  return [...new Map(messages.map((message) => [message.entry.sha256, message])).values()]
}
