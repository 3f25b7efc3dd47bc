/** Below this a message is not worth the keeping: it is made and collected with everything else that is small. */
const SMALLEST_OCTETS = 32 * 1024

/**
 * Memory for messages that is used again. An ArrayBuffer for each would be the larger part of what a drain allocates, and V8 looks through its whole heap
 * for what can be freed whenever some dozens of megabytes of them have been made: a fifth of a drain's processor time.
 */
export class OctetPool {
  readonly #most: number
  /** By their capacity. */
  readonly #free = new Map<number, Buffer[]>()
  #freeOctets = 0

  /** `octets`: so much is kept while nobody uses it. */
  constructor(octets: number) {
    this.#most = octets
  }

  /** False for a pool that is none: all is made anew and collected. */
  get keeps(): boolean {
    return this.#most > 0
  }

  /** Memory for at least so many octets, with whatever it held before. */
  take(octets: number): Buffer {
    const capacity = capacityFor(octets)
    const kept = this.#free.get(capacity)?.pop()
    if (!kept) return Buffer.allocUnsafeSlow(capacity)
    this.#freeOctets -= capacity
    return kept
  }

  /** What `take` gave, whole. Nobody may read or write it any more. */
  giveBack(memory: Buffer): void {
    const capacity = memory.length
    if (capacity < SMALLEST_OCTETS || this.#freeOctets + capacity > this.#most) return
    const kept = this.#free.get(capacity)
    if (kept) kept.push(memory)
    else this.#free.set(capacity, [memory])
    this.#freeOctets += capacity
  }
}

/** A power of two, or one, two or three quarters more: at most a fifth of it stays unused, and sizes are few enough to fit again. */
function capacityFor(octets: number): number {
  if (octets < SMALLEST_OCTETS) return octets
  const quarter = 2 ** Math.floor(Math.log2(octets)) / 4
  return Math.ceil(octets / quarter) * quarter
}
