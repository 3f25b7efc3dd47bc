import type { DrainId, MailboxId } from '../contract/ids.ts'
import type { ErrorCode, IngestError } from '../errors.ts'
import { countIds } from '../ledger/id-days.ts'
import type { Entry } from '../ledger/segment.ts'
import type { ServerFacts, ServerId } from '../mailbox/mailbox.ts'

/** What one drain did. Counts are of what is recorded in the ledger: what a lost race undid is not in them. */
export interface DrainReport {
  readonly mailbox: MailboxId
  readonly drain: DrainId
  readonly elapsedMs: number
  /** Undefined when the session was never opened. */
  readonly server: ServerFacts | undefined
  /** Messages on the server, in all folders. */
  readonly listed: number
  readonly counts: DrainCounts
  /** Octets fetched from the server, recorded or not. */
  readonly octets: number
  /** Messages that this drain would have fetched had it gone on. */
  readonly remaining: number
  /** Why it stopped before the end without anything being wrong. */
  readonly stopped: Stop | undefined
  /** Why it failed; everything recorded before it counts. */
  readonly error: IngestError | undefined
  readonly warnings: readonly string[]
  /** Messages that could not be fetched, the first of them (DRAIN.failuresReported); all are counted and in the ledger. */
  readonly failures: readonly MessageFailure[]
}

/** A message that was given up, for now or until somebody acts. */
export interface MessageFailure {
  readonly folder: string
  readonly id: ServerId
  readonly code: ErrorCode
  readonly reason: string
  readonly attempts: number
  readonly quarantined: boolean
}

/** `deadline`: the time was up. `daily-budget`: limits.octetsPerDay. `asked`: the caller's signal. */
export type Stop = 'deadline' | 'daily-budget' | 'asked'

export interface DrainCounts {
  /** Segments written. */
  segments: number
  /** Archived and announced. */
  announced: number
  /** Archived, and not to be announced. */
  imported: number
  /** Archived; the queue refused for now. */
  pending: number
  /** Octets that were archived and announced before. */
  duplicates: number
  /** Announcements that an earlier drain had left pending. */
  announcedLate: number
  failed: number
  quarantined: number
  filtered: number
  gone: number
  /** Marked, moved or deleted on the server. */
  acknowledged: number
}

export function noCounts(): DrainCounts {
  return {
    segments: 0,
    announced: 0,
    imported: 0,
    pending: 0,
    duplicates: 0,
    announcedLate: 0,
    failed: 0,
    quarantined: 0,
    filtered: 0,
    gone: 0,
    acknowledged: 0,
  }
}

/** Adds one recorded entry. Acknowledgements are counted where they happen, for those that can be undone are not recorded. */
export function count(counts: DrainCounts, entry: Entry): void {
  if (entry.type === 'message') {
    if (entry.outcome === 'duplicate') counts.duplicates++
    else counts[entry.outcome]++
  } else if (entry.type === 'announced') counts.announcedLate++
  else if (entry.type === 'failed') counts.failed++
  else if (entry.type === 'quarantined') counts.quarantined++
  else if (entry.type === 'gone') counts.gone++
  else if (entry.type === 'filtered') counts.filtered += countIds(entry.ids)
}

/** How far a drain has come. */
export interface DrainProgress {
  readonly mailbox: MailboxId
  readonly phase: 'connecting' | 'listing' | 'fetching' | 'acknowledging'
  readonly folder: string | undefined
  /** Messages of this folder fetched by now, of `total`. */
  readonly done: number
  readonly total: number
  readonly octets: number
}
