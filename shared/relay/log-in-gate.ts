import type { Clock } from './clock.ts'
import type { RelayLimits } from './ports.ts'

interface Host {
  underWay: number
  /** No log-in before this. */
  nextMs: number
  readonly waiting: ((enter: boolean) => void)[]
}

/**
 * Lets so many log-ins be under way at the same time, in all and to one host, and to one host not faster than one in a gap: a relay that
 * starts, or a host that comes back, must not meet with everybody at once. First come, first served, within a host; hosts take turns.
 */
export class LogInGate {
  readonly #limits: RelayLimits
  readonly #clock: Clock
  /** In the order of their turns. */
  readonly #hosts = new Map<string, Host>()
  #underWay = 0
  #closed = false

  constructor(limits: RelayLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  /** Hosts that somebody comes to, or came to a gap ago. */
  get hosts(): number {
    return this.#hosts.size
  }

  /** Resolves when it is one's turn, to what is called when the log-in is over; undefined when the gate was closed. */
  async enter(name: string): Promise<(() => void) | undefined> {
    if (this.#closed) return undefined
    const host = this.#hosts.get(name) ?? { underWay: 0, nextMs: -Infinity, waiting: [] }
    this.#hosts.set(name, host)
    const entering = new Promise<boolean>((resolve) => {
      host.waiting.push(resolve)
    })
    this.#admit()
    if (!(await entering)) return undefined
    return () => {
      host.underWay--
      this.#underWay--
      this.#admit()
    }
  }

  /** Nobody enters any more. */
  close(): void {
    this.#closed = true
    for (const { waiting } of this.#hosts.values()) for (const enter of waiting.splice(0)) enter(false)
  }

  #admit(): void {
    const { logInsAtOnce, logInsAtOncePerHost, logInGapMs } = this.#limits
    for (const [name, host] of [...this.#hosts]) {
      if (this.#underWay >= logInsAtOnce) return
      const [enter] = host.waiting
      if (!enter) {
        if (host.underWay === 0 && this.#clock.nowMs() >= host.nextMs) this.#hosts.delete(name)
        continue
      }
      if (host.underWay >= logInsAtOncePerHost || this.#clock.nowMs() < host.nextMs) continue
      host.waiting.shift()
      host.underWay++
      this.#underWay++
      host.nextMs = this.#clock.nowMs() + logInGapMs
      // Also when nobody waits now: whoever comes within the gap is let in by this.
      this.#clock.after(logInGapMs, () => this.#admit())
      this.#hosts.delete(name)
      this.#hosts.set(name, host)
      enter(true)
    }
  }
}
