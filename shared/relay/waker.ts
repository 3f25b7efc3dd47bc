import type { MailboxId } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { Bell } from './bell.ts'
import type { RelayLimits, RelayPorts, WakeReason } from './ports.ts'

export type WakerPorts = Pick<RelayPorts, 'clock' | 'requestDrain' | 'observe'>

/**
 * Asks for drains of one mailbox. The first news is a request at once; what comes in the window after it is one request at its end. So a
 * burst of a thousand makes a handful, and after the last arrival there is always one more request: what came while a request was on
 * its way may have come after the drain had looked.
 */
export class Waker {
  readonly #mailbox: MailboxId
  readonly #ports: WakerPorts
  readonly #limits: RelayLimits
  readonly #bell: Bell
  /** The news that no request has been made for. */
  #news: { readonly reason: WakeReason; readonly sinceMs: number } | undefined
  #running: Promise<void> | undefined
  #closing = false

  constructor(mailbox: MailboxId, ports: WakerPorts, limits: RelayLimits) {
    this.#mailbox = mailbox
    this.#ports = ports
    this.#limits = limits
    this.#bell = new Bell(ports.clock)
  }

  /** Resolves with the run of requests that this news is part of; rejects with defects alone. */
  wake(reason: WakeReason): Promise<void> {
    this.#news ??= { reason, sinceMs: this.#ports.clock.nowMs() }
    this.#running ??= this.#run()
    return this.#running
  }

  /** Makes the request that waits for its window now, tries it once, and waits for nothing more. */
  async close(): Promise<void> {
    this.#closing = true
    this.#bell.ring()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock } = this.#ports
    const { windowMs, floodMs, floodWindowMs } = this.#limits
    const startedMs = clock.nowMs()
    while (this.#news) {
      const { reason, sinceMs } = this.#news
      this.#news = undefined
      await this.#request(reason, sinceMs)
      if (!this.#closing)
        await this.#bell.wait(clock.nowMs() - startedMs < floodMs ? windowMs : floodWindowMs)
    }
    // In the same turn as the look at the news: what comes now finds nobody at work and begins.
    this.#running = undefined
  }

  /** Until it is safe; while closing, once. */
  async #request(reason: WakeReason, sinceMs: number): Promise<void> {
    const { clock, requestDrain, observe } = this.#ports
    const mailbox = this.#mailbox
    let againMs = this.#limits.requestAgainMs
    while (true) {
      try {
        await requestDrain(mailbox, reason)
        observe({ kind: 'requested', mailbox, at: clock.date(), reason, waitedMs: clock.nowMs() - sinceMs })
        return
      } catch (error) {
        if (!(error instanceof IngestError)) throw error
        observe({ kind: 'request-failed', mailbox, at: clock.date(), error, againMs })
        if (this.#closing) return
      }
      await this.#bell.wait(againMs)
      againMs = Math.min(this.#limits.requestAgainMostMs, againMs * 2)
    }
  }
}
