import { randomUUID } from 'node:crypto'
import { durationMs, type MailboxConfig } from '../contract/config.ts'
import { IngestError } from '../errors.ts'
import { CANARY_FIELD, type CanaryBox } from '../mailbox/canary.ts'
import type { MessageTrace } from '../operations/trace-message.ts'
import { Bell } from './bell.ts'
import type { MailboxHealth } from './health.ts'
import type { CanaryPorts, CanaryTimes, RelayEvent, RelayLimits, RelayPorts } from './ports.ts'

export interface CanarySettings {
  readonly config: MailboxConfig
  readonly folder: string
  readonly every: string
  readonly ports: RelayPorts
  readonly canaries: CanaryPorts
  readonly limits: RelayLimits
  readonly signal: AbortSignal
  /** Undefined when the relay stops before. */
  logIn<T>(work: () => Promise<T>): Promise<T | undefined>
}

type Times = { -readonly [Name in keyof CanaryTimes]: CanaryTimes[Name] }

/**
 * A message of our own, put into a folder of the mailbox now and then, to see whether mail comes through: every part may say that it is well, and
 * this alone shows it. It is mail like any other: archived under the same lock, announced on the same queue, told by its field
 * `Mailsluice-Canary`. From the mailbox it is removed.
 */
export class Canary {
  readonly #settings: CanarySettings
  readonly #bell: Bell
  last: MailboxHealth['canary']
  /** Of the canary that is on its way. */
  #times: Times | undefined
  #startedMs = 0
  #stopping = false

  constructor(settings: CanarySettings) {
    this.#settings = settings
    this.#bell = new Bell(settings.ports.clock)
  }

  /** Until it is stopped. Rejects with defects alone. */
  async run(): Promise<void> {
    const { every, ports, limits } = this.#settings
    const everyMs = Math.max(limits.canaryEveryMs, durationMs(every))
    while (!this.#stopping) {
      await this.#bell.wait(everyMs * (0.8 + ports.random() * 0.4))
      if (!this.#stopping) await this.#fly()
    }
  }

  stop(): void {
    this.#stopping = true
    this.#bell.ring()
  }

  /** What happens to the mailbox meanwhile. */
  observe(event: RelayEvent): void {
    const times = this.#times
    if (!times) return
    const afterMs = this.#settings.ports.clock.nowMs() - this.#startedMs
    // What another clock than IDLE has found is found, and not told.
    if (event.kind === 'news' && event.reason === 'arrival' && event.folder === this.#settings.folder)
      times.noticedMs ??= afterMs
    else if (event.kind === 'requested' && times.noticedMs !== undefined) times.requestedMs ??= afterMs
  }

  async #fly(): Promise<void> {
    const { config, ports, canaries, signal } = this.#settings
    const times: Times = {
      noticedMs: undefined,
      requestedMs: undefined,
      archivedMs: undefined,
      announcedMs: undefined,
    }
    let error: IngestError | undefined
    try {
      const box = await this.#settings.logIn(() => canaries.open(config, signal))
      if (!box) return
      try {
        error = await this.#follow(box, times)
        await box.remove(this.#settings.folder)
      } finally {
        await box.close()
      }
    } catch (failure) {
      if (!(failure instanceof IngestError)) throw failure
      error ??= failure
    } finally {
      this.#times = undefined
    }
    // One that was not waited for has told nothing.
    if (this.#stopping) return
    const at = ports.clock.date()
    this.last = { at: at.toISOString(), announcedMs: times.announcedMs }
    ports.observe({ kind: 'canary', mailbox: config.id, at, times, error })
  }

  /** Resolves when it is announced, lost, or the relay stops; to what the archive failed with when it was asked last. */
  async #follow(box: CanaryBox, times: Times): Promise<IngestError | undefined> {
    const { config, folder, ports, canaries, limits } = this.#settings
    const { clock } = ports
    const trace = await canaries.tracer.begin(config.id)
    this.#startedMs = clock.nowMs()
    this.#times = times
    const message = await box.append(folder, canaryMessage(randomUUID(), clock.date()))
    let failed: IngestError | undefined
    while (!this.#stopping && clock.nowMs() - this.#startedMs < limits.canaryMs) {
      failed = await this.#look(() => trace(message), times)
      if (times.announcedMs !== undefined) return undefined
      await this.#bell.wait(limits.canaryLookMs)
    }
    return failed
  }

  async #look(traced: () => Promise<MessageTrace>, times: Times): Promise<IngestError | undefined> {
    try {
      const trace = await traced()
      const afterMs = this.#settings.ports.clock.nowMs() - this.#startedMs
      if (trace !== 'nowhere') times.archivedMs ??= afterMs
      if (trace === 'announced') times.announcedMs = afterMs
      return undefined
    } catch (error) {
      if (!(error instanceof IngestError)) throw error
      return error
    }
  }
}

/** RFC 5322, marked as what it is for people, rules and other programs. */
export function canaryMessage(id: string, date: Date): Buffer {
  return Buffer.from(
    [
      'From: Mailsluice <canary@mailsluice.invalid>',
      'To: Mailsluice <canary@mailsluice.invalid>',
      `Subject: Mailsluice canary ${id}`,
      `Date: ${date.toUTCString().replace('GMT', '+0000')}`,
      `Message-ID: <${id}@mailsluice.invalid>`,
      `${CANARY_FIELD}: ${id}`,
      'Auto-Submitted: auto-generated',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=us-ascii',
      '',
      'Put here to see whether mail comes through; removed when it has.',
      '',
    ].join('\r\n'),
  )
}
