import { type ColumnType, LEDGER_COLUMNS } from '../contract/ledger-table.ts'
import type { MessageQuery } from '../operations/query.ts'

// A query as SQL over the files of ledgers, in DuckDB's dialect. Whatever a user wrote is bound as a parameter: no value ever becomes part of the text.

export interface Statement {
  readonly sql: string
  readonly values: readonly (string | readonly string[])[]
}

const DUCKDB_TYPE: Readonly<Record<ColumnType, string>> = {
  text: 'VARCHAR',
  integer: 'BIGINT',
  flag: 'BOOLEAN',
  texts: 'VARCHAR[]',
}

/** Names like `from` and `to` are words of SQL. */
const quoted = (column: string): string => `"${column}"`

/**
 * Messages that the query means or may mean, with a column `certain`, the newest first. Three-valued, as SQL is: a condition on a field that an entry does not
 * have is NULL, and `WHERE … IS NOT FALSE` keeps it. Mean the same as `matcherOf` in operations/query.ts; a test holds them together.
 * @param files pattern of the segments' paths
 */
export function searchStatement(query: MessageQuery, files: string): Statement {
  const binding = new Binding()
  const columns = Object.entries(LEDGER_COLUMNS)
    .map(([name, type]) => `${quoted(name)}: '${DUCKDB_TYPE[type]}'`)
    .join(', ')
  const source = binding.add(files)
  const conditions = conditionsOf(query, binding)
  const sql = `
WITH lines AS MATERIALIZED (
  SELECT *, row_number() OVER () AS line
  FROM read_json(${source}, format = 'newline_delimited', filename = 'file', columns = {${columns}})
),
segments AS (SELECT file, mailbox, seq, "closedAt" AS "archivedAt" FROM lines WHERE type = 'segment'),
gone AS (
  SELECT s.mailbox, d.sha256 FROM lines d JOIN segments s USING (file) WHERE d.type = 'deleted'
),
messages AS (
  SELECT m.* EXCLUDE (mailbox, seq, file), s.mailbox, s.seq, s."archivedAt"
  FROM lines m JOIN segments s USING (file)
  WHERE m.type = 'message' AND m.outcome <> 'duplicate'
),
judged AS (SELECT *, ${conditions.length === 0 ? 'true' : conditions.join(' AND ')} AS certain FROM messages)
SELECT * FROM judged
WHERE certain IS NOT FALSE
  AND NOT EXISTS (SELECT 1 FROM gone WHERE gone.mailbox = judged.mailbox AND gone.sha256 = judged.sha256)
ORDER BY "archivedAt" DESC, mailbox, seq DESC, line DESC`
  return { sql, values: binding.values }
}

class Binding {
  readonly values: (string | readonly string[])[] = []

  /** The placeholder of a value. */
  add(value: string | readonly string[]): string {
    this.values.push(value)
    return `$${this.values.length}`
  }
}

function conditionsOf(query: MessageQuery, binding: Binding): string[] {
  const conditions: string[] = []
  const add = <Value>(value: Value | undefined, make: (value: Value) => string): void => {
    if (value !== undefined) conditions.push(`(${make(value)})`)
  }
  // A set that is made once: a list would be gone through for every message.
  const oneOf = (value: string, list: string): string => `${value} IN (SELECT unnest(${list}))`

  add(query.mailboxes, (ids) => oneOf('mailbox', binding.add(ids)))
  add(query.ids, (ids) => {
    const list = binding.add(ids)
    return `${oneOf('sha256', list)} OR ${oneOf("mailbox || '/' || sha256", list)}`
  })
  add(query.messageId, (ids) => oneOf(`coalesce("messageId", '')`, binding.add(ids)))
  add(query.class, (classes) => oneOf(`coalesce(class, '')`, binding.add(classes)))
  add(within(query.archivedSince, query.archivedBefore, binding), (inRange) => inRange('"archivedAt"'))
  add(within(query.since, query.before, binding), (inRange) => {
    const own = ['date', '"internalDate"', '"receivedAt"']
    return `CASE WHEN coalesce(${own.join(', ')}) IS NULL THEN ${inRange('"archivedAt"')} ELSE ${own.map(inRange).join(' OR ')} END`
  })
  add(query.subject, (words) =>
    words.map((word) => like("coalesce(subject, '')", [`*${word}*`], binding)).join(' AND '),
  )
  add(query.from, (globs) => anyLike(SENDERS, globs, binding))
  add(query.to, (globs) => among('"to"', '"toCut"', anyLike('"to"', globs, binding)))
  add(query.address, (globs) => {
    const among_ = among('"to"', '"toCut"', anyLike('"to"', globs, binding))
    return `${anyLike(SENDERS, globs, binding)} OR ${among_}`
  })
  add(query.attachment, (globs) =>
    among('attachments', '"attachmentsCut"', anyLike('attachments', globs, binding)),
  )
  return conditions
}

const SENDERS = `string_split("from", ', ')`

/** NULL where the list is not known, or was cut before what is looked for. */
function among(list: string, cut: string, holds: string): string {
  return `CASE WHEN ${holds} THEN true WHEN ${list} IS NULL OR ${cut} THEN NULL ELSE false END`
}

/** Whether any value of a list matches any glob; false for a list that is NULL. */
function anyLike(list: string, globs: readonly string[], binding: Binding): string {
  return `EXISTS (SELECT 1 FROM unnest(${list}) AS each(value) WHERE ${like('value', globs, binding)})`
}

function like(value: string, globs: readonly string[], binding: Binding): string {
  const folded = (text: string): string => `lower(nfc_normalize(${text}))`
  const each = globs.map(
    (glob) => `${folded(value)} LIKE ${folded(binding.add(patternOf(glob)))} ESCAPE '\\'`,
  )
  return `(${each.join(' OR ')})`
}

/** A glob as a pattern of LIKE. */
function patternOf(glob: string): string {
  return glob
    .replace(/[\\%_]/g, '\\$&')
    .replaceAll('*', '%')
    .replaceAll('?', '_')
}

/** A time that is none is in no range, as in matcherOf. */
function within(since: string | undefined, before: string | undefined, binding: Binding) {
  if (since === undefined && before === undefined) return undefined
  const bounds = [
    ...(since === undefined ? [] : [{ operator: '>=', at: binding.add(instant(since)) }]),
    ...(before === undefined ? [] : [{ operator: '<', at: binding.add(instant(before)) }]),
  ]
  return (column: string): string => {
    const time = `try_cast(${column} AS TIMESTAMPTZ)`
    const all = bounds.map(({ operator, at }) => `${time} ${operator} CAST(${at} AS TIMESTAMPTZ)`)
    return `coalesce(${all.join(' AND ')}, false)`
  }
}

/** A day begins in UTC, whatever the zone of this machine. */
function instant(time: string): string {
  return new Date(time).toISOString()
}
