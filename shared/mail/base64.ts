import type { Take, TransferDecoder } from './transfer-encoding.ts'

const INVALID = 64
const PAD = 65
const SEXTETS = new Uint8Array(256).fill(INVALID)
for (const [value, digit] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
].entries())
  SEXTETS[digit.charCodeAt(0)] = value
SEXTETS[0x3d] = PAD

/**
 * Base64 (RFC 2045, 6.8). Octets outside the alphabet are passed over, also `-` and `_`, which lists put below what they forward; padding ends a group, and data may follow it,
 * as in messages put together from several encoded pieces.
 */
export class Base64Decoder implements TransferDecoder {
  readonly #take: Take
  #group = 0
  #sextets = 0
  #decoded = Buffer.alloc(0)

  constructor(take: Take) {
    this.#take = take
  }

  write(octets: Buffer): void {
    const { length } = octets
    const most = Math.ceil((length * 3) / 4) + 3
    if (this.#decoded.length < most) this.#decoded = Buffer.allocUnsafe(most)
    const decoded = this.#decoded
    let to = 0
    let at = 0
    let group = this.#group
    let sextets = this.#sextets
    while (at < length) {
      // Whole groups, four octets at a time.
      while (sextets === 0 && at + 4 <= length) {
        const a = SEXTETS[octets[at] as number] as number
        const b = SEXTETS[octets[at + 1] as number] as number
        const c = SEXTETS[octets[at + 2] as number] as number
        const d = SEXTETS[octets[at + 3] as number] as number
        if ((a | b | c | d) >= INVALID) break
        decoded[to] = (a << 2) | (b >> 4)
        decoded[to + 1] = (b << 4) | (c >> 2)
        decoded[to + 2] = (c << 6) | d
        to += 3
        at += 4
      }
      if (at >= length) break
      const sextet = SEXTETS[octets[at++] as number] as number
      if (sextet < INVALID) {
        group = (group << 6) | sextet
        if (++sextets === 4) {
          decoded[to++] = group >> 16
          decoded[to++] = group >> 8
          decoded[to++] = group
          group = sextets = 0
        }
      } else if (sextet === PAD && sextets > 0) {
        to = flush(decoded, to, group, sextets)
        group = sextets = 0
      }
    }
    this.#group = group
    this.#sextets = sextets
    if (to > 0) this.#take(decoded.subarray(0, to))
  }

  end(): void {
    const decoded = Buffer.allocUnsafe(2)
    const to = flush(decoded, 0, this.#group, this.#sextets)
    this.#group = this.#sextets = 0
    if (to > 0) this.#take(decoded.subarray(0, to))
  }
}

/** Two sextets are one octet, three are two; one alone is nothing. */
function flush(decoded: Buffer, to: number, group: number, sextets: number): number {
  if (sextets === 2) decoded[to++] = group >> 4
  else if (sextets === 3) {
    decoded[to++] = group >> 10
    decoded[to++] = group >> 2
  }
  return to
}
