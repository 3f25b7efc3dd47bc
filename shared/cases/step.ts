import * as z from 'zod'
import type { CaseName, MailboxId, Sha256 } from '../contract/ids.ts'
import { CASE_NAME_PATTERN, MAILBOX_ID_PATTERN, SHA256_PATTERN } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { type Complaint, decodeLine, encodeLines, splitLines } from '../ndjson.ts'
import { type MessageQuery, querySchema } from '../query/query.ts'

// A step of a case, version 1: newline-delimited JSON, one header and then the messages that it is about. Written once and never changed. Each
// header says what the case is after it, so that the last one alone tells whether new mail is to be held.

const digest = z.string().regex(SHA256_PATTERN)
const mailbox = z.string().regex(MAILBOX_ID_PATTERN)
const name = z.string().regex(CASE_NAME_PATTERN)

/**
 * `opened`: the first step, with the first query. `widened`: one more query.
 * `holding`: these messages belong to the case from now on; written before they are held. `held`: S3 confirmed, or has no such version.
 * `searched`: everything that was archived before has been compared with all queries.
 * `closing`: no new mail is held any more. `released`: the hold was lifted, or another case keeps it. `closed`: nothing is left to release.
 */
const STEPS = ['opened', 'widened', 'holding', 'held', 'searched', 'closing', 'released', 'closed'] as const

const headerSchema = z.object({
  type: z.literal('case'),
  v: z.literal(1),
  case: name,
  seq: z.int().min(1),
  /** SHA-256 of the octets of the step before; null for the first. */
  previous: digest.nullable(),
  step: z.enum(STEPS),
  at: z.string(),
  by: z.string().min(1),
  reason: z.string().min(1),
  state: z.enum(['open', 'closing', 'closed']),
  opened: z.object({ at: z.string(), by: z.string(), reason: z.string() }),
  queries: z.array(querySchema).min(1),
  /** Queries that everything archived before has been compared with; fewer than there are while a search is under way or was interrupted. */
  searched: z.int().nonnegative(),
  /** Of `searched`: the last segment of each ledger that was looked at. */
  ledgers: z.array(z.object({ mailbox, seq: z.int().min(1), sha256: digest })).optional(),
  /** Lines that follow. */
  messages: z.int().nonnegative(),
})

const messageSchema = z.object({
  type: z.literal('message'),
  mailbox,
  sha256: digest,
  versionId: z.string().optional(),
  /** `missing`: there is no such version. `kept`: held on, for the cases in `keptBy`. */
  outcome: z.enum(['held', 'missing', 'released', 'kept']).optional(),
  keptBy: z.array(name).optional(),
})

export type StepKind = (typeof STEPS)[number]
export type CaseHeader = Omit<z.infer<typeof headerSchema>, 'case' | 'previous' | 'queries'> & {
  readonly case: CaseName
  readonly previous: Sha256 | null
  readonly queries: readonly MessageQuery[]
}
export type CaseMessage = Omit<z.infer<typeof messageSchema>, 'mailbox' | 'sha256' | 'keptBy'> & {
  readonly mailbox: MailboxId
  readonly sha256: Sha256
  readonly keptBy?: readonly CaseName[] | undefined
}

export interface CaseStep {
  readonly header: CaseHeader
  readonly messages: readonly CaseMessage[]
}

export function encodeStep({ header, messages }: CaseStep): Buffer {
  return encodeLines([header, ...messages])
}

/** Throws CASE_CORRUPT for what is not a whole step of this version. */
export function decodeStep(content: Buffer, where: string): CaseStep {
  const [first = '', ...rest] = splitLines(content, where, corrupt)
  const header = decodeLine(headerSchema, first, `${where}, line 1`, corrupt) as unknown as CaseHeader
  const messages = rest.map(
    (line, index) => decodeLine(messageSchema, line, `${where}, line ${index + 2}`, corrupt) as CaseMessage,
  )
  if (messages.length !== header.messages)
    throw corrupt(where, `it has ${messages.length} messages, and its header says ${header.messages}`)
  return { header, messages }
}

export const corrupt: Complaint = (where, what, cause) =>
  new IngestError('CASE_CORRUPT', `${where}: ${what}`, { cause })
