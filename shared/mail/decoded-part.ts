import { withLf } from './line-ends.ts'
import type { EncodedPart } from './parsed-message.ts'
import { transferDecoder } from './transfer-encoding.ts'

/** A message that is held in memory comes in one piece. */
const PIECE_OCTETS = 256 * 1024

/** The octets of a part as its reader measured them, from the octets of its body. Each piece is its own. */
export async function* decodedPart(
  body: AsyncIterable<Buffer>,
  { encoding, bareCr }: Pick<EncodedPart, 'encoding' | 'bareCr'>,
): AsyncGenerator<Buffer> {
  let decoded: Buffer[] = []
  const take = (octets: Buffer): void => {
    decoded.push(Buffer.from(octets))
  }
  // Unknown encodings count as none, as in the parse.
  const decoder = transferDecoder(encoding, take) ?? { write: take, end: () => {} }
  for await (const octets of body) {
    for (let at = 0; at < octets.length; at += PIECE_OCTETS) {
      const piece = octets.subarray(at, at + PIECE_OCTETS)
      decoder.write(bareCr ? withLf(piece) : piece)
      yield* decoded
      decoded = []
    }
  }
  decoder.end()
  yield* decoded
}
