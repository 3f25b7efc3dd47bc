/** Time as the relay sees it: an argument, so that a day of it can pass in a second. */
export interface Clock {
  /** Never goes back; from any start. */
  nowMs(): number
  /** For what is stored and shown. */
  date(): Date
  /** Does the work once, so many milliseconds from now. The answer cancels it; after the work it does nothing. */
  after(milliseconds: number, work: () => void): () => void
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  date: () => new Date(),
  after(milliseconds, work) {
    const timer = setTimeout(work, milliseconds)
    return () => clearTimeout(timer)
  },
}
