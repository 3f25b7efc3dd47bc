import type { Clock } from './clock.ts'

/** What one loop waits at: until a time has passed, or somebody rings. */
export class Bell {
  readonly #clock: Clock
  #rung = false
  #answer: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Ends the wait. When nobody waits, the next wait ends at once. */
  ring(): void {
    this.#rung = true
    this.#answer?.()
  }

  /** One caller at a time. */
  async wait(milliseconds: number): Promise<void> {
    if (!this.#rung && milliseconds > 0)
      await new Promise<void>((resolve) => {
        const cancel = this.#clock.after(milliseconds, resolve)
        this.#answer = () => {
          cancel()
          resolve()
        }
      })
    this.#answer = undefined
    this.#rung = false
  }
}
