import {
  COLUMNS_OF_ENTRY,
  type ColumnType,
  LEDGER_COLUMNS,
  LEDGER_LINE,
  LEDGER_TABLES,
} from '../contract/ledger-table.ts'

// What two engines say in different words. Whatever is the same for both is in sql.ts.

/** Makes a value a parameter and gives its placeholder. */
export type Bind = (value: string | readonly string[]) => string

export interface Dialect {
  /** A subquery: one row for each line, with `file`, `position` (within a segment, later lines higher), and the columns of LEDGER_COLUMNS. */
  entries(mailboxes: readonly string[] | undefined, bind: Bind): string
  /** A list that was bound, as an array of texts. */
  list(placeholder: string): string
  /** A text as a point in time, NULL when it is none. */
  instant(text: string): string
  /** Case and Unicode normal form do not count. */
  folded(text: string): string
  /** An array of what stands between commas. */
  split(text: string): string
  /** Whether the condition holds for any text of an array; false for an array that is NULL. */
  anyOf(array: string, condition: (text: string) => string): string
  /** A column as it is read from the answer. */
  answered(column: string, type: ColumnType): string
}

/** Names like `from` and `to` are words of SQL. */
export const quoted = (column: string): string => `"${column}"`

/** @param files pattern of the segments' paths */
export function duckDbDialect(files: string): Dialect {
  const types: Readonly<Record<ColumnType, string>> = {
    text: 'VARCHAR',
    integer: 'BIGINT',
    flag: 'BOOLEAN',
    // Entries of another type than `message` may have a text there.
    texts: 'JSON',
  }
  const columns = Object.entries(LEDGER_COLUMNS)
  const read = columns.map(([name, type]) => `${quoted(name)}: '${types[type]}'`).join(', ')
  const asTexts = (column: string): string =>
    `CASE WHEN json_type(${column}) = 'ARRAY' THEN CAST(${column} AS VARCHAR[]) END AS ${column}`
  const selected = columns.map(([name, type]) => (type === 'texts' ? asTexts(quoted(name)) : quoted(name)))
  return {
    entries: (_, bind) => `
  SELECT file, row_number() OVER () AS position, ${selected.join(', ')}
  FROM read_json(${bind(files)}, format = 'newline_delimited', filename = 'file', columns = {${read}})`,
    list: (placeholder) => placeholder,
    instant: (text) => `try_cast(${text} AS TIMESTAMPTZ)`,
    folded: (text) => `lower(nfc_normalize(${text}))`,
    split: (text) => `string_split(${text}, ', ')`,
    anyOf: (array, condition) =>
      `coalesce(len(list_filter(${array}, lambda each: ${condition('each')})) > 0, false)`,
    answered: (column) => quoted(column),
  }
}

/** Trino's, which Athena engine version 3 speaks. */
export function athenaDialect(database: string): Dialect {
  const table = (name: string): string => `${quoted(database)}.${quoted(name)}`
  return {
    // Of mailboxes that are named only their folders are read, and paid for.
    entries: (mailboxes, bind) => `
  SELECT file, try_cast(json_extract_scalar(entry, '$.id') AS bigint) AS position, ${COLUMNS_OF_ENTRY.join(', ')}
  FROM (
    SELECT "$path" AS file, json_parse(${LEDGER_LINE}) AS entry
    FROM ${
      mailboxes === undefined
        ? table(LEDGER_TABLES.every)
        : `${table(LEDGER_TABLES.ofMailboxes)} WHERE mailbox IN (${mailboxes.map((each) => bind(each)).join(', ')})`
    }
  )`,
    list: (placeholder) => `CAST(json_parse(${placeholder}) AS array(varchar))`,
    instant: (text) => `try(from_iso8601_timestamp(${text}))`,
    folded: (text) => `lower(normalize(${text}, NFC))`,
    split: (text) => `split(${text}, ', ')`,
    anyOf: (array, condition) => `coalesce(any_match(${array}, each -> ${condition('each')}), false)`,
    answered: (column, type) =>
      type === 'texts' ? `json_format(CAST(${quoted(column)} AS json)) AS ${quoted(column)}` : quoted(column),
  }
}
