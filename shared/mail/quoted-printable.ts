import type { Take, TransferDecoder } from './transfer-encoding.ts'

const TAB = 0x09
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const EQUALS = 0x3d

/** White space that may end a line is held back until it is known; a longer run than this is content. */
const HELD_OCTETS = 64 * 1024

/**
 * Quoted-printable (RFC 2045, 6.7): white space at the end of a line goes, a soft line break joins two lines, and
 * an `=` that begins neither a break nor two hexadecimal digits stays as it is.
 */
export class QuotedPrintableDecoder implements TransferDecoder {
  readonly #take: Take
  /** Octets whose meaning depends on what follows: white space, `=` with white space, `=` with one digit. */
  #held: number[] = []
  #decoded = Buffer.alloc(0)
  #length = 0

  constructor(take: Take) {
    this.#take = take
  }

  write(octets: Buffer): void {
    const most = octets.length + this.#held.length
    if (this.#decoded.length < most) this.#decoded = Buffer.allocUnsafe(most)
    this.#length = 0
    let at = 0
    while (at < octets.length) {
      if (this.#held.length === 0) {
        at = this.#copyOrdinary(octets, at)
        if (at < octets.length) this.#held.push(octets[at++] as number)
      } else {
        at += this.#resolve(octets[at] as number)
      }
    }
    this.#hand()
  }

  end(): void {
    const [first, second] = this.#held
    this.#decoded = Buffer.allocUnsafe(this.#held.length)
    this.#length = 0
    // The end of the data is the end of a line; `=` there is a soft line break.
    if (first === EQUALS && second !== undefined && !isBlank(second) && second !== CR) this.#release()
    this.#held = []
    this.#hand()
  }

  /** Up to what depends on octets that are not there yet, or on more than the next two. */
  #copyOrdinary(octets: Buffer, start: number): number {
    const decoded = this.#decoded
    let to = this.#length
    let at = start
    while (at < octets.length) {
      const octet = octets[at] as number
      if (octet === EQUALS) {
        const digits = escaped(octets, at)
        if (digits >= 0) {
          decoded[to++] = digits
          at += 3
        } else if (octets[at + 1] === CR && octets[at + 2] === LF) at += 3
        else break
      } else {
        if (isBlank(octet) && !isOrdinary(octets[at + 1])) break
        decoded[to++] = octet
        at++
      }
    }
    this.#length = to
    return at
  }

  /** Looks at the octet after held ones; returns 1 when it is used up, 0 when it is to be looked at again. */
  #resolve(octet: number): 0 | 1 {
    const held = this.#held
    const last = held[held.length - 1] as number
    if (held[0] !== EQUALS) {
      if (isBlank(octet) && held.length < HELD_OCTETS) {
        held.push(octet)
        return 1
      }
      if (octet === LF || octet === CR) this.#held = []
      else this.#release()
      return 0
    }
    const digit = hexDigit(octet)
    if (held.length === 2 && hexDigit(last) >= 0 && digit >= 0) {
      this.#held = []
      this.#decoded[this.#length++] = (hexDigit(last) << 4) | digit
      return 1
    }
    const breaking = last === EQUALS || isBlank(last)
    if (octet === LF && (breaking || last === CR)) {
      this.#held = []
      return 1
    }
    const goesOn = (held.length === 1 && digit >= 0) || (breaking && (isBlank(octet) || octet === CR))
    if (goesOn && held.length < HELD_OCTETS) {
      held.push(octet)
      return 1
    }
    this.#release()
    return 0
  }

  /** Held octets are content after all. An escape may have been in them only at their start. */
  #release(): void {
    for (const octet of this.#held) this.#decoded[this.#length++] = octet
    this.#held = []
  }

  #hand(): void {
    if (this.#length > 0) this.#take(this.#decoded.subarray(0, this.#length))
  }
}

function isBlank(octet: number): boolean {
  return octet === SPACE || octet === TAB
}

/** Behind a blank it is content, and so is the blank. */
function isOrdinary(octet: number | undefined): boolean {
  return octet !== undefined && octet > SPACE
}

/** What `=` and two digits at this place stand for; -1 for anything else. */
function escaped(octets: Buffer, at: number): number {
  const high = hexDigit(octets[at + 1] as number)
  const low = hexDigit(octets[at + 2] as number)
  return high < 0 || low < 0 ? -1 : (high << 4) | low
}

function hexDigit(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30
  if (octet >= 0x41 && octet <= 0x46) return octet - 0x41 + 10
  if (octet >= 0x61 && octet <= 0x66) return octet - 0x61 + 10
  return -1
}
