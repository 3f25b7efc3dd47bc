import type { DrainId, ObjectKey, Sha256 } from '../contract/ids.ts'
import type { ObjectFacts, WrittenFor } from './archive.ts'
import type { VersionFacts } from './audit.ts'

// Our facts in S3's words, and back.

const SEQ = 'mailsluice-seq'
const DRAIN = 'mailsluice-drain'
const PUT = 'mailsluice-put'

/** What HeadObject and GetObject answer alike. */
export interface ObjectHeaders {
  readonly ContentLength?: number | undefined
  readonly ChecksumSHA256?: string | undefined
  readonly VersionId?: string | undefined
  readonly Metadata?: Record<string, string> | undefined
  readonly ObjectLockRetainUntilDate?: Date | undefined
  readonly ObjectLockMode?: string | undefined
  readonly ObjectLockLegalHoldStatus?: string | undefined
}

export function factsOf(key: ObjectKey, headers: ObjectHeaders): ObjectFacts {
  return {
    key,
    octets: headers.ContentLength ?? 0,
    sha256: headers.ChecksumSHA256 === undefined ? undefined : fromBase64(headers.ChecksumSHA256),
    versionId: headers.VersionId,
    writtenFor: writtenForOf(headers.Metadata ?? {}),
    retainUntil: headers.ObjectLockRetainUntilDate?.toISOString(),
  }
}

export function versionFactsOf(key: ObjectKey, headers: ObjectHeaders): VersionFacts {
  const mode = headers.ObjectLockMode
  return {
    ...factsOf(key, headers),
    lockMode: mode === undefined ? undefined : mode === 'COMPLIANCE' ? 'compliance' : 'governance',
    legalHold: headers.ObjectLockLegalHoldStatus === 'ON',
  }
}

export function metadataOf({ seq, drain }: WrittenFor, put: string): Record<string, string> {
  return { [SEQ]: String(seq), [DRAIN]: drain, [PUT]: put }
}

/** Id of the put that stored it. */
export function putOf({ Metadata }: ObjectHeaders): string | undefined {
  return Metadata?.[PUT]
}

/** Undefined unless it is as metadataOf makes it. */
function writtenForOf(metadata: Readonly<Record<string, string>>): WrittenFor | undefined {
  const { [SEQ]: seq = '', [DRAIN]: drain } = metadata
  return /^\d{1,10}$/.test(seq) && drain ? { seq: Number(seq), drain: drain as DrainId } : undefined
}

/** S3 has checksums in base64. */
export function toBase64(digest: Sha256): string {
  return Buffer.from(digest, 'hex').toString('base64')
}

/** Undefined for the checksum of a multipart upload (`…-2`), which is not that of the octets. */
export function fromBase64(checksum: string): Sha256 | undefined {
  const octets = Buffer.from(checksum, 'base64')
  return octets.length === 32 && !checksum.includes('-') ? (octets.toString('hex') as Sha256) : undefined
}
