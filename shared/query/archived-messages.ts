import * as z from 'zod'
import type { Archive } from '../archive/archive.ts'
import type { MailboxId } from '../contract/ids.ts'
import { readSegments } from '../ledger/ledger.ts'
import type { MessageEntry, Segment } from '../ledger/segment.ts'

/** A message as the ledger has it: each once in its mailbox, by the entry that is not a duplicate. */
export interface ArchivedMessage {
  readonly mailbox: MailboxId
  /** The segment that names it. */
  readonly seq: number
  /** ISO 8601; when the segment was closed. */
  readonly archivedAt: string
  readonly entry: MessageEntry
}

/** Where who works through many messages has come to: the last one that is done. */
export const placeSchema = z.object({ mailbox: z.string(), seq: z.int(), sha256: z.string() })

export type Place = z.infer<typeof placeSchema>

export function placeOf({ mailbox, seq, entry }: ArchivedMessage): Place {
  return { mailbox, seq, sha256: entry.sha256 }
}

/** Every message of a mailbox. Rejects with ARCHIVE_… and LEDGER_CORRUPT. */
export async function* archivedMessages(
  mailbox: MailboxId,
  archive: Archive,
): AsyncGenerator<ArchivedMessage> {
  for await (const segment of readSegments(mailbox, archive)) yield* messagesIn(segment)
}

/** The messages that a segment names for the first time. */
export function messagesIn({ header, entries }: Segment): ArchivedMessage[] {
  const { mailbox, seq, closedAt: archivedAt } = header
  return entries.flatMap((entry) =>
    entry.type === 'message' && entry.outcome !== 'duplicate' ? [{ mailbox, seq, archivedAt, entry }] : [],
  )
}
