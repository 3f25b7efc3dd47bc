import type { MailboxConfig } from '../contract/config.ts'
import type { MailboxId } from '../contract/ids.ts'
import { nextStep } from '../drain/next-step.ts'
import type { DrainReport } from '../drain/report.ts'
import type { Clock } from './clock.ts'
import type { RelayLimits } from './ports.ts'

export interface LocalDrainPorts {
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** Drains the mailbox once; rejects with defects alone. */
  drain(mailbox: MailboxConfig): Promise<DrainReport>
  /** Told of each drain; `waitedMs`: since it was asked for. */
  drained(report: DrainReport, waitedMs: number): void
  defect(error: unknown): void
}

interface Lane {
  config: MailboxConfig
  /** Since when a drain is asked for that has not begun; undefined when none is. */
  askedMs: number | undefined
  draining: boolean
  /** Drains in a row that have to be tried again. */
  failures: number
  cancel: () => void
}

/**
 * The drains of one machine, where no queue and no schedule asks for them. One at a time for each mailbox, a few at a time in all. What is asked for
 * while a mailbox is drained is one more drain after it: what came since may have been overlooked. Drains that failed are tried
 * again after pauses that grow. A mailbox that is watched is drained now and then unasked, for what no server tells: announcements that a
 * queue refused, messages that have come of the age at which they are deleted.
 */
export class LocalDrains {
  readonly #ports: LocalDrainPorts
  readonly #limits: RelayLimits
  /** In the order in which they had their last turn. */
  #lanes = new Map<MailboxId, Lane>()
  readonly #running = new Set<Promise<void>>()
  #closed = false

  constructor(ports: LocalDrainPorts, limits: RelayLimits) {
    this.#ports = ports
    this.#limits = limits
  }

  /** The mailboxes from now on. A drain under way of one that is gone ends by itself. */
  apply(mailboxes: readonly MailboxConfig[]): void {
    const before = this.#lanes
    this.#lanes = new Map()
    for (const config of mailboxes) {
      const lane = before.get(config.id) ?? {
        config,
        askedMs: undefined,
        draining: false,
        failures: 0,
        cancel: () => {},
      }
      lane.config = config
      this.#lanes.set(config.id, lane)
    }
    for (const [id, { cancel }] of before) if (!this.#lanes.has(id)) cancel()
  }

  /** A drain that begins after now. Does nothing for a mailbox that was not applied. */
  request(mailbox: MailboxId): void {
    const lane = this.#lanes.get(mailbox)
    if (!lane) return
    lane.askedMs ??= this.#ports.clock.nowMs()
    this.#begin()
  }

  /** Begins no drain any more; resolves when those under way have ended. */
  async close(): Promise<void> {
    this.#closed = true
    for (const { cancel } of this.#lanes.values()) cancel()
    await Promise.all(this.#running)
  }

  #begin(): void {
    for (const [id, lane] of [...this.#lanes]) {
      if (this.#closed || this.#running.size >= this.#limits.drainsAtOnce) return
      if (lane.askedMs === undefined || lane.draining) continue
      this.#lanes.delete(id)
      this.#lanes.set(id, lane)
      const running = this.#drain(lane, lane.askedMs)
        .catch((error: unknown) => this.#ports.defect(error))
        .finally(() => {
          this.#running.delete(running)
          this.#begin()
        })
      this.#running.add(running)
    }
  }

  async #drain(lane: Lane, askedMs: number): Promise<void> {
    lane.askedMs = undefined
    lane.draining = true
    lane.cancel()
    try {
      const report = await this.#ports.drain(lane.config)
      this.#ports.drained(report, this.#ports.clock.nowMs() - askedMs)
      this.#after(lane, report)
    } finally {
      lane.draining = false
    }
  }

  #after(lane: Lane, report: DrainReport): void {
    const { clock, random } = this.#ports
    const { checkMs, drainAgainMs, drainAgainMostMs } = this.#limits
    if (this.#closed || !this.#lanes.has(lane.config.id)) return
    const request = (): void => this.request(lane.config.id)
    const step = nextStep(report)
    lane.failures = step === 'come-back' ? lane.failures + 1 : 0
    if (step === 'continue') lane.askedMs ??= clock.nowMs()
    else if (step === 'come-back') {
      const mostMs = Math.min(drainAgainMostMs, drainAgainMs * 2 ** lane.failures)
      lane.cancel = clock.after(drainAgainMs + random() * (mostMs - drainAgainMs), request)
    } else if (lane.config.idle) lane.cancel = clock.after(checkMs * (0.8 + random() * 0.4), request)
  }
}
