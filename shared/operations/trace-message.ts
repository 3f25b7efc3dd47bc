import type { Archive } from '../archive/archive.ts'
import { archivedEventId } from '../contract/event.ts'
import type { MailboxId, ObjectKey, Sha256 } from '../contract/ids.ts'
import { ledgerPrefix, parseLedgerKey, rawKey } from '../contract/object-key.ts'
import { readSegment } from '../ledger/ledger.ts'
import type { Entry } from '../ledger/segment.ts'

/** `announced`: the ledger says that a queue has taken its event. `archived`: stored, and not announced as far as the ledger knows. */
export type MessageTrace = 'nowhere' | 'archived' | 'announced'

/** How far a message has come by now. Rejects with ARCHIVE_… and LEDGER_CORRUPT. */
export type Tracing = (message: Sha256) => Promise<MessageTrace>

export interface Tracer {
  /** For messages that come from now on. Rejects with ARCHIVE_…. */
  begin(mailbox: MailboxId): Promise<Tracing>
}

/** Follows messages through listings and new segments alone: whoever traces need not be allowed to read mail. */
export function openTracer(archive: Archive): Tracer {
  /** The last segment of each mailbox that was seen: a long ledger is listed once. */
  const last = new Map<MailboxId, ObjectKey>()
  return {
    async begin(mailbox) {
      for await (const { key } of archive.list(ledgerPrefix(mailbox), last.get(mailbox)))
        last.set(mailbox, key)
      let after = last.get(mailbox)
      let archived = false
      let announced = false
      return async (message) => {
        archived ||= await exists(archive, rawKey(mailbox, message))
        if (!archived) return 'nowhere'
        for await (const { key } of archive.list(ledgerPrefix(mailbox), after)) {
          const { seq } = parseLedgerKey(key) ?? {}
          if (seq === undefined) continue
          const { entries } = await readSegment(mailbox, archive, seq)
          announced ||= entries.some((entry) => announces(entry, mailbox, message))
          after = key
        }
        return announced ? 'announced' : 'archived'
      }
    },
  }
}

async function exists(archive: Archive, wanted: ObjectKey): Promise<boolean> {
  for await (const { key } of archive.list(wanted)) if (key === wanted) return true
  return false
}

function announces(entry: Entry, mailbox: MailboxId, message: Sha256): boolean {
  if (entry.type === 'announced') return entry.event === archivedEventId(mailbox, message)
  return entry.type === 'message' && entry.sha256 === message && entry.outcome === 'announced'
}
