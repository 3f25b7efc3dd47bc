import { Base64Decoder } from './base64.ts'
import { QuotedPrintableDecoder } from './quoted-printable.ts'

/** Takes encoded octets in pieces of any size and hands decoded ones on; the result does not depend on the pieces. */
export interface TransferDecoder {
  write(octets: Buffer): void
  end(): void
}

/** The octets are lent: the next ones overwrite them, for a large message would leave tens of megabytes behind before they are collected. */
export type Take = (decoded: Buffer) => void

/** The decoder for a Content-Transfer-Encoding (RFC 2045, 6); undefined for one that is not known. */
export function transferDecoder(encoding: string, take: Take): TransferDecoder | undefined {
  switch (encoding) {
    case 'base64':
      return new Base64Decoder(take)
    case 'quoted-printable':
      return new QuotedPrintableDecoder(take)
    case '':
    case '7bit':
    case '8bit':
    case 'binary':
      return { write: take, end: () => {} }
    default:
      return undefined
  }
}
