import { durationMs, type MailboxConfig } from '../shared/contract/config.ts'
import { RELAY } from '../shared/limits.ts'
import type { CanaryBox } from '../shared/mailbox/canary.ts'
import { openImapCanary } from '../shared/mailbox/imap-canary.ts'
import { openImapWatch } from '../shared/mailbox/imap-watch.ts'
import type { Watch, WatchListener } from '../shared/mailbox/watch.ts'
import type { WatchLimits } from '../shared/relay/ports.ts'
import { type AccessOptions, entry } from './compose.ts'

/** How the relay enters mailboxes, as drains do. */
export interface RelayAccess {
  openWatch(mailbox: MailboxConfig, listener: WatchListener, signal: AbortSignal): Promise<Watch>
  openCanary(mailbox: MailboxConfig, signal: AbortSignal): Promise<CanaryBox>
}

/** `options` is asked for at each log-in: the list of mailboxes, and the authorities with it, may change meanwhile. */
export function relayAccess(options: (mailbox: MailboxConfig) => AccessOptions): RelayAccess {
  return {
    openWatch: (mailbox, listener, signal) =>
      entry(mailbox, { ...options(mailbox), signal }, (access) => openImapWatch(access, listener))(),
    openCanary: (mailbox, signal) => entry(mailbox, { ...options(mailbox), signal }, openImapCanary)(),
  }
}

/** Connections that are left to a drain and a probe. */
const LEFT_TO_OTHERS = 2

/** What the relay may do with a mailbox, from what its provider allows all together. A canary has a connection of its own. */
export function watchLimitsOf({ limits, canary }: MailboxConfig): WatchLimits {
  const { connections, idleRenewal } = limits
  const others = LEFT_TO_OTHERS + (canary ? 1 : 0)
  return {
    ...(connections === undefined
      ? {}
      : { connections: Math.min(RELAY.connections, Math.max(1, connections - others)) }),
    ...(idleRenewal === undefined ? {} : { renewMs: durationMs(idleRenewal) }),
  }
}
