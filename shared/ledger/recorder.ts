import { randomUUID } from 'node:crypto'
import type { Archive, Retention } from '../archive/archive.ts'
import type { DrainId, MailboxId } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { LEDGER } from '../limits.ts'
import type { Fold } from './fold.ts'
import { type Ledger, openLedger } from './ledger.ts'
import type { Entry } from './segment.ts'

/** Writes to a ledger what no drain does: decisions of people. */
export interface Recorder {
  /** What the ledger says up to its end, as far as it is known here. */
  readonly fold: Fold
  /**
   * Commits a segment with these entries. A drain that is at work meanwhile may be faster, and then it is done again after its segment. Rejects with
   * ARCHIVE_…, LEDGER_CORRUPT, and LEDGER_RACE_LOST when others are faster all the time.
   */
  record(entries: readonly Entry[]): Promise<void>
}

/** `retention`: the mailbox's own, as with every segment of it. Reads the whole ledger. */
export async function openRecorder(
  mailbox: MailboxId,
  archive: Archive,
  retention: Retention | undefined,
  now: () => Date,
): Promise<Recorder> {
  const stores = { archive, state: undefined }
  // As a drain would: whose segment it is shows in its header.
  const drain = randomUUID() as DrainId
  let ledger: Ledger = await openLedger(mailbox, stores)
  return {
    get fold() {
      return ledger.fold
    },
    async record(entries) {
      const startedAt = now()
      for (let attempt = 1; ; attempt++) {
        try {
          const draft = { drain, startedAt, closedAt: now(), octetsFetched: 0, entries }
          return await ledger.commit({ ...draft, server: undefined, afterArchive: undefined }, retention)
        } catch (error) {
          const raced = error instanceof IngestError && error.code === 'LEDGER_RACE_LOST'
          if (!raced || attempt === LEDGER.recordAttempts) throw error
          ledger = await openLedger(mailbox, stores)
        }
      }
    },
  }
}
