import { createHash } from 'node:crypto'
import type { DrainId, MailboxId, Sha256 } from '../../shared/contract/ids.ts'
import type { SegmentDraft } from '../../shared/ledger/ledger.ts'
import type { Entry, MessageEntry } from '../../shared/ledger/segment.ts'

export const MAILBOX = 'invoices' as MailboxId

export function digestOf(text: string): Sha256 {
  return createHash('sha256').update(text).digest('hex') as Sha256
}

export function messageEntry(text: string, rest: Partial<MessageEntry> = {}): MessageEntry {
  return {
    type: 'message',
    folder: 'INBOX',
    epoch: '1',
    id: 1,
    outcome: 'announced',
    sha256: digestOf(text),
    octets: text.length,
    queue: 'default',
    ...rest,
  }
}

export function draftOf(entries: readonly Entry[], rest: Partial<SegmentDraft> = {}): SegmentDraft {
  return {
    drain: 'drain-1' as DrainId,
    startedAt: new Date('2026-01-01T00:00:00Z'),
    closedAt: new Date('2026-01-01T00:00:10Z'),
    octetsFetched: 0,
    server: undefined,
    afterArchive: 'keep',
    entries,
    ...rest,
  }
}
