import type { MailboxConfig } from '../contract/config.ts'
import { IngestError } from '../errors.ts'
import { suspends } from '../failed-log-ins.ts'
import type { Suspension } from '../suspension.ts'
import { Bell } from './bell.ts'
import type { LogInGate } from './log-in-gate.ts'
import type { RelayLimits, RelayPorts } from './ports.ts'

/**
 * The log-ins of one mailbox: one at a time, through the gate of all, and none while the mailbox is suspended but the one try when its pause
 * is over. So eight folders whose password was changed make one failed log-in, not eight.
 */
export class Entrance {
  /** Undefined when it is not suspended, as far as this relay knows. */
  suspension: Suspension | undefined
  readonly #config: MailboxConfig
  readonly #ports: RelayPorts
  readonly #limits: RelayLimits
  readonly #gate: LogInGate
  readonly #bell: Bell
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(config: MailboxConfig, ports: RelayPorts, limits: RelayLimits, gate: LogInGate) {
    this.#config = config
    this.#ports = ports
    this.#limits = limits
    this.#gate = gate
    this.#bell = new Bell(ports.clock)
  }

  /**
   * Settles as `work`, which logs in, or to undefined when the entrance was closed before it could. `entered` tells from what it resolves to
   * whether the server has let us in. Rejects with what the state store rejects with, too.
   */
  logIn<T>(work: () => Promise<T>, entered: (result: T) => boolean = () => true): Promise<T | undefined> {
    const turn = this.#last.then(() => this.#enter(work, entered))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /** Nobody enters any more; who is at it ends by itself. */
  close(): void {
    this.#closed = true
    this.#bell.ring()
  }

  async #enter<T>(work: () => Promise<T>, entered: (result: T) => boolean): Promise<T | undefined> {
    const { suspensions, clock, observe } = this.#ports
    if (!(await this.#admitted())) return undefined
    const leave = await this.#gate.enter(this.#config.host)
    if (!leave) return undefined
    const mailbox = this.#config.id
    try {
      const result = await work()
      if (this.suspension && entered(result)) {
        await suspensions.succeeded(this.#config)
        this.suspension = undefined
        observe({ kind: 'resumed', mailbox, at: clock.date() })
      }
      return result
    } catch (error) {
      if (error instanceof IngestError && suspends(error)) {
        this.suspension = await suspensions.failed(this.#config, error)
        observe({ kind: 'suspended', mailbox, at: clock.date(), suspension: this.suspension })
      }
      throw error
    } finally {
      leave()
    }
  }

  /** Waits while the mailbox is suspended; false when the entrance is closed. */
  async #admitted(): Promise<boolean> {
    while (!this.#closed) {
      const { admitted, suspension } = await this.#ports.suspensions.admit(this.#config)
      this.suspension = suspension
      if (admitted) return true
      const leftMs = new Date(suspension.nextTryAt).getTime() - this.#ports.clock.date().getTime()
      // It may be over earlier: somebody else got in, or the credential is another one.
      await this.#bell.wait(Math.min(Math.max(leftMs, 1), this.#limits.credentialCheckMs))
    }
    return false
  }
}
