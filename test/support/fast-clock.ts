import type { Clock } from '../../shared/relay/clock.ts'

interface Timer {
  readonly atMs: number
  readonly order: number
  readonly work: () => void
  /** Has run, or will not. */
  over: boolean
}

/**
 * A clock that stands still until it is told to go on, and then goes from timer to timer. Between two of them everything runs that can run
 * without time passing; work that waits for a socket has to be waited for by the test.
 */
export class FastClock implements Clock {
  #nowMs = 0
  #order = 0
  /** A binary heap: ten thousand mailboxes have ten thousand timers. */
  readonly #timers: Timer[] = []
  #cancelled = 0
  /** 2026-01-01, so that dates look like dates. */
  static readonly #START = Date.UTC(2026, 0, 1)

  nowMs(): number {
    return this.#nowMs
  }

  date(): Date {
    return new Date(FastClock.#START + this.#nowMs)
  }

  after(milliseconds: number, work: () => void): () => void {
    const atMs = this.#nowMs + Math.max(0, milliseconds)
    const timer: Timer = { atMs, order: this.#order++, work, over: false }
    this.#push(timer)
    return () => {
      if (timer.over) return
      timer.over = true
      this.#cancelled++
    }
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.length - this.#cancelled
  }

  /** Goes on for so long, from timer to timer. `settled`: awaited after each of them. */
  async pass(milliseconds: number, settled: () => Promise<unknown> = settle): Promise<void> {
    const untilMs = this.#nowMs + milliseconds
    await settled()
    while (true) {
      const [timer] = this.#timers
      if (!timer || timer.atMs > untilMs) break
      this.#pop()
      if (timer.over) {
        this.#cancelled--
        continue
      }
      timer.over = true
      this.#nowMs = timer.atMs
      timer.work()
      await settled()
    }
    this.#nowMs = untilMs
  }

  #push(timer: Timer): void {
    const heap = this.#timers
    let at = heap.push(timer) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(heap[parent] as Timer, timer)) break
      heap[at] = heap[parent] as Timer
      at = parent
    }
    heap[at] = timer
  }

  #pop(): void {
    const heap = this.#timers
    const last = heap.pop() as Timer
    if (heap.length === 0) return
    let at = 0
    while (true) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Timer, heap[child] as Timer)) child++
      if (isBefore(last, heap[child] as Timer)) break
      heap[at] = heap[child] as Timer
      at = child
    }
    heap[at] = last
  }
}

/** Everything that waits for no more than promises, and a few turns of the event loop, has run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
