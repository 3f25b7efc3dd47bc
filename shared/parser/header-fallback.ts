import { IngestError } from '../errors.ts'
import { PARSER } from '../limits.ts'
import { parseHeaderOnly } from '../mail/message-header.ts'
import type { ParseCode } from '../mail/parse-code.ts'
import type { ParsedMessage } from '../mail/parsed-message.ts'
import type { Octets } from '../octets.ts'

/**
 * The header of a message whose parse had to be given up, read over its first PARSER.headerOctets.
 * Rejects with SPOOL_FAILED when a spool file cannot be read, and with nothing else.
 */
export async function readHeaderOnly(
  octets: Octets,
  code: ParseCode,
  fields: readonly string[] = [],
): Promise<ParsedMessage> {
  const start = await firstOctets(octets)
  try {
    return parseHeaderOnly(start, code, fields)
  } catch {
    // A defect in the very code that reads headers: the message is announced without any.
    return parseHeaderOnly(Buffer.alloc(0), code)
  }
}

async function firstOctets(octets: Octets): Promise<Buffer> {
  if (octets.buffer) return octets.buffer.subarray(0, PARSER.headerOctets)
  const pieces: Buffer[] = []
  let length = 0
  try {
    for await (const piece of octets.open() as AsyncIterable<Buffer>) {
      pieces.push(piece)
      length += piece.length
      if (length >= PARSER.headerOctets) break
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new IngestError('SPOOL_FAILED', `cannot read a spooled message back: ${reason}`, { cause })
  }
  return Buffer.concat(pieces).subarray(0, PARSER.headerOctets)
}
