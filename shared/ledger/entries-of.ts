import type { Archive } from '../archive/archive.ts'
import type { Epoch, MailboxId } from '../contract/ids.ts'
import type { ServerId } from '../mailbox/mailbox.ts'
import { dayOf } from './id-days.ts'
import { readSegment } from './ledger.ts'
import type { MessageEntry } from './segment.ts'

/**
 * The entries of messages in one folder and epoch, found by the days (UTC) on which they became known: segments are in the order of time, so that the
 * first of a day is found by halves, and the ledger is not read as a whole. What is not found there is left out. Rejects with ARCHIVE_… and
 * LEDGER_CORRUPT.
 */
export async function entriesOf(
  mailbox: MailboxId,
  archive: Archive,
  /** The number of the last segment. */
  last: number,
  { folder, epoch }: { readonly folder: string; readonly epoch: Epoch },
  days: ReadonlyMap<ServerId, number>,
): Promise<ReadonlyMap<ServerId, MessageEntry>> {
  const found = new Map<ServerId, MessageEntry>()
  // Clocks of several machines wrote them: a day more on either side.
  const from = Math.min(...days.values()) - 1
  const to = Math.max(...days.values()) + 1
  for (let seq = await firstOf(from, mailbox, archive, last); seq <= last; seq++) {
    const { header, entries } = await readSegment(mailbox, archive, seq)
    if (dayOf(new Date(header.closedAt)) > to) break
    for (const entry of entries)
      if (entry.type === 'message' && entry.folder === folder && entry.epoch === epoch) {
        const id = entry.id as ServerId
        if (days.has(id)) found.set(id, entry)
      }
  }
  return found
}

/** The first segment that was closed on that day or later; the one after the last when there is none. */
async function firstOf(day: number, mailbox: MailboxId, archive: Archive, last: number): Promise<number> {
  let low = 1
  let high = last + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const { header } = await readSegment(mailbox, archive, middle)
    if (dayOf(new Date(header.closedAt)) < day) low = middle + 1
    else high = middle
  }
  return low
}
