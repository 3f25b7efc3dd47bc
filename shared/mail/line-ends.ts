const LF = 0x0a
const CR = 0x0d

/** This much without a single LF, and the lines of the message end with CR alone, if with anything. */
const LOOK_AHEAD_OCTETS = 64 * 1024

/**
 * Sits before the reader and turns CR into LF when the message has bare CR for line ends, as old Macintosh programs wrote.
 * It decides on the first octets, whatever pieces they come in.
 */
export class LineEnds {
  #held: Buffer[] = []
  #heldOctets = 0
  #decided = false
  /** Lines end with CR alone. */
  bareCr = false

  /** Octets to read now, perhaps none. */
  pass(octets: Buffer): Buffer {
    if (this.#decided) return this.bareCr ? withLf(octets) : octets
    this.#heldOctets += octets.length
    const decides = octets.includes(LF) || this.#heldOctets >= LOOK_AHEAD_OCTETS
    this.#held.push(decides ? octets : Buffer.from(octets))
    return decides ? this.rest() : Buffer.alloc(0)
  }

  /** What was held until the decision; to be called at the end. */
  rest(): Buffer {
    if (this.#decided) return Buffer.alloc(0)
    this.#decided = true
    const octets = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held)
    this.#held = []
    const start = octets.subarray(0, LOOK_AHEAD_OCTETS)
    this.bareCr = !start.includes(LF) && start.includes(CR)
    return this.bareCr ? withLf(octets) : octets
  }
}

/** The same octets with LF for each CR. */
export function withLf(octets: Buffer): Buffer {
  const copy = Buffer.from(octets)
  for (let at = copy.indexOf(CR); at >= 0; at = copy.indexOf(CR, at + 1)) copy[at] = LF
  return copy
}
