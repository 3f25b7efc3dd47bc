import { durationMs } from '../contract/config.ts'
import { IngestError } from '../errors.ts'
import type { FolderStatus } from '../mailbox/mailbox.ts'
import type { Watch, WatchListener } from '../mailbox/watch.ts'
import { BackOff } from './back-off.ts'
import { Bell } from './bell.ts'
import type { MailboxWatcher } from './mailbox-watcher.ts'

/** `gone`: the folder is watched no more. `over`: the session was left in time. */
type End = 'stopped' | 'gone' | 'over'

/**
 * One connection that watches one folder, made again whenever it is lost:
 *
 *   log in -> folders -> SELECT, compared with what was seen before -> IDLE until the next of
 *     renewal         NOOP, to be answered within a deadline: a connection that died without a word is noticed here
 *     second clock    SELECT anew, compared: what IDLE did not tell
 *     end of session  LOGOUT and a new log-in, with a new token, before the server hangs up
 *
 * News is told while IDLE lasts, and in between by the comparison; nothing falls between the two, for what was seen is kept from one
 * connection to the next.
 */
export class FolderWatcher implements WatchListener {
  readonly #mailbox: MailboxWatcher
  readonly #bell: Bell
  readonly #backOff: BackOff
  /** Undefined until a connection has listed them, and when the globs name none. */
  folder: string | undefined
  /** When the server last showed that it is there; undefined while there is no connection. */
  provenMs: number | undefined
  /** Whether mail shows at once. */
  idling = false
  #watch: Watch | undefined
  #lost: IngestError | undefined
  #idleEnded = false
  #stopping = false

  constructor(mailbox: MailboxWatcher, folder: string | undefined) {
    this.#mailbox = mailbox
    this.folder = folder
    this.#bell = new Bell(mailbox.ports.clock)
    this.#backOff = new BackOff(mailbox.limits, mailbox.ports.random)
  }

