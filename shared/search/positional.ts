import type { Statement } from './sql.ts'

/** Code points of one parameter: Athena takes 1,024 characters, and an apostrophe is written twice. */
const PIECE = 250

/**
 * A statement as Athena takes it: `?` for each value, in the order in which they stand in the text, and each value as a literal of SQL, for that is what
 * Athena reads ExecutionParameters as. A long one is put together of several; a list is a JSON array.
 */
export function positional({ sql, values }: Statement): {
  readonly sql: string
  readonly parameters: readonly string[]
} {
  const parameters: string[] = []
  const text = sql.replace(/\$(\d+)/g, (_, number: string) => {
    const value = values[Number(number) - 1]
    if (value === undefined) throw new RangeError(`no value $${number}`)
    const literals = pieces(typeof value === 'string' ? value : JSON.stringify(value)).map(literal)
    parameters.push(...literals)
    return literals.length === 1 ? '?' : `(${literals.map(() => '?').join(' || ')})`
  })
  return { sql: text, parameters }
}

/** In a text of SQL an apostrophe is doubled, and nothing else means anything but itself (ISO 9075-2, 5.3; Trino has no escapes in it). */
function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function pieces(text: string): string[] {
  const points = Array.from(text)
  const count = Math.max(1, Math.ceil(points.length / PIECE))
  return Array.from({ length: count }, (_, n) => points.slice(n * PIECE, (n + 1) * PIECE).join(''))
}
