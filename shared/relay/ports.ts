import type { MailboxConfig } from '../contract/config.ts'
import type { MailboxId } from '../contract/ids.ts'
import type { IngestError } from '../errors.ts'
import type { RELAY } from '../limits.ts'
import type { CanaryBox } from '../mailbox/canary.ts'
import type { Watch, WatchListener } from '../mailbox/watch.ts'
import type { Tracer } from '../operations/trace-message.ts'
import type { Suspension, Suspensions } from '../suspension.ts'
import type { Clock } from './clock.ts'

/** The bounds of limits.ts; an argument, so that a test need not wait. */
export type RelayLimits = { readonly [Name in keyof typeof RELAY]: number }

/** What the provider of a mailbox allows. */
export interface WatchLimits {
  /** Connections of the relay to this mailbox. @default RELAY.connections */
  readonly connections?: number | undefined
  /** The server ends an IDLE that is older: it is renewed after this, if that is sooner than RELAY.renewMs. @default it does not */
  readonly renewMs?: number | undefined
}

/**
 * Why a drain is asked for. `first-look`: nobody knows what came before this relay watched. `arrival`: the server said so (IDLE). `gap`: something
 * had come while the connection was away. `check`: the second clock saw what the first had missed. `poll`: a probe found it.
 */
export type WakeReason = 'first-look' | 'arrival' | 'gap' | 'check' | 'poll'

/**
 * What the relay needs of the world. Whoever opens them closes them; watches alone are closed by the relay. A signal drops the connection that was
 * opened under it, or is being opened, when the relay can wait no longer.
 */
export interface RelayPorts {
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** Connects and signs in; rejects as OpenMailbox does. */
  openWatch(mailbox: MailboxConfig, listener: WatchListener, signal: AbortSignal): Promise<Watch>
  /**
   * One probe, for mailboxes that are not watched. `entered`: the server has let us in, which a probe that knows enough from the ledger
   * does not ask for.
   */
  probe(
    mailbox: MailboxConfig,
    signal: AbortSignal,
  ): Promise<{ readonly due: boolean; readonly entered: boolean }>
  /** Resolves when the request is safe. Rejects with an IngestError when it is not; it is made again then. */
  requestDrain(mailbox: MailboxId, reason: WakeReason): Promise<void>
  readonly suspensions: Suspensions
  /** @default no canaries, whatever the configuration asks for */
  readonly canaries?: CanaryPorts | undefined
  /** Told everything as it happens; must not throw. */
  observe(event: RelayEvent): void
}

export interface CanaryPorts {
  /** Connects and signs in; rejects as OpenMailbox does. */
  open(mailbox: MailboxConfig, signal: AbortSignal): Promise<CanaryBox>
  /** Follows what comes into the mailbox from now on. */
  readonly tracer: Tracer
}

/**
 * How long after it was put into its folder a canary had come so far; undefined where it had not, when it was given up. `noticed`: the server told
 * the relay. `requested`: a drain was asked for. `archived`, `announced`: found in the archive and in the ledger, looked at once a second.
 */
export interface CanaryTimes {
  readonly noticedMs: number | undefined
  readonly requestedMs: number | undefined
  readonly archivedMs: number | undefined
  readonly announcedMs: number | undefined
}

/** Something that happened to a mailbox, for those who look on. */
export type RelayEvent = { readonly mailbox: MailboxId; readonly at: Date } & (
  | { readonly kind: 'connected'; readonly folder: string | undefined; readonly idle: boolean }
  | {
      readonly kind: 'disconnected'
      readonly folder: string | undefined
      readonly error: IngestError
      readonly againMs: number
    }
  | { readonly kind: 'news'; readonly folder: string | undefined; readonly reason: WakeReason }
  /** `waitedMs`: since the first news that the request is for. */
  | { readonly kind: 'requested'; readonly reason: WakeReason; readonly waitedMs: number }
  | { readonly kind: 'request-failed'; readonly error: IngestError; readonly againMs: number }
  | { readonly kind: 'suspended'; readonly suspension: Suspension }
  | { readonly kind: 'resumed' }
  /** `error`: why it could not be put there, looked for or removed. */
  | { readonly kind: 'canary'; readonly times: CanaryTimes; readonly error: IngestError | undefined }
)
