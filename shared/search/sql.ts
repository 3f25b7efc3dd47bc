import { LEDGER_COLUMNS } from '../contract/ledger-table.ts'
import type { MessageQuery } from '../query/query.ts'
import { type Bind, type Dialect, quoted } from './dialects.ts'

// A query as SQL over the lines of ledgers. Whatever a user wrote is bound as a parameter: no value ever becomes part of the text.

export interface Statement {
  /** With `$1`, `$2` … for the values, each of which may stand there several times. */
  readonly sql: string
  readonly values: readonly (string | readonly string[])[]
}

/** What the answer has, in this order; `certain` is NULL where the entry does not tell. */
export const ANSWER_COLUMNS = [
  'mailbox',
  'seq',
  'archivedAt',
  'certain',
  ...Object.keys(LEDGER_COLUMNS).filter((name) => !['mailbox', 'seq', 'closedAt'].includes(name)),
] as const

const OF_A_MESSAGE = Object.entries(LEDGER_COLUMNS).filter(
  ([name]) => !['mailbox', 'seq', 'closedAt'].includes(name),
)

/**
 * Messages that the query means or may mean, the newest first. Three-valued, as SQL is: a condition on a field that an entry does not have is NULL, and
 * `certain IS DISTINCT FROM false` keeps it. Means the same as `matcherOf` in query/matcher.ts; a test holds them together. It goes over the lines once:
 * an engine that bills what it reads bills it once.
 */
export function searchStatement(query: MessageQuery, dialect: Dialect, most?: number): Statement {
  const values: (string | readonly string[])[] = []
  const bind: Bind = (value) => `$${values.push(value)}`
  const conditions = conditionsOf(query, dialect, bind)
  const columns = OF_A_MESSAGE.map(([name]) => quoted(name)).join(', ')
  const ofSegment = (column: string): string =>
    `max(CASE WHEN type = 'segment' THEN ${column} END) OVER (PARTITION BY file)`
  const sql = `
WITH entries AS (${dialect.entries(query.mailboxes, bind)}
),
lines AS (
  SELECT position, ${columns},
    ${ofSegment('mailbox')} AS mailbox, ${ofSegment('seq')} AS seq, ${ofSegment('"closedAt"')} AS "archivedAt"
  FROM entries
),
judged AS (
  SELECT *, CASE WHEN type = 'message' THEN ${conditions.length === 0 ? 'true' : conditions.join(' AND ')} END AS certain
  FROM lines
  WHERE type = 'deleted' OR (type = 'message' AND outcome <> 'duplicate')
),
meant AS (
  SELECT *, bool_or(type = 'deleted') OVER (PARTITION BY mailbox, sha256) AS gone
  FROM judged
  WHERE certain IS DISTINCT FROM false
)
SELECT mailbox, seq, "archivedAt", certain, ${OF_A_MESSAGE.map(([name, type]) => dialect.answered(name, type)).join(', ')}
FROM meant
WHERE type = 'message' AND NOT gone
ORDER BY "archivedAt" DESC, mailbox, seq DESC, position DESC, id DESC, folder${most === undefined ? '' : `\nLIMIT ${most}`}`
  return { sql, values }
}

function conditionsOf(query: MessageQuery, dialect: Dialect, bind: Bind): string[] {
  const { anyLike, like, among, within } = comparisons(dialect, bind)
  const conditions: string[] = []
  const add = <Value>(value: Value | undefined, make: (value: Value) => string): void => {
    if (value !== undefined) conditions.push(`(${make(value)})`)
  }
  // A set that is made once: a list would be gone through for every message.
  const oneOf = (value: string, list: string): string =>
    `${value} IN (SELECT item FROM UNNEST(${dialect.list(list)}) AS listed(item))`

  add(query.mailboxes, (ids) => oneOf('mailbox', bind(ids)))
  add(query.ids, (ids) => {
    const list = bind(ids)
    return `${oneOf('sha256', list)} OR ${oneOf("mailbox || '/' || sha256", list)}`
  })
  add(query.messageId, (ids) => oneOf(`coalesce("messageId", '')`, bind(ids)))
  add(query.class, (classes) => oneOf(`coalesce(class, '')`, bind(classes)))
  add(within(query.archivedSince, query.archivedBefore), (inRange) => inRange('"archivedAt"'))
  add(within(query.since, query.before), (inRange) => {
    const own = ['date', '"internalDate"', '"receivedAt"']
    return `CASE WHEN coalesce(${own.join(', ')}) IS NULL THEN ${inRange('"archivedAt"')} ELSE ${own.map(inRange).join(' OR ')} END`
  })
  add(query.subject, (words) =>
    words.map((word) => like("coalesce(subject, '')", [`*${word}*`])).join(' AND '),
  )
  const senders = dialect.split('"from"')
  add(query.from, (globs) => anyLike(senders, globs))
  add(query.to, (globs) => among('"to"', '"toCut"', globs))
  add(query.address, (globs) => `${anyLike(senders, globs)} OR ${among('"to"', '"toCut"', globs)}`)
  add(query.attachment, (globs) => among('attachments', '"attachmentsCut"', globs))
  return conditions
}

function comparisons({ anyOf, folded, instant }: Dialect, bind: Bind) {
  const like = (value: string, globs: readonly string[]): string => {
    const each = globs.map((glob) => `${folded(value)} LIKE ${folded(bind(patternOf(glob)))} ESCAPE '\\'`)
    return `(${each.join(' OR ')})`
  }
  const anyLike = (list: string, globs: readonly string[]): string =>
    anyOf(list, (value) => like(value, globs))
  return {
    like,
    anyLike,
    /** NULL where the list is not known, or was cut before what is looked for. */
    among: (list: string, cut: string, globs: readonly string[]): string =>
      `CASE WHEN ${anyLike(list, globs)} THEN true WHEN ${list} IS NULL OR ${cut} THEN NULL ELSE false END`,
    /** A time that is none is in no range, as in matcherOf. */
    within(since: string | undefined, before: string | undefined) {
      if (since === undefined && before === undefined) return undefined
      const bounds = [
        ...(since === undefined ? [] : [{ operator: '>=', at: bind(startOf(since)) }]),
        ...(before === undefined ? [] : [{ operator: '<', at: bind(startOf(before)) }]),
      ]
      return (column: string): string => {
        const all = bounds.map(({ operator, at }) => `${instant(column)} ${operator} ${instant(at)}`)
        return `coalesce(${all.join(' AND ')}, false)`
      }
    },
  }
}

/** A glob as a pattern of LIKE. */
function patternOf(glob: string): string {
  return glob
    .replace(/[\\%_]/g, '\\$&')
    .replaceAll('*', '%')
    .replaceAll('?', '_')
}

/** A day begins in UTC, whatever the zone of this machine. */
function startOf(time: string): string {
  return new Date(time).toISOString()
}
