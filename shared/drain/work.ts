import type { MailboxSession, ServerId } from '../mailbox/mailbox.ts'
import type { MessageContext } from './message.ts'
import type { DrainOptions, DrainPorts } from './ports.ts'
import type { DrainProgress } from './report.ts'
import type { Room } from './room.ts'
import type { SegmentWriter } from './segment-writer.ts'
import type { Tally } from './tally.ts'

/** What the steps of a drain share once it is signed in. */
export interface Work {
  readonly session: MailboxSession
  readonly writer: SegmentWriter
  readonly context: MessageContext
  readonly ports: DrainPorts
  readonly options: DrainOptions
  readonly tally: Tally
  /** For what is between fetch and record. */
  readonly room: Room
  /** By folder: messages without lasting id that this drain archived, or knew by their octets. */
  readonly recognised: ReadonlyMap<string, ReadonlySet<ServerId>>
  /** The largest message that is fetched. */
  readonly maxOctets: number
  /** Asked before each request for more. */
  mayGoOn(): boolean
  progress(phase: DrainProgress['phase'], folder: string, done: number, total: number): void
}
