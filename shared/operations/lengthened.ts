import * as z from 'zod'
import type { Archive } from '../archive/archive.ts'
import { readWhole } from '../archive/read-whole.ts'
import {
  MAILBOX_ID_PATTERN,
  type MailboxId,
  type ObjectKey,
  SHA256_PATTERN,
  type Sha256,
} from '../contract/ids.ts'
import { RETENTION_PREFIX, rawKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { VERIFY } from '../limits.ts'
import { type Complaint, decodeLine, splitLines } from '../ndjson.ts'

// What retention.ts has recorded as lengthened, read again.

export interface Lengthened {
  /** ISO 8601. */
  readonly until: string
  readonly versionId: string | undefined
  /** The evidence of it. */
  readonly source: ObjectKey
}

const headerSchema = z.object({
  type: z.literal('retention'),
  v: z.literal(1),
  step: z.enum(['ordered', 'done']),
  until: z.iso.datetime(),
})

const messageSchema = z.object({
  type: z.literal('message'),
  mailbox: z.string().regex(MAILBOX_ID_PATTERN),
  sha256: z.string().regex(SHA256_PATTERN),
  versionId: z.string().optional(),
  outcome: z.string(),
})

/** The latest date for each message, by its key. `unreadable`: evidence that is not what was written. Rejects with ARCHIVE_…. */
export async function readLengthened(archive: Archive): Promise<{
  readonly lengthened: ReadonlyMap<ObjectKey, Lengthened>
  readonly unreadable: readonly { readonly key: ObjectKey; readonly error: IngestError }[]
}> {
  const lengthened = new Map<ObjectKey, Lengthened>()
  const unreadable: { key: ObjectKey; error: IngestError }[] = []
  for await (const { key } of archive.list(RETENTION_PREFIX)) {
    // What was ordered and never done changed nothing.
    if (!key.endsWith('-done.ndjson')) continue
    try {
      const content = await readWhole(archive, key, VERIFY.extensionOctets, tooLong(key))
      const [header = '', ...messages] = splitLines(content, key, invalid)
      const { until } = decodeLine(headerSchema, header, key, invalid)
      for (const line of messages) {
        const { mailbox, sha256, versionId, outcome } = decodeLine(messageSchema, line, key, invalid)
        if (outcome !== 'extended') continue
        const message = rawKey(mailbox as MailboxId, sha256 as Sha256)
        const known = lengthened.get(message)
        if (!known || known.versionId !== versionId || Date.parse(known.until) < Date.parse(until))
          lengthened.set(message, { until, versionId, source: key })
      }
    } catch (error) {
      if (!(error instanceof IngestError) || error.code !== 'ARCHIVE_CONFLICT') throw error
      unreadable.push({ key, error })
    }
  }
  return { lengthened, unreadable }
}

const invalid: Complaint = (where, what, cause) =>
  new IngestError('ARCHIVE_CONFLICT', `${where}: ${what}`, { cause })

function tooLong(key: ObjectKey): (octets: number) => IngestError {
  return (octets) => invalid(key, `${octets} octets are more than such evidence can have`)
}
