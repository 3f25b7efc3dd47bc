import type { RelayLimits } from './ports.ts'

/**
 * Pauses before a connection is made again, judged by how long the last one lived and not by whether it was made: a server that lets everybody
 * in and then hangs up would be asked for ever otherwise. All of a pause is chance (full jitter), above the least after a short session.
 */
export class BackOff {
  readonly #limits: RelayLimits
  readonly #random: () => number
  /** Sessions in a row that did not live long. */
  #short = 0

  constructor(limits: RelayLimits, random: () => number) {
    this.#limits = limits
    this.#random = random
  }

  /** In milliseconds. `livedMs`: 0 for a session that never stood. */
  pauseAfter(livedMs: number): number {
    const { settledMs, reconnectMs, reconnectLeastMs, reconnectMostMs } = this.#limits
    if (livedMs >= settledMs) {
      this.#short = 0
      return this.#random() * reconnectMs
    }
    this.#short++
    const most = Math.min(reconnectMostMs, reconnectLeastMs * 2 ** this.#short)
    return reconnectLeastMs + this.#random() * (most - reconnectLeastMs)
  }
}
