import { LineEnds } from './line-ends.ts'
import { MessageReader } from './message-reader.ts'
import type { ParsedMessage } from './parsed-message.ts'

/** Octets read before other work gets its turn. */
const TURN_OCTETS = 256 * 1024

/**
 * Reads the metadata of one message out of its octets (RFC 5322, MIME, and what is found in practice). Whatever the octets
 * are it resolves: what is missing, cut or broken is told by `parse`. It rejects only with what the source fails with.
 * Time is proportional to the octets, memory bounded by the limits of PARSER, and the result does not depend on how the octets are cut.
 * The source may overwrite a piece when it is asked for the next one. `fields`: header fields, by lower-case name, besides the chosen few.
 */
export async function parseMessage(
  source: AsyncIterable<Buffer> | Buffer,
  fields: readonly string[] = [],
): Promise<ParsedMessage> {
  const reader = new MessageReader(fields)
  const lineEnds = new LineEnds()
  // Most messages are read in one turn, and are spared what asynchronous iteration costs.
  if (Buffer.isBuffer(source) && source.length <= TURN_OCTETS) reader.write(lineEnds.pass(source))
  else
    for await (const octets of Buffer.isBuffer(source) ? turns(source) : source) {
      reader.write(lineEnds.pass(octets))
      if (reader.done) break
    }
  reader.write(lineEnds.rest())
  return reader.end(lineEnds.bareCr)
}

async function* turns(octets: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += TURN_OCTETS) {
    if (at > 0) await new Promise((resume) => setImmediate(resume))
    yield octets.subarray(at, at + TURN_OCTETS)
  }
}
