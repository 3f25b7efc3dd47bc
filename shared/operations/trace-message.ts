import type { Archive } from '../archive/archive.ts'
import type { MailboxId, Sha256 } from '../contract/ids.ts'
import { ledgerKey, rawKey } from '../contract/object-key.ts'
import { readSegment } from '../ledger/ledger.ts'

/** `announced`: the ledger says that a queue has taken its event. `archived`: stored, and not announced as far as the ledger knows. */
export type MessageTrace = 'nowhere' | 'archived' | 'announced'

/**
 * How far a message of a mailbox has come, without reading more of the ledger than the segment that its object was written for. An announcement
 * that a later drain has made is not seen. Rejects with ARCHIVE_… and LEDGER_CORRUPT.
 */
export async function traceMessage(
  mailbox: MailboxId,
  message: Sha256,
  archive: Archive,
): Promise<MessageTrace> {
  const stored = await archive.find(rawKey(mailbox, message))
  if (!stored) return 'nowhere'
  const { writtenFor } = stored
  if (!writtenFor || !(await archive.find(ledgerKey(mailbox, writtenFor.seq)))) return 'archived'
  const { entries } = await readSegment(mailbox, archive, writtenFor.seq)
  const announced = entries.some(
    (entry) => entry.type === 'message' && entry.sha256 === message && entry.outcome === 'announced',
  )
  return announced ? 'announced' : 'archived'
}
