import type { MailboxId, ObjectKey } from '../../contract/ids.ts'
import type { ChainFault } from '../../ledger/ledger.ts'

/** What an archive can be found to be other than recorded. docs/evidence.md says of each what it may mean. */
export type FindingKind =
  | ChainFault['kind']
  /** The ledger is not the one that a snapshot, certificate or seal was taken of: shorter, or with another history. */
  | 'history-rewritten'
  | 'object-missing'
  | 'version-missing'
  /** Another version than the recorded one has its key. */
  | 'extra-version'
  | 'delete-marker'
  /** A message, segment or any other object that no segment names. */
  | 'unrecorded'
  /** Written for another segment than the one that names it. */
  | 'segment-differs'
  | 'octets-differ'
  /** The checksum that the store recorded. */
  | 'checksum-differs'
  /** Octets that were read (`deep`). */
  | 'content-differs'
  | 'not-locked'
  | 'lock-mode'
  /** It ends before the date that the ledger recorded when the message was archived, or that it was lengthened to. */
  | 'retention-shortened'
  /** It ends before the configured policy would have it. */
  | 'retention-below-policy'
  /** An open case holds it, and it has no legal hold. */
  | 'hold-missing'
  /** What cases hold cannot be told: the steps of one do not hold together. */
  | 'case-corrupt'
  /** A seal is missing, is not signed by its key or by the one that is trusted, or follows another one than the one before. */
  | 'seal-invalid'
  /** What was lengthened cannot be told: the evidence of it is not what was written. */
  | 'evidence-unreadable'

export interface Finding {
  readonly kind: FindingKind
  /** Undefined for what belongs to no mailbox. */
  readonly mailbox: MailboxId | undefined
  readonly key: ObjectKey
  readonly versionId: string | undefined
  readonly expected: string
  readonly found: string
}
