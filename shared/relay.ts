import type { MailboxConfig } from './contract/config.ts'
import type { MailboxId } from './contract/ids.ts'
import { RELAY } from './limits.ts'
import { Bell } from './relay/bell.ts'
import type { MailboxHealth } from './relay/health.ts'
import { LogInGate } from './relay/log-in-gate.ts'
import { MailboxPoller } from './relay/mailbox-poller.ts'
import { MailboxWatcher, type Shared, type Watched } from './relay/mailbox-watcher.ts'
import type { RelayLimits, RelayPorts, WatchLimits } from './relay/ports.ts'
import { type Shard, shardOf, WHOLE } from './relay/shard.ts'
import { Waker } from './relay/waker.ts'

// The relay holds a connection to each watched folder and asks for a drain the moment something arrives. It only wakes: it never fetches, so
// that there is one drain to keep correct, and a relay that dies costs time and no mail.

export interface RelaySettings {
  /** @default WHOLE */
  readonly shard?: Shard | undefined
  /** @default RELAY */
  readonly limits?: RelayLimits | undefined
  /** @default nothing but RELAY */
  readonly limitsOf?: ((mailbox: MailboxConfig) => WatchLimits) | undefined
}

export interface Relay {
  /**
   * The mailboxes from now on, of which this relay takes those of its shard: IMAP with `idle` is watched, everything else polled.
   * What did not change is left as it is.
   */
  apply(mailboxes: readonly MailboxConfig[]): void
  /** Of the mailboxes of this shard, in the order in which they were applied. */
  health(): readonly MailboxHealth[]
  /** Never resolves; rejects with a defect, after which the relay is to be closed. */
  readonly failed: Promise<never>
  /** Makes the requests that wait, and signs out everywhere; what has not answered within RELAY.closingMs is dropped. Never rejects. */
  close(): Promise<void>
}

interface Entry {
  readonly watched: Watched
  readonly waker: Waker
  readonly ended: Promise<void>
}

export function startRelay(given: RelayPorts, settings: RelaySettings = {}): Relay {
  const { shard = WHOLE, limits = RELAY, limitsOf = () => ({}) } = settings
  const ports: RelayPorts = {
    ...given,
    observe(event) {
      given.observe(event)
      entries.get(event.mailbox)?.watched.observe(event)
    },
  }
  const gate = new LogInGate(limits, ports.clock)
  const failing = Promise.withResolvers<never>()
  // Met by whoever waits for it, if anybody does.
  failing.promise.catch(() => undefined)
  const dropping = new AbortController()
  const { signal } = dropping
  const shared: Shared = { ports, limits, gate, signal, defect: (error) => failing.reject(error) }
  let entries = new Map<MailboxId, Entry>()
  /** Those that were stopped and have not ended yet. */
  const ending = new Set<Entry>()

  /** `before`: what is left of the same mailbox under other settings. It goes first, for providers count connections. */
  function start(config: MailboxConfig, before: readonly Entry[]): Entry {
    const waker = new Waker(config.id, ports, limits)
    const watched =
      config.protocol === 'imap' && config.idle
        ? new MailboxWatcher(config, limitsOf(config), waker, shared)
        : new MailboxPoller(config, waker, shared)
    const run = async (): Promise<void> => {
      await Promise.all(before.map(({ ended }) => ended))
      await watched.run()
    }
    return { watched, waker, ended: run().catch(shared.defect) }
  }

  /** Resolves when it has signed out and made its last request. */
  async function end(entry: Entry): Promise<void> {
    ending.add(entry)
    entry.watched.stop()
    await Promise.all([entry.ended, entry.waker.close().catch(shared.defect)])
    ending.delete(entry)
  }

  return {
    failed: failing.promise,

    apply(mailboxes) {
      const mine = mailboxes.filter(({ id }) => shardOf(id, shard.count) === shard.index)
      const configs = new Map(mine.map((config) => [config.id, JSON.stringify(config)]))
      const kept = new Map<MailboxId, Entry>()
      for (const [id, entry] of entries) {
        if (JSON.stringify(entry.watched.config) === configs.get(id)) kept.set(id, entry)
        else void end(entry)
      }
      const before = Map.groupBy(ending, ({ watched }) => watched.config.id)
      entries = new Map(
        mine.map((config) => [config.id, kept.get(config.id) ?? start(config, before.get(config.id) ?? [])]),
      )
    },

    health: () => [...entries.values()].map(({ watched }) => watched.health()),

    async close() {
      for (const entry of entries.values()) void end(entry)
      entries = new Map()
      gate.close()
      const bell = new Bell(ports.clock)
      const open = [...ending].map((entry) => Promise.all([entry.ended, entry.waker.close()]))
      void Promise.allSettled(open).then(() => bell.ring())
      await bell.wait(limits.closingMs)
      dropping.abort()
    },
  }
}
