import { randomUUID } from 'node:crypto'
import {
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { IngestError } from '../errors.ts'
import { memoryOctets } from '../octets.ts'
import type { ArchiveFacts, Retention } from './archive.ts'
import type { Requests } from './s3-client.ts'
import { statusOf, toArchiveError } from './s3-errors.ts'
import { toBase64 } from './s3-facts.ts'

/**
 * Whether the bucket can keep what the archive promises, and whether we may write to it: asked before any mail is touched.
 * ARCHIVE_MISSING, ARCHIVE_MISCONFIGURED, ARCHIVE_DENIED. Stores nothing (see `mayWrite`).
 */
export async function checkBucket(bucket: string, requests: Requests): Promise<ArchiveFacts> {
  const { Status } = await requests.tries('GetBucketVersioning', () =>
    requests.client.send(new GetBucketVersioningCommand({ Bucket: bucket })),
  )
  if (Status !== 'Enabled')
    throw new IngestError('ARCHIVE_MISCONFIGURED', `bucket ${bucket}: versioning is not enabled`)
  const defaultRetention = await defaultRetentionOf(bucket, requests)
  const warnings: string[] = []
  if (!defaultRetention)
    warnings.push(
      `Bucket ${bucket} has no default retention: nothing is locked but mail with a retention of its own.`,
    )
  const compared = [await mayWrite(bucket, requests, 'raw'), await mayWrite(bucket, requests, 'ledger')]
  if (compared.includes(false))
    warnings.push(`Bucket ${bucket} does not compare what it stores with the SHA-256 that is sent along.`)
  return { location: `s3://${bucket}`, versioning: true, objectLock: true, defaultRetention, warnings }
}

/** Undefined when there is none; ARCHIVE_MISCONFIGURED when the bucket has no Object Lock at all. */
export async function defaultRetentionOf(bucket: string, requests: Requests): Promise<Retention | undefined> {
  const { ObjectLockConfiguration: lock } = await requests.tries('GetObjectLockConfiguration', () =>
    requests.client.send(new GetObjectLockConfigurationCommand({ Bucket: bucket })),
  )
  if (lock?.ObjectLockEnabled !== 'Enabled')
    throw new IngestError('ARCHIVE_MISCONFIGURED', `bucket ${bucket}: Object Lock is not enabled`)
  const { Mode, Days, Years } = lock.Rule?.DefaultRetention ?? {}
  if (Mode === undefined) return undefined
  // A year is at least this long: what we say that an object is kept for is never too long.
  return { mode: Mode === 'COMPLIANCE' ? 'compliance' : 'governance', days: Days ?? (Years ?? 0) * 365 }
}

/**
 * Sends an object with a SHA-256 that is not its own: S3 refuses it as wrong when we may write, and as denied when we may
 * not, and stores nothing either way. False when the store took it. The key is no mailbox's: those begin with a letter or digit.
 */
async function mayWrite(bucket: string, requests: Requests, prefix: string): Promise<boolean> {
  const command = new PutObjectCommand({
    Bucket: bucket,
    Key: `${prefix}/-check/${randomUUID()}`,
    Body: Buffer.from('not these'),
    IfNoneMatch: '*',
    ChecksumAlgorithm: 'SHA256',
    ChecksumSHA256: toBase64(memoryOctets(Buffer.from('these')).sha256),
  })
  return requests.tries(
    `PutObject to ${prefix}/`,
    async () => {
      await requests.client.send(command)
      return false
    },
    async (error) => {
      // 400 says that the octets are wrong, whichever of its names the store has for it.
      if (statusOf(error) !== 400) return undefined
      const failure = toArchiveError(error, `bucket ${bucket}`)
      return failure.code === 'ARCHIVE_MISSING' || failure.code === 'ARCHIVE_DENIED' ? undefined : true
    },
  )
}
