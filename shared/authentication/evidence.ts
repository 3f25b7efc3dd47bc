import * as z from 'zod'
import type { Archive } from '../archive/archive.ts'
import { readWhole } from '../archive/read-whole.ts'
import { dnsAnswerSchema, verificationSchema } from '../contract/authentication.ts'
import { type MailboxId, type ObjectKey, SHA256_PATTERN, type Sha256 } from '../contract/ids.ts'
import { authenticationKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { AUTHENTICATION } from '../limits.ts'
import { type Complaint, decodeLine, encodeLines, splitLines } from '../ndjson.ts'

// What was found of a message, version 1: newline-delimited JSON, the result and then every answer of DNS that it rests on.

const headerSchema = z.object({
  type: z.literal('authentication'),
  v: z.literal(1),
  mailbox: z.string(),
  /** Of the message. */
  sha256: z.string().regex(SHA256_PATTERN),
  /** ISO 8601. */
  verifiedAt: z.string(),
  verifier: z.string(),
  /** Of the mailbox, as configured then. */
  receivedBy: z.string().optional(),
  resolver: z.object({
    /** Empty when it does not say. */
    servers: z.array(z.string()),
    /** Whether the answers were signed: what resolves names does not tell. */
    dnssec: z.string(),
  }),
  ...verificationSchema.shape,
  /** Lines that follow. */
  answers: z.number().int().nonnegative(),
})

export type EvidenceHeader = z.infer<typeof headerSchema>

export interface Evidence {
  readonly header: EvidenceHeader
  readonly answers: readonly z.infer<typeof dnsAnswerSchema>[]
}

/** The program that verifies, as package.json pins it. */
export const VERIFIER = 'mailauth 7.1.0'

export function encodeEvidence({ header, answers }: Evidence): Buffer {
  return encodeLines([header, ...answers])
}

/** Rejects with ARCHIVE_CONFLICT what is no evidence of this version. */
export function decodeEvidence(content: Buffer, key: ObjectKey): Evidence {
  const [first = '', ...rest] = splitLines(content, key, corrupt)
  const header = decodeLine(headerSchema, first, `${key}: line 1`, corrupt)
  const answers = rest.map((line, index) =>
    decodeLine(dnsAnswerSchema, line, `${key}: line ${index + 2}`, corrupt),
  )
  if (answers.length !== header.answers)
    throw corrupt(key, `${answers.length} answers, not ${header.answers}`)
  return { header, answers }
}

/** Undefined for a message that was not verified. Rejects with ARCHIVE_…. */
export async function readEvidence(
  mailbox: MailboxId,
  digest: Sha256,
  archive: Archive,
): Promise<Evidence | undefined> {
  const key = authenticationKey(mailbox, digest)
  if (!(await archive.find(key))) return undefined
  const content = await readWhole(archive, key, AUTHENTICATION.evidenceOctets, (octets) =>
    corrupt(key, `${octets} octets are too many`),
  )
  return decodeEvidence(content, key)
}

const corrupt: Complaint = (where, what, cause) =>
  new IngestError('ARCHIVE_CONFLICT', `${where}: ${what}`, { cause })
