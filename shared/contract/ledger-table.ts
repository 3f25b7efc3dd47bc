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

/**
 * Their one column: a line as it is stored. JSON is read by the query: Athena's JSON SerDes want one type for each field, or may answer differently from time
 * to time (AWS, Athena user guide, "OpenX JSON SerDe", considerations).
 */
export const LEDGER_LINE = 'line'

const OF_JSON: Readonly<Record<ColumnType, (path: string) => string>> = {
  text: (path) => `json_extract_scalar(entry, ${path})`,
  integer: (path) => `try_cast(json_extract_scalar(entry, ${path}) AS bigint)`,
  flag: (path) => `json_extract_scalar(entry, ${path}) = 'true'`,
  texts: (path) => `try_cast(json_extract(entry, ${path}) AS array(varchar))`,
}

/** SQL of Trino and Athena: the columns of `entry`, a line as JSON. */
export const COLUMNS_OF_ENTRY: readonly string[] = Object.entries(LEDGER_COLUMNS).map(
  ([name, type]) => `${OF_JSON[type](`'$.${name}'`)} AS "${name}"`,
)

/** For people with a console of Athena, to begin with. */
export const EXAMPLE_QUERY = `SELECT ${COLUMNS_OF_ENTRY.join(',\n  ')}
FROM (SELECT json_parse(${LEDGER_LINE}) AS entry FROM ${LEDGER_TABLES.every})
WHERE json_extract_scalar(entry, '$.type') = 'message'
ORDER BY "internalDate" DESC
LIMIT 100`

/** The Glue database of a deployment, whose names take no hyphens without quotes. */
export function ledgerDatabase(stack: string): string {
  return stack.replaceAll('-', '_')
}
