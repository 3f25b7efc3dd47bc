/**
 * Memory that two threads share, for octets that come and go in the same order: one end lends it out, the other reads. Octets put there are copied
 * once and leave no garbage in either thread, where an ArrayBuffer for each would be made, moved, and collected.
 */
export class OctetRing {
  readonly #memory: Buffer
  /** Lent, oldest first, and never empty. */
  readonly #lent: { readonly start: number; readonly end: number }[] = []

  constructor(octets: number) {
    this.#memory = Buffer.from(new SharedArrayBuffer(octets))
  }

  /** A copy, to be read until the oldest that is lent is returned so often that it was its turn; undefined when there is no room now. */
  lend(octets: Buffer): Uint8Array | undefined {
    // What has no octets takes one, so that places tell full from empty.
    const length = Math.max(1, octets.length)
    const start = this.#placeFor(length)
    if (start === undefined) return undefined
    this.#lent.push({ start, end: start + length })
    octets.copy(this.#memory, start)
    return new Uint8Array(this.#memory.buffer, start, octets.length)
  }

  /** The oldest is not read any more. */
  takeBack(): void {
    this.#lent.shift()
  }

  #placeFor(length: number): number | undefined {
    const oldest = this.#lent[0]
    const newest = this.#lent.at(-1)
    if (!oldest || !newest) return length <= this.#memory.length ? 0 : undefined
    // Free: behind the newest and before the oldest, or between the two.
    if (newest.start < oldest.start) return newest.end + length <= oldest.start ? newest.end : undefined
    if (newest.end + length <= this.#memory.length) return newest.end
    return length <= oldest.start ? 0 : undefined
  }
}
