import type { Retention } from '../archive/archive.ts'
import type { ArchiveAudit, VersionFacts } from '../archive/audit.ts'
import { isRetained } from '../archive/lock-rules.ts'
import type { CaseName, MailboxId, Sha256 } from '../contract/ids.ts'
import { rawKey } from '../contract/object-key.ts'
import type { ArchivedMessage } from '../query/archived-messages.ts'

// What keeps a message in the archive.

const DAY_MS = 86_400_000

export type Obstacle =
  /** Object Lock, as the store tells it or as it was reckoned when the message was archived; the later date. */
  | { readonly kind: 'retention'; readonly mode: Retention['mode'] | undefined; readonly until: string }
  /** The configuration keeps mail for longer than the lock does, or where there are no locks. */
  | { readonly kind: 'policy'; readonly days: number; readonly until: string }
  /** `cases`: those that hold it; empty for a hold that no case knows. */
  | { readonly kind: 'legal-hold'; readonly cases: readonly CaseName[] }
  /** A queue has not taken its event yet, and it is made from the message. */
  | { readonly kind: 'not-announced' }
  /** There is nothing to delete: no such version. */
  | { readonly kind: 'gone' }

export interface ObstaclePorts {
  readonly audit: Pick<ArchiveAudit, 'inspect'>
  /** How long mail of a mailbox is kept, by configuration; undefined: as long as its lock says. */
  readonly retentionOf: (mailbox: MailboxId) => Retention | undefined
  /** The open cases that hold a message. */
  readonly casesOf: (message: ArchivedMessage) => readonly CaseName[]
  /** Its announcement is pending. */
  readonly isPending: (message: ArchivedMessage) => boolean
  /** Its deletion is recorded as intended, and no receipt says that it was done. */
  readonly isDeleting: (message: ArchivedMessage) => boolean
}

/**
 * Everything that speaks against deleting a message at that time; empty when nothing does. The store is asked only where ledger, cases and configuration have
 * no objection, for it costs a request; what it says is the truth. Rejects with ARCHIVE_….
 */
export async function obstaclesTo(
  message: ArchivedMessage,
  at: Date,
  ports: ObstaclePorts,
): Promise<readonly Obstacle[]> {
  const recorded = recordedObstacles(message, at, ports)
  if (recorded.length > 0) return recorded
  const facts = await ports.audit.inspect(versionOf(message))
  // An interrupted run may have deleted it already: its receipt is still to be recorded.
  if (!facts) return ports.isDeleting(message) ? [] : [{ kind: 'gone' }]
  return storedObstacles(facts, at)
}

export function versionOf({ mailbox, entry }: ArchivedMessage) {
  return { key: rawKey(mailbox, entry.sha256 as Sha256), versionId: entry.versionId }
}

function recordedObstacles(message: ArchivedMessage, at: Date, ports: ObstaclePorts): Obstacle[] {
  const { entry, archivedAt, mailbox } = message
  const cases = ports.casesOf(message)
  const locked = entry.retainUntil !== undefined && new Date(entry.retainUntil) > at
  const rule = ports.retentionOf(mailbox)
  const until = rule && new Date(Date.parse(archivedAt) + rule.days * DAY_MS)
  return [
    ...(cases.length > 0 ? [{ kind: 'legal-hold', cases } as const] : []),
    ...(ports.isPending(message) ? [{ kind: 'not-announced' } as const] : []),
    ...(locked ? [{ kind: 'retention', mode: undefined, until: entry.retainUntil as string } as const] : []),
    ...(until && until > at && !locked
      ? [{ kind: 'policy', days: rule.days, until: until.toISOString() } as const]
      : []),
  ]
}

/** What a version itself says. */
export function storedObstacles(facts: VersionFacts, at: Date): Obstacle[] {
  const { lockMode, retainUntil, legalHold } = facts
  return [
    ...(legalHold ? [{ kind: 'legal-hold', cases: [] } as const] : []),
    ...(isRetained(facts, at)
      ? [{ kind: 'retention', mode: lockMode, until: retainUntil as string } as const]
      : []),
  ]
}
