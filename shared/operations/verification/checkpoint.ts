import * as z from 'zod'
import { MAILBOX_ID_PATTERN, type MailboxId, type ObjectKey } from '../../contract/ids.ts'
import type { FindingKind } from './finding.ts'

const count = z.int().nonnegative()

const tallySchema = z.object({
  messages: count,
  octets: count,
  inspected: count,
  read: count,
  held: count,
  underWay: count,
  findings: z.record(z.string(), count),
})

const mailbox = z.string().regex(MAILBOX_ID_PATTERN)

/** How far a verification has come: enough to go on from there in another process. */
export const checkpointSchema = z.object({
  v: z.literal(1),
  /** ISO 8601. */
  startedAt: z.string(),
  /** Chooses the sample. */
  seed: z.string(),
  sample: z.number(),
  deep: z.boolean(),
  /** As asked for; null for everything. */
  mailboxes: z.array(mailbox).nullable(),
  /** Findings in mailboxes that are done. */
  findings: count,
  done: z.array(mailbox),
  /** The mailbox that is under way: everything up to a key is done. */
  current: z.object({ mailbox, after: z.string(), tally: tallySchema }).optional(),
})

export interface Tally {
  /** Messages that the ledger names, each once. */
  messages: number
  octets: number
  /** Objects whose checksum and lock were looked at. */
  inspected: number
  /** Objects whose octets were read. */
  read: number
  /** Of those inspected, under legal hold. */
  held: number
  /** Objects that no segment names yet, and that are young enough for a drain at work. */
  underWay: number
  findings: Partial<Record<FindingKind, number>>
}

export interface Checkpoint {
  readonly v: 1
  readonly startedAt: string
  readonly seed: string
  readonly sample: number
  readonly deep: boolean
  readonly mailboxes: readonly MailboxId[] | null
  readonly findings: number
  readonly done: readonly MailboxId[]
  readonly current?:
    | { readonly mailbox: MailboxId; readonly after: ObjectKey; readonly tally: Tally }
    | undefined
}

export function emptyTally(): Tally {
  return { messages: 0, octets: 0, inspected: 0, read: 0, held: 0, underWay: 0, findings: {} }
}

/** Undefined for anything that a verification did not write. */
export function readCheckpoint(text: string): Checkpoint | undefined {
  try {
    return checkpointSchema.parse(JSON.parse(text)) as unknown as Checkpoint
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined
    throw error
  }
}
