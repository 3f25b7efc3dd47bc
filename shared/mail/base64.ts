import type { Take, TransferDecoder } from './transfer-encoding.ts'

const LF = 0x0a
const CR = 0x0d
const INVALID = 64
const PAD = 65
const SEXTETS = new Uint8Array(256).fill(INVALID)
for (const [value, digit] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
].entries())
  SEXTETS[digit.charCodeAt(0)] = value
SEXTETS[0x3d] = PAD

/** Octets given to the runtime’s own decoder at once, each time in a string that is left behind: more is hardly faster. */
const BLOCK_OCTETS = 8 * 1024
/** Fewer lines are not worth a block. */
const BLOCK_LINES = 8

/**
 * Base64 (RFC 2045, 6.8). Octets outside the alphabet are passed over, also `-` and `_`, which lists put below what they forward; padding ends a group, and data may follow it,
 * as in messages put together from several encoded pieces.
 */
export class Base64Decoder implements TransferDecoder {
  readonly #take: Take
  #group = 0
  #sextets = 0
  #decoded = Buffer.alloc(0)
  #length = 0

  constructor(take: Take) {
    this.#take = take
  }

  write(octets: Buffer): void {
    const most = Math.ceil((octets.length * 3) / 4) + 3
    if (this.#decoded.length < most) this.#decoded = Buffer.allocUnsafe(most)
    this.#length = 0
    // To the end of a line, then as many whole lines as there are, then what is left.
    let at = octets.indexOf(LF) + 1
    this.#digits(octets, 0, at)
    for (let next = at; next >= 0; next = this.#lines(octets, at)) at = next
    this.#digits(octets, at, octets.length)
    if (this.#length > 0) this.#take(this.#decoded.subarray(0, this.#length))
  }

  /**
   * Whole groups in lines of one length, as programs write them, by the runtime's own decoder, which is ten times as fast. It passes over other
   * octets too, but takes `-` and `_` for digits. Returns the place behind them; -1 when there are no such lines, and nothing was done.
   */
  #lines(octets: Buffer, start: number): number {
    if (this.#sextets > 0) return -1
    const lineOctets = octets.indexOf(LF, start) + 1 - start
    const digits = lineOctets - (octets[start + lineOctets - 2] === CR ? 2 : 1)
    if (digits < 4 || digits % 4 !== 0) return -1
    const limit = Math.min(octets.length, start + BLOCK_OCTETS)
    let end = start
    while (end + lineOctets <= limit && endsLine(octets, end + digits, end + lineOctets - 1))
      end += lineOctets
    const lines = (end - start) / lineOctets
    if (lines < BLOCK_LINES) return -1
    const text = octets.toString('latin1', start, end)
    if (text.includes('-') || text.includes('_')) return -1
    const length = this.#decoded.write(text, this.#length, 'base64')
    // As many as there are when each place in each line has a digit: nothing was passed over, and no padding was met.
    if (length !== (lines * digits * 3) / 4) return -1
    this.#length += length
    return end
  }

  #digits(octets: Buffer, start: number, end: number): void {
    const decoded = this.#decoded
    let to = this.#length
    let at = start
    let group = this.#group
    let sextets = this.#sextets
    while (at < end) {
      // Whole groups, four octets at a time.
      while (sextets === 0 && at + 4 <= end) {
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
      if (at >= end) break
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
    this.#length = to
  }

  end(): void {
    const decoded = Buffer.allocUnsafe(2)
    const to = flush(decoded, 0, this.#group, this.#sextets)
    this.#group = this.#sextets = 0
    if (to > 0) this.#take(decoded.subarray(0, to))
  }
}

/** Whether a line end of one or two octets stands here. */
function endsLine(octets: Buffer, start: number, last: number): boolean {
  return octets[last] === LF && (start === last || octets[start] === CR)
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
