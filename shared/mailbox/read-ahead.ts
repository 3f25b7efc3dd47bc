/** Two of them take turns. A megabyte at 80 ms is what a link of 100 Mbit/s brings in the time; the kernel has room for that. */
const BLOCK_OCTETS = 256 * 1024

/**
 * What has arrived and nobody has asked for yet. TLS hands out records of a few kilobytes, thousands a second: here they lie together, in memory
 * that is used again, and whoever reads gets all of them in one piece.
 */
export class ReadAhead {
  #filling = Buffer.allocUnsafeSlow(BLOCK_OCTETS)
  #lent = Buffer.allocUnsafeSlow(BLOCK_OCTETS)
  #octets = 0

  get octets(): number {
    return this.#octets
  }

  /** Enough has arrived; what comes all the same is kept. */
  get full(): boolean {
    return this.#octets >= BLOCK_OCTETS / 2
  }

  add(octets: Uint8Array): void {
    if (this.#octets + octets.length > this.#filling.length) {
      const larger = Buffer.allocUnsafeSlow(2 * (this.#octets + octets.length))
      this.#filling.copy(larger, 0, 0, this.#octets)
      this.#filling = larger
    }
    this.#filling.set(octets, this.#octets)
    this.#octets += octets.length
  }

  /** All of it, lent until the next call; undefined when there is nothing. */
  take(): Buffer | undefined {
    if (this.#octets === 0) return undefined
    const taken = this.#filling.subarray(0, this.#octets)
    this.#filling = this.#lent
    this.#lent =
      taken.length > BLOCK_OCTETS ? Buffer.allocUnsafeSlow(BLOCK_OCTETS) : Buffer.from(taken.buffer)
    this.#octets = 0
    return taken
  }
}
