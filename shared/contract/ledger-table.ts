// The ledger as a table: what DuckDB and Athena read of its files, which are newline-delimited JSON with a `type` in every line. The first line of a file is
// its segment (mailbox, seq, closedAt), the others are what happened; those of type `message` name one message each. Types are those of `message`: other
// lines may have something else under such a name.

export type ColumnType = 'text' | 'integer' | 'flag' | 'texts'

export const LEDGER_COLUMNS = {
  type: 'text',
  // Of the segment.
  mailbox: 'text',
  seq: 'integer',
  closedAt: 'text',
  // Of a message.
  folder: 'text',
  epoch: 'text',
  id: 'text',
  outcome: 'text',
  sha256: 'text',
  octets: 'integer',
  versionId: 'text',
  retainUntil: 'text',
  queue: 'text',
  internalDate: 'text',
  messageId: 'text',
  threadKey: 'text',
  from: 'text',
  to: 'texts',
  toCut: 'flag',
  subject: 'text',
  date: 'text',
  receivedAt: 'text',
  attachments: 'texts',
  attachmentsCut: 'flag',
  class: 'text',
  parse: 'text',
} as const satisfies Readonly<Record<string, ColumnType>>

export type LedgerColumn = keyof typeof LEDGER_COLUMNS

/** Tables of the Glue database, over the same files: of all mailboxes, and of those that `mailbox` names in a condition with `=` or `IN`. */
export const LEDGER_TABLES = { every: 'ledger', ofMailboxes: 'ledger_of_mailboxes' } as const

/** Their one column: a line as it is stored. */
export const LEDGER_LINE = 'line'