  /** Until it is stopped or its folder is gone. Rejects with defects alone. */
  async run(): Promise<void> {
    const { clock } = this.#mailbox.ports
    while (!this.#stopping) {
      const session = { startedMs: clock.nowMs(), entered: false }
      const livedMs = (): number => (session.entered ? clock.nowMs() - session.startedMs : 0)
      try {
        if ((await this.#session(session)) === 'gone') return
        // A token that ends as soon as it was given is no reason to hurry.
        if (livedMs() < this.#mailbox.limits.sessionLeastLeftMs) await this.#pause(livedMs())
      } catch (error) {
        if (!(error instanceof IngestError)) throw error
        await this.#pause(livedMs(), error)
      }
    }
  }

  stop(): void {
    this.#stopping = true
    this.#bell.ring()
  }

  counted(messages: number): void {
    this.#prove()
    if (this.folder !== undefined) this.#mailbox.counted(this.folder, messages)
  }

  heard(): void {
    this.#prove()
  }

  idleEnded(): void {
    this.#prove()
    this.#idleEnded = true
    this.#bell.ring()
  }

  lost(error: IngestError): void {
    this.#lost = error
    this.#bell.ring()
  }

  /** Before the next log-in. */
  async #pause(livedMs: number, error?: IngestError): Promise<void> {
    if (this.#stopping) return
    const { clock, observe } = this.#mailbox.ports
    const againMs = this.#backOff.pauseAfter(livedMs)
    // A mailbox that is suspended has said so, and comes back at another time.
    if (error && !this.#mailbox.suspended) {
      const { folder } = this
      observe({ kind: 'disconnected', mailbox: this.#mailbox.id, at: clock.date(), folder, error, againMs })
    }
    await this.#rest(clock.nowMs() + againMs)
  }

  async #session(session: { startedMs: number; entered: boolean }): Promise<End> {
    const { clock } = this.#mailbox.ports
    try {
      const folders = await this.#mailbox.logIn(async () => {
        this.#watch = await this.#mailbox.openWatch(this)
        return this.#watch.folders()
      })
      const watch = this.#watch
      if (!watch || !folders || this.#stopping) return 'stopped'
      session.startedMs = clock.nowMs()
      session.entered = true
      this.#prove()
      if (!this.#mailbox.assign(this, folders)) return 'gone'
      await this.#look(watch, 'gap')
      this.#mailbox.connected(this, watch.canIdle)
      return await this.#watchOver(watch, session.startedMs + this.#lifeMs(watch))
    } finally {
      this.provenMs = undefined
      this.idling = false
      if (this.#lost) this.#watch?.abort()
      else await this.#watch?.close()
      this.#watch = undefined
      // What this session was lost by is nothing to the next one, nor to the pause before it.
      this.#lost = undefined
    }
  }

  /** Until the session is left. By chance: sessions that began together must not all end together. */
  #lifeMs({ sessionMs = Infinity }: Watch): number {
    const { ports, limits } = this.#mailbox
    const { sessionLeastLeftMs, sessionMostLeftMs } = limits
    const leftMs = sessionLeastLeftMs + ports.random() * (sessionMostLeftMs - sessionLeastLeftMs)
    // Half of a token that does not last longer: it is not given again then, either.
    return Math.max(sessionMs / 2, sessionMs - leftMs)
  }

  async #watchOver(watch: Watch, endMs: number): Promise<End> {
    const { clock } = this.#mailbox.ports
    const { renewMs } = this.#mailbox
    let checkMs = this.#nextCheck(watch)
    while (true) {
      const idles = watch.canIdle && this.folder !== undefined
      const sinceMs = clock.nowMs()
      this.#idleEnded = false
      this.idling = idles
      if (idles) watch.idle()
      await this.#rest(Math.min(sinceMs + renewMs, checkMs, endMs))
      if (this.#idleEnded) {
        // A server that ends every IDLE at once is not asked to begin it at once.
        if (watch.canIdle) await this.#rest(sinceMs + this.#mailbox.limits.reconnectLeastMs)
        else checkMs = Math.min(checkMs, this.#nextCheck(watch))
      }
      if (this.#stopping) return 'stopped'
      if (this.#lost) throw this.#lost
      const nowMs = clock.nowMs()
      if (nowMs >= endMs) return 'over'
      if (nowMs < checkMs) await watch.prove()
      else {
        if (this.#mailbox.leads(this) && !this.#mailbox.assign(this, await watch.folders())) return 'gone'
        await this.#look(watch, 'check')
        checkMs = this.#nextCheck(watch)
      }
      this.#prove()
    }
  }

  /** Compares the folder, and those that have no connection, with what was seen before. */
  async #look(watch: Watch, reason: 'gap' | 'check'): Promise<void> {
    if (this.folder !== undefined) this.#saw(await watch.select(this.folder), reason)
    if (!this.#mailbox.leads(this)) return
    for (const folder of this.#mailbox.unwatched) this.#saw(await watch.status(folder), reason)
  }

  #saw(status: FolderStatus, reason: 'gap' | 'check'): void {
    this.#prove()
    this.#mailbox.saw(status, reason)
  }

  /** The second clock where IDLE is the first; else the mailbox's own interval. */
  #nextCheck(watch: Watch): number {
    const { ports, limits, config, unwatched } = this.#mailbox
    const everyMs = durationMs(config.every)
    const idles =
      watch.canIdle && this.folder !== undefined && !(this.#mailbox.leads(this) && unwatched.length > 0)
    const intervalMs = idles ? limits.checkMs : everyMs
    return ports.clock.nowMs() + intervalMs * (0.8 + ports.random() * 0.4)
  }

  /** Until the time, or until something has ended the wait. */
  async #rest(untilMs: number): Promise<void> {
    const { clock } = this.#mailbox.ports
    const ended = (): boolean => this.#stopping || this.#lost !== undefined
    while (!ended() && clock.nowMs() < untilMs) {
      const idleEnded = this.#idleEnded
      await this.#bell.wait(untilMs - clock.nowMs())
      if (this.#idleEnded && !idleEnded) return
    }
  }

  #prove(): void {
    this.provenMs = this.#mailbox.ports.clock.nowMs()
    this.#mailbox.proven()
  }
}
