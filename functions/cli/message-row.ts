import type { ArchivedMessage } from '../../shared/query/archived-messages.ts'
import { octetsText, printable } from './output.ts'

/** A message as an object of --json. */
export function messageObject({ mailbox, seq, archivedAt, entry }: ArchivedMessage): object {
  const { type, writtenFor, ...message } = entry
  return { mailbox, seq, archivedAt, ...message }
}

/** A message as a row for people. */
export function messageRow({ mailbox, archivedAt, entry }: ArchivedMessage): string[] {
  const from = entry.from ?? ''
  return [
    mailbox,
    entry.sha256.slice(0, 12),
    archivedAt.slice(0, 19).replace('T', ' '),
    octetsText(entry.octets),
    printable(from.length > 32 ? `${from.slice(0, 31)}…` : from),
    printable(entry.subject ?? ''),
  ]
}

/** Columns of a list of messages, for other programs. */
export const messageColumns: Readonly<Record<string, (message: ArchivedMessage) => string>> = {
  mailbox: ({ mailbox }) => mailbox,
  sha256: ({ entry }) => entry.sha256,
  archivedAt: ({ archivedAt }) => archivedAt,
  date: ({ entry }) => entry.date ?? '',
  from: ({ entry }) => entry.from ?? '',
  to: ({ entry }) => entry.to?.join(', ') ?? '',
  subject: ({ entry }) => entry.subject ?? '',
  attachments: ({ entry }) => entry.attachments?.join('; ') ?? '',
  class: ({ entry }) => entry.class ?? '',
  messageId: ({ entry }) => entry.messageId ?? '',
  octets: ({ entry }) => String(entry.octets),
}
