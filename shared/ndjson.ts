import type * as z from 'zod'
import type { IngestError } from './errors.ts'

// Newline-delimited JSON, one object with a `type` a line: the form of everything that is recorded in the archive.

/** Makes the error for what is not as it was written. */
export type Complaint = (where: string, what: string, cause?: unknown) => IngestError

export function encodeLines(lines: readonly object[]): Buffer {
  return Buffer.from(`${lines.map((line) => JSON.stringify(line)).join('\n')}\n`)
}

/** The lines without their ends. Throws what `corrupt` makes for a file whose last line was cut. */
export function splitLines(content: Buffer, where: string, corrupt: Complaint): string[] {
  const text = content.toString('utf8')
  if (!text.endsWith('\n')) throw corrupt(where, 'its last line is not complete')
  return text.slice(0, -1).split('\n')
}

export function decodeLine<Schema extends z.ZodType>(
  schema: Schema,
  line: string,
  where: string,
  corrupt: Complaint,
): z.infer<Schema> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw corrupt(where, 'not JSON', cause)
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw corrupt(where, `${issue?.path.join('.') || 'the line'}: ${issue?.message}`)
}
