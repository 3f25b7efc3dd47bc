import { transferDecoder } from '../../shared/mail/transfer-encoding.ts'

/** What a decoder hands on for octets in these pieces. */
export function decodePieces(encoding: string, pieces: readonly Buffer[]): Buffer {
  const decoded: Buffer[] = []
  const decoder = transferDecoder(encoding, (octets) => {
    // Copied, for what is handed on is lent.
    decoded.push(Buffer.from(octets))
  })
  if (!decoder) throw new Error(`no decoder for ${encoding}`)
  for (const piece of pieces) decoder.write(piece)
  decoder.end()
  return Buffer.concat(decoded)
}
