import type { MailboxConfig } from '../contract/config.ts'
import type { MailboxId } from '../contract/ids.ts'
import type { FolderStatus } from '../mailbox/mailbox.ts'
import type { Watch, WatchListener } from '../mailbox/watch.ts'
import { Canary } from './canary.ts'
import { Entrance } from './entrance.ts'
import { FolderWatcher } from './folder-watcher.ts'
import { type FolderHealth, type MailboxHealth, worst } from './health.ts'
import type { LogInGate } from './log-in-gate.ts'
import type { RelayEvent, RelayLimits, RelayPorts, WakeReason, WatchLimits } from './ports.ts'
import type { Waker } from './waker.ts'

/** What the watchers of all mailboxes share. */
export interface Shared {
  readonly ports: RelayPorts
  readonly limits: RelayLimits
  readonly gate: LogInGate
  /** Drops every connection. */
  readonly signal: AbortSignal
  /** Not an IngestError: nobody here can go on from it. */
  defect(error: unknown): void
}

/** A mailbox of which the relay takes care, one way or the other. */
export interface Watched {
  readonly config: MailboxConfig
  /** Resolves when it has ended. */
  run(): Promise<void>
  /** Ends in good order: LOGOUT. */
  stop(): void
  /** Told what happens to its mailbox. */
  observe(event: RelayEvent): void
  health(): MailboxHealth
}

/**
 * Watches one mailbox: a connection for each folder that its globs name, as far as its provider allows connections. The first of them leads: it
 * looks for folders that have come or gone, and asks after those that have no connection.
 */
export class MailboxWatcher implements Watched {
  readonly config: MailboxConfig
  readonly ports: RelayPorts
  readonly limits: RelayLimits
  readonly watchLimits: WatchLimits
  readonly #shared: Shared
  readonly #waker: Waker
  readonly #entrance: Entrance
  /** The first leads. */
  #watchers: FolderWatcher[] = []
  readonly #running = new Set<Promise<void>>()
  /** By folder, what is known to have been there: kept from one connection to the next. */
  readonly #seen = new Map<string, FolderStatus>()
  /** Folders for which there is no connection to spare. */
  #spare: readonly string[] = []
  readonly #canary: Canary | undefined
  #provenAt: Date | undefined
  #stopping = false

