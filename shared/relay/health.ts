import type { MailboxId } from '../contract/ids.ts'
import type { ErrorCode } from '../errors.ts'

/**
 * `watching`: the server tells what comes. `polling`: it is asked at the interval of the mailbox. `reconnecting`: the connection is lost, or not
 * made yet. `suspended`: log-ins rest.
 */
export type WatchState = 'watching' | 'polling' | 'reconnecting' | 'suspended'

export interface FolderHealth {
  readonly folder: string
  readonly state: WatchState
  /** Since the server last showed that it is there; undefined while there is no connection. */
  readonly provenAgoMs: number | undefined
}

export interface MailboxHealth {
  readonly mailbox: MailboxId
  /** That of the folder that is worst off. */
  readonly state: WatchState
  /** Of the folder that has been silent longest; undefined before the first sign of life, and while it is not connected. */
  readonly provenAgoMs: number | undefined
  /** ISO 8601; undefined before the first sign of life. Outlives the connection. */
  readonly provenAt: string | undefined
  /**
   * It claims to be watched, and nothing was heard of the server for longer than a dead connection can go unnoticed: the relay itself is at
   * fault, and should be started anew.
   */
  readonly overdue: boolean
  readonly folders: readonly FolderHealth[]
  /** The last canary; `announcedMs` is undefined when it did not come through. */
  readonly canary: { readonly at: string; readonly announcedMs: number | undefined } | undefined
  readonly suspended:
    | { readonly code: ErrorCode; readonly since: string; readonly nextTryAt: string }
    | undefined
}

/** From bad to good. */
const STATES: readonly WatchState[] = ['suspended', 'reconnecting', 'polling', 'watching']

export function worst(states: readonly WatchState[]): WatchState {
  return STATES.find((state) => states.includes(state)) ?? 'reconnecting'
}

/** All mailboxes in a few numbers. */
export interface HealthSummary {
  readonly mailboxes: number
  readonly watching: number
  readonly polling: number
  readonly reconnecting: number
  readonly suspended: number
  /** See MailboxHealth.overdue. */
  readonly overdue: number
  /** Of the mailbox that was silent longest, of those that are connected. */
  readonly provenAgoMs: number | undefined
}

export function summarize(all: readonly MailboxHealth[]): HealthSummary {
  const count = (state: WatchState): number => all.filter((each) => each.state === state).length
  const ago = all.flatMap(({ provenAgoMs }) => provenAgoMs ?? [])
  return {
    mailboxes: all.length,
    watching: count('watching'),
    polling: count('polling'),
    reconnecting: count('reconnecting'),
    suspended: count('suspended'),
    overdue: all.filter(({ overdue }) => overdue).length,
    provenAgoMs: ago.length === 0 ? undefined : ago.reduce((most, ms) => Math.max(most, ms)),
  }
}
