import { durationMs, type MailboxConfig } from '../contract/config.ts'
import { IngestError } from '../errors.ts'
import { BackOff } from './back-off.ts'
import { Bell } from './bell.ts'
import { Entrance } from './entrance.ts'
import type { MailboxHealth, WatchState } from './health.ts'
import type { Shared, Watched } from './mailbox-watcher.ts'
import type { RelayPorts } from './ports.ts'
import type { Waker } from './waker.ts'

/** Looks at a mailbox at its interval, with a log-in each time: POP3, and what is not to be watched. */
export class MailboxPoller implements Watched {
  readonly config: MailboxConfig
  readonly #ports: RelayPorts
  readonly #shared: Shared
  readonly #waker: Waker
  readonly #entrance: Entrance
  readonly #bell: Bell
  #provenMs: number | undefined
  #provenAt: Date | undefined
  #failed = false
  #stopping = false

  constructor(config: MailboxConfig, waker: Waker, shared: Shared) {
    this.config = config
    this.#ports = shared.ports
    this.#shared = shared
    this.#waker = waker
    this.#entrance = new Entrance(config, shared.ports, shared.limits, shared.gate)
    this.#bell = new Bell(shared.ports.clock)
  }

  async run(): Promise<void> {
    const { random } = this.#ports
    const { limits } = this.#shared
    const backOff = new BackOff(limits, random)
    const everyMs = durationMs(this.config.every)
    while (!this.#stopping) {
      const failed = await this.#poll()
      const pauseMs = everyMs * (0.8 + random() * 0.4)
      const againMs = failed ? Math.min(pauseMs, backOff.pauseAfter(0)) : pauseMs
      if (failed && !this.#entrance.suspension) this.#disconnected(failed, againMs)
      if (!this.#stopping) await this.#bell.wait(againMs)
    }
  }

  stop(): void {
    this.#stopping = true
    this.#entrance.close()
    this.#bell.ring()
  }

  /** Nothing here follows a message. */
  observe(): void {}

  health(): MailboxHealth {
    const { suspension } = this.#entrance
    const state: WatchState = suspension ? 'suspended' : this.#failed ? 'reconnecting' : 'polling'
    const nowMs = this.#ports.clock.nowMs()
    const provenAgoMs = this.#provenMs === undefined ? undefined : Math.round(nowMs - this.#provenMs)
    return {
      mailbox: this.config.id,
      state,
      provenAgoMs,
      provenAt: this.#provenAt?.toISOString(),
      // What it claims is a look now and then.
      overdue: false,
      folders: this.config.folders.map((folder) => ({ folder, state, provenAgoMs })),
      canary: undefined,
      suspended: suspension && {
        code: suspension.code,
        since: suspension.since,
        nextTryAt: suspension.nextTryAt,
      },
    }
  }

  /** Answers why it failed. */
  async #poll(): Promise<IngestError | undefined> {
    const { probe, clock, observe } = this.#ports
    try {
      const found = await this.#entrance.logIn(
        () => probe(this.config, this.#shared.signal),
        ({ entered }) => entered,
      )
      if (!found) return undefined
      this.#failed = false
      if (found.entered) {
        this.#provenMs = clock.nowMs()
        this.#provenAt = clock.date()
      }
      if (found.due) {
        observe({
          kind: 'news',
          mailbox: this.config.id,
          at: clock.date(),
          folder: undefined,
          reason: 'poll',
        })
        this.#waker.wake('poll').catch((error: unknown) => this.#shared.defect(error))
      }
      return undefined
    } catch (error) {
      if (!(error instanceof IngestError)) throw error
      this.#failed = true
      return error
    }
  }

  #disconnected(error: IngestError, againMs: number): void {
    const { clock, observe } = this.#ports
    observe({
      kind: 'disconnected',
      mailbox: this.config.id,
      at: clock.date(),
      folder: undefined,
      error,
      againMs,
    })
  }
}
