/** Time as the relay sees it: an argument, so that a day of it can pass in a second. */
export interface Clock {
  /** Never goes back; from any start. */
  nowMs(): number
  /** For what is stored and shown. */
  date(): Date
  /** Does the work once, when so many milliseconds have passed by `nowMs`. The answer cancels it; after the work it does nothing. */
  after(milliseconds: number, work: () => void): () => void
}

/** setTimeout takes longer times for 1 ms. */
const LONGEST_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  date: () => new Date(),
  after(milliseconds, work) {
    const dueMs = performance.now() + milliseconds
    let timer: NodeJS.Timeout
    const wait = (): void => {
      const leftMs = Math.ceil(dueMs - performance.now())
      // Timers of Node may be early by a part of a millisecond, and whoever looks at the clock then would wait for ever.
      if (leftMs <= 0) work()
      else timer = setTimeout(wait, Math.min(leftMs, LONGEST_MS))
    }
    timer = setTimeout(wait, Math.min(milliseconds, LONGEST_MS))
    return () => clearTimeout(timer)
  },
}