  constructor(config: MailboxConfig, watchLimits: WatchLimits, waker: Waker, shared: Shared) {
    this.config = config
    this.watchLimits = watchLimits
    this.ports = shared.ports
    this.limits = shared.limits
    this.#shared = shared
    this.#waker = waker
    this.#entrance = new Entrance(config, shared.ports, shared.limits, shared.gate)
    const { ports, limits } = shared
    if (config.canary && ports.canaries)
      this.#canary = new Canary({
        ...config.canary,
        config,
        ports,
        canaries: ports.canaries,
        limits,
        signal: shared.signal,
        logIn: (work) => this.logIn(work),
      })
  }

  openWatch(listener: WatchListener): Promise<Watch> {
    return this.ports.openWatch(this.config, listener, this.#shared.signal)
  }

  get id(): MailboxId {
    return this.config.id
  }

  /** However long the server allows an IDLE to last, it is asked so often whether it is there. */
  get renewMs(): number {
    return Math.min(this.limits.renewMs, this.watchLimits.renewMs ?? Infinity)
  }

  get suspended(): boolean {
    return this.#entrance.suspension !== undefined
  }

  async run(): Promise<void> {
    this.#start(undefined)
    const canary = this.#canary?.run()
    while (this.#running.size > 0) await Promise.all(this.#running)
    await canary
  }

  stop(): void {
    this.#stopping = true
    this.#entrance.close()
    this.#canary?.stop()
    for (const watcher of this.#watchers) watcher.stop()
  }

  observe(event: RelayEvent): void {
    this.#canary?.observe(event)
  }

  health(): MailboxHealth {
    const { suspension } = this.#entrance
    const nowMs = this.ports.clock.nowMs()
    const folders = this.#watchers.map(({ folder, provenMs, idling }): FolderHealth => {
      const connected = idling ? 'watching' : 'polling'
      const state = provenMs !== undefined ? connected : suspension ? 'suspended' : 'reconnecting'
      return {
        folder: folder ?? this.config.folders.join(', '),
        state,
        provenAgoMs: provenMs === undefined ? undefined : Math.round(nowMs - provenMs),
      }
    })
    const ago = folders.map(({ provenAgoMs }) => provenAgoMs)
    const known = ago.filter((ms) => ms !== undefined)
    const provenAgoMs = known.length === ago.length && known.length > 0 ? Math.max(...known) : undefined
    return {
      mailbox: this.id,
      state: worst(folders.map(({ state }) => state)),
      provenAgoMs,
      provenAt: this.#lastProof(known)?.toISOString(),
      // Once for the answer that is waited for, and once for a process that is busy.
      overdue: known.some((ms) => ms > this.renewMs + 2 * this.limits.replyMs),
      folders,
      canary: this.#canary?.last,
      suspended: suspension && {
        code: suspension.code,
        since: suspension.since,
        nextTryAt: suspension.nextTryAt,
      },
    }
  }

  /** Settles as `work`, which logs in; undefined when the relay stops before. */
  logIn<T>(work: () => Promise<T>): Promise<T | undefined> {
    return this.#entrance.logIn(work)
  }

  leads(watcher: FolderWatcher): boolean {
    return this.#watchers[0] === watcher
  }

  /**
   * Gives the watcher its folder, of those that are there now; false when none is left for it. The one that leads sees to it that the
   * others have watchers, too.
   */
  assign(watcher: FolderWatcher, there: readonly string[]): boolean {
    const { connections = this.limits.connections } = this.watchLimits
    const wanted = there.slice(0, connections)
    const others = this.#watchers.filter((other) => other !== watcher)
    const isFree = (folder: string): boolean => !others.some((other) => other.folder === folder)
    if (watcher.folder === undefined || !wanted.includes(watcher.folder)) watcher.folder = wanted.find(isFree)
    if (!this.leads(watcher)) return watcher.folder !== undefined

    this.#spare = there.slice(connections)
    for (const folder of this.#seen.keys()) if (!there.includes(folder)) this.#seen.delete(folder)
    for (const other of others) if (other.folder !== undefined && !wanted.includes(other.folder)) other.stop()
    for (const folder of wanted) if (folder !== watcher.folder && isFree(folder)) this.#start(folder)
    return true
  }

  /** Folders that the one that leads asks after: those without a connection, for want of one or until it is made again. */
  get unwatched(): readonly string[] {
    const lost = this.#watchers.slice(1).filter(({ provenMs }) => provenMs === undefined)
    return [...this.#spare, ...lost.flatMap(({ folder }) => folder ?? [])]
  }

  connected({ folder }: FolderWatcher, idle: boolean): void {
    const { clock, observe } = this.ports
    observe({ kind: 'connected', mailbox: this.id, at: clock.date(), folder, idle })
  }

  proven(): void {
    this.#provenAt = this.ports.clock.date()
  }

  /** What the server says unasked. */
  counted(folder: string, messages: number): void {
    const seen = this.#seen.get(folder)
    if (!seen) return
    const more = Math.max(0, messages - seen.messages)
    const uidNext = seen.uidNext === undefined ? undefined : seen.uidNext + more
    this.#seen.set(folder, { ...seen, messages, uidNext })
    if (more > 0) this.#news('arrival', folder)
  }

  /** What the server answers when it is asked. */
  saw(status: FolderStatus, reason: 'gap' | 'check'): void {
    const { folder } = status
    const before = this.#seen.get(folder)
    this.#seen.set(folder, status)
    if (!before) this.#news('first-look', folder)
    else if (isNews(before, status)) this.#news(reason, folder)
  }

  #news(reason: WakeReason, folder: string): void {
    const { clock, observe } = this.ports
    observe({ kind: 'news', mailbox: this.id, at: clock.date(), folder, reason })
    this.#waker.wake(reason).catch((error: unknown) => this.#shared.defect(error))
  }

  #start(folder: string | undefined): void {
    if (this.#stopping) return
    const watcher = new FolderWatcher(this, folder)
    this.#watchers.push(watcher)
    const running = watcher
      .run()
      .catch((error: unknown) => this.#shared.defect(error))
      .finally(() => {
        this.#running.delete(running)
        this.#watchers = this.#watchers.filter((other) => other !== watcher)
      })
    this.#running.add(running)
  }

  #lastProof(agoMs: readonly number[]): Date | undefined {
    if (agoMs.length === 0) return this.#provenAt
    return new Date(this.ports.clock.date().getTime() - Math.min(...agoMs))
  }
}

/**
 * UIDNEXT grows with every message, however soon it is gone again. Where a server does not tell it, any other number of messages
 * is news; a message that came while another went is not seen then, and found by the next drain.
 */
function isNews(before: FolderStatus, now: FolderStatus): boolean {
  if (before.epoch !== now.epoch) return true
  if (before.uidNext !== undefined && now.uidNext !== undefined)
    return now.uidNext > before.uidNext || now.messages > before.messages
  return now.messages !== before.messages
}
