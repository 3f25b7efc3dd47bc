/** Places begin at multiples of this: what is freed between two messages has room for something. */
const GRAIN_OCTETS = 256

interface Gap {
  readonly start: number
  readonly end: number
}

/**
 * Memory for messages that is used again, and that all threads see: who archives or parses a message reads it where it lies. A buffer for each would be the
 * larger part of what a drain allocates, V8 looks through its whole heap whenever some dozens of megabytes of them were made, and each thread would be given
 * a copy.
 *
 * It is one piece, made at the first use, of which the system gives what is written to. What finds no room in it is made anew and collected, as ever.
 */
export class OctetArena {
  readonly #octets: number
  #memory: SharedArrayBuffer | undefined
  /** In order, and never two without something between them. */
  #gaps: Gap[]
  /** Ends of what was taken, by its start. */
  readonly #ends = new Map<number, number>()

  /** `octets`: its size. With 0 it has room for nothing. */
  constructor(octets: number) {
    this.#octets = octets
    this.#gaps = octets > 0 ? [{ start: 0, end: octets }] : []
  }

  /** Memory for so many octets, with whatever it held before. */
  take(octets: number): Buffer {
    const size = roundedUp(octets)
    // The first that fits: low memory is used before that which was never touched.
    const at = octets === 0 ? -1 : this.#gaps.findIndex(({ start, end }) => end - start >= size)
    const gap = this.#gaps[at]
    if (!gap) return Buffer.allocUnsafeSlow(octets)
    const { start } = gap
    const end = start + size
    this.#gaps.splice(at, 1, ...(end < gap.end ? [{ start: end, end: gap.end }] : []))
    this.#ends.set(start, end)
    this.#memory ??= new SharedArrayBuffer(this.#octets)
    return Buffer.from(this.#memory, start, octets)
  }

  /** What `take` gave and that only its first `octets` are needed of: the others go back. */
  shorten(memory: Buffer, octets: number): Buffer {
    const end = this.#endOf(memory)
    // Made for an announcement that was wrong, it would be much more than what counts as in memory.
    if (end === undefined)
      return memory.length > 2 * octets ? Buffer.from(memory.subarray(0, octets)) : memory.subarray(0, octets)
    const start = memory.byteOffset
    const shorter = start + roundedUp(Math.max(1, octets))
    if (shorter < end) {
      this.#ends.set(start, shorter)
      this.#free({ start: shorter, end })
    }
    return memory.subarray(0, octets)
  }

  /** What `take` or `shorten` gave. Nobody may read or write it any more. */
  giveBack(memory: Buffer): void {
    const end = this.#endOf(memory)
    if (end === undefined) return
    this.#ends.delete(memory.byteOffset)
    this.#free({ start: memory.byteOffset, end })
  }

  /** Whether it is to be given back. */
  holds(memory: Buffer): boolean {
    return this.#endOf(memory) !== undefined
  }

  /** Undefined for what is not of this memory. */
  #endOf({ buffer, byteOffset }: Buffer): number | undefined {
    return (buffer as ArrayBufferLike) === this.#memory ? this.#ends.get(byteOffset) : undefined
  }

  #free({ start, end }: Gap): void {
    const next = this.#gaps.findIndex((gap) => gap.start >= end)
    const at = next < 0 ? this.#gaps.length : next
    const before = this.#gaps[at - 1]
    const after = this.#gaps[at]
    const joinsBefore = before?.end === start
    const joinsAfter = after?.start === end
    this.#gaps.splice(at - (joinsBefore ? 1 : 0), (joinsBefore ? 1 : 0) + (joinsAfter ? 1 : 0), {
      start: joinsBefore ? (before as Gap).start : start,
      end: joinsAfter ? (after as Gap).end : end,
    })
  }
}

function roundedUp(octets: number): number {
  return Math.ceil(octets / GRAIN_OCTETS) * GRAIN_OCTETS
}

/** What to send to another thread, so that it reads octets where they lie; undefined for memory that it cannot see. */
export function sharedView({ buffer, byteOffset, length }: Buffer): Uint8Array | undefined {
  return (buffer as ArrayBufferLike) instanceof SharedArrayBuffer
    ? new Uint8Array(buffer, byteOffset, length)
    : undefined
}
