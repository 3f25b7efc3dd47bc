import type { Archive } from '../archive/archive.ts'
import type { ArchiveAudit } from '../archive/audit.ts'
import type { MailboxConfig } from '../contract/config.ts'
import type { DrainId } from '../contract/ids.ts'
import type { RouteConfig } from '../contract/routes.ts'
import type { Deadline } from '../deadline.ts'
import type { DerivedStore } from '../derived/derived.ts'
import type { MailboxSession } from '../mailbox/mailbox.ts'
import type { Spool } from '../octets.ts'
import type { Parser } from '../parser/parser.ts'
import type { EventQueues } from '../queue/queue.ts'
import type { StateStore } from '../state/state.ts'
import type { DrainProgress } from './report.ts'
import type { Room } from './room.ts'

/** What a drain needs of the world. Whoever opens them closes them; the session alone is opened and closed by the drain. */
export interface DrainPorts {
  /** Connects and signs in. */
  openMailbox(): Promise<MailboxSession>
  readonly archive: Archive
  /** Asked before a message leaves the server that stayed there for some days. */
  readonly audit: Pick<ArchiveAudit, 'locks' | 'inspect'>
  /** Undefined: no snapshot is kept, and every drain folds the whole ledger. */
  readonly state: StateStore | undefined
  /** Undefined: no attachment is extracted, and what an event is cut from is in the message alone. */
  readonly derived: DerivedStore | undefined
  readonly queues: EventQueues
  readonly parser: Parser
  readonly spool: Spool
  /** Shared with other drains of the process, of which it bounds the memory. @default one of its own */
  readonly room?: Room | undefined
}

/** What is drained, and by which rules. */
export interface DrainSettings {
  readonly mailbox: MailboxConfig
  readonly routes: readonly RouteConfig[]
}

export interface DrainOptions {
  readonly deadline: Deadline
  /** Ends the drain early, as its deadline would. */
  readonly signal?: AbortSignal | undefined
  readonly progress?: ((progress: DrainProgress) => void) | undefined
  /** Fetches and stores nothing, announces nothing, acknowledges nothing. */
  readonly dryRun?: boolean | undefined
  /** Archives and records, and announces nothing: for imports. */
  readonly silent?: boolean | undefined
  /** @default DRAIN.segmentMessages */
  readonly segmentMessages?: number | undefined
  /** @default a random one */
  readonly drain?: DrainId | undefined
  /** @default the system's clock */
  readonly now?: (() => Date) | undefined
}
