import type { MailboxConfig } from '../../shared/contract/config.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { IMAP, RELAY } from '../../shared/limits.ts'
import { imapWatchOpener } from '../../shared/mailbox/imap-watch.ts'
import type { Watch } from '../../shared/mailbox/watch.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import { type Clock, systemClock } from '../../shared/relay/clock.ts'
import type { RelayEvent, RelayLimits } from '../../shared/relay/ports.ts'
import { type Relay, type RelaySettings, startRelay } from '../../shared/relay.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import { openSuspensions } from '../../shared/suspension.ts'
import { QUEUES } from './drain-world.ts'
import { accessTo } from './imap-session.ts'

/** The relay's limits made small, so that a test of real sockets and the real clock need not wait for minutes. */
export const HASTY: RelayLimits = {
  ...RELAY,
  renewMs: 300,
  replyMs: 300,
  checkMs: 5_000,
  settledMs: 1_000,
  reconnectMs: 20,
  reconnectLeastMs: 20,
  reconnectMostMs: 200,
  logInGapMs: 1,
  windowMs: 50,
}

export interface SocketRelayOptions extends RelaySettings {
  /** @default the system's */
  readonly clock?: Clock
  /** As if it signed in with an access token. By the clock of the relay. */
  readonly sessionMsOf?: (mailbox: MailboxConfig) => number | undefined
  /** Every answer of the server within this. @default 300 */
  readonly replyMs?: number
}

/** A relay over real sockets to one port of this machine, in clear; the user of a mailbox is its id. */
export class SocketRelay {
  readonly relay: Relay
  readonly requests: MailboxId[] = []
  readonly events: RelayEvent[] = []
  /** Calls of watches that the server has not answered. */
  inFlight = 0
  #changed: (() => void)[] = []

  constructor(port: () => number, options: SocketRelayOptions = {}) {
    const { clock = systemClock, replyMs = 300 } = options
    const limits = {
      ...IMAP,
      commandMs: replyMs,
      signInMs: 10 * replyMs,
      logoutMs: replyMs,
      idleMs: 3_600_000,
    }
    const open = imapWatchOpener(limits)
    this.relay = startRelay(
      {
        clock,
        random: () => 0.5,
        openWatch: async (mailbox, listener, signal) => {
          const access = accessTo({ port: port() }, { user: mailbox.id, folders: mailbox.folders, signal })
          const watch = await this.#count(open(access, listener))
          return this.#counted(watch, options.sessionMsOf?.(mailbox))
        },
        probe: async () => ({ due: false, entered: true }),
        requestDrain: async (mailbox) => {
          this.requests.push(mailbox)
          this.#change()
        },
        suspensions: openSuspensions({
          state: openMemoryState(),
          queues: openMemoryQueues({ queues: QUEUES }),
          credentials: { version: async () => undefined },
          now: () => clock.date(),
        }),
        observe: (event) => {
          this.events.push(event)
          this.#change()
        },
      },
      options,
    )
  }

  apply(mailboxes: readonly MailboxConfig[]): void {
    this.relay.apply(mailboxes)
  }

  /** Looks again with each request and each event. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds())
      await new Promise<void>((look) => {
        this.#changed.push(look)
      })
  }

  #change(): void {
    for (const look of this.#changed.splice(0)) look()
  }

  async #count<T>(call: Promise<T>): Promise<T> {
    this.inFlight++
    try {
      return await call
    } finally {
      this.inFlight--
    }
  }

  #counted(watch: Watch, sessionMs: number | undefined): Watch {
    return {
      server: watch.server,
      sessionMs,
      get canIdle() {
        return watch.canIdle
      },
      folders: () => this.#count(watch.folders()),
      select: (folder) => this.#count(watch.select(folder)),
      status: (folder) => this.#count(watch.status(folder)),
      idle: () => watch.idle(),
      prove: () => this.#count(watch.prove()),
      close: () => this.#count(watch.close()),
      abort: () => watch.abort(),
    }
  }
}
