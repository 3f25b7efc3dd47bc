import { Readable } from 'node:stream'
import { IngestError } from '../errors.ts'
import { decodedPart } from '../mail/decoded-part.ts'
import { parseMessage } from '../mail/parse-message.ts'
import type { EncodedPart } from '../mail/parsed-message.ts'

// Attachments out of raw messages. Loaded when it is asked for: the parser is larger than all the rest of the kit.

/** Where a part stands in a message, which is read once for it. Rejects with EVENT_INVALID when there is no attachment with that path. */
export async function findPart(raw: Readable, partPath: string): Promise<EncodedPart> {
  const { encoded } = await parseMessage(raw as AsyncIterable<Buffer>)
  const part = Object.hasOwn(encoded, partPath) ? encoded[partPath] : undefined
  if (!part) throw new IngestError('EVENT_INVALID', `part ${partPath}: the message has no such attachment`)
  return part
}

/** The decoded octets of a part. Destroying it closes the source. */
export function decoded(body: Readable, part: EncodedPart): Readable {
  const stream = Readable.from(decodedPart(body as AsyncIterable<Buffer>, part), { objectMode: false })
  // A generator that was never started has no `finally` to run.
  stream.once('close', () => body.destroy())
  return stream
}
