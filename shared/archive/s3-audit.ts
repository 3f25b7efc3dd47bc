import type { Readable } from 'node:stream'
import {
  GetObjectCommand,
  GetObjectLegalHoldCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
} from '@aws-sdk/client-s3'
import { IngestError } from '../errors.ts'
import type { ArchiveAudit, ListedVersion, VersionName } from './audit.ts'
import { octetsAsStored } from './exact-octets.ts'
import { defaultRetentionOf } from './s3-check.ts'
import { openRequests, type S3Options } from './s3-client.ts'
import { statusOf } from './s3-errors.ts'
import { type ObjectHeaders, versionFactsOf } from './s3-facts.ts'
import { nextKey, versionsIn } from './s3-versions.ts'

export interface S3Audit extends ArchiveAudit {
  /** Ends the connections. What is on its way is not waited for. */
  close(): void
}

/**
 * Looks at a versioned bucket with Object Lock. Needs s3:ListBucketVersions, s3:GetObject, s3:GetObjectVersion, s3:GetObjectRetention and
 * s3:GetObjectLegalHold; with s3:GetBucketObjectLockConfiguration it also tells the default.
 *
 * HeadObject leaves out the lock of a version where its reader may not see it ("HeadObject", response elements), and some stores leave it out
 * of all versions but the latest. So where it tells none, the calls are asked that answer 403 to who may not see it; for the first version in any case.
 */
export function openS3Audit(options: S3Options): S3Audit {
  const { bucket } = options
  const requests = openRequests(options)
  const { client, tries } = requests
  let rights: Promise<unknown> | undefined

  async function lockOf(version: VersionName): Promise<Partial<ObjectHeaders>> {
    const input = inputOf(version)
    const retention = await tries(
      `GetObjectRetention ${version.key}`,
      async () => (await client.send(new GetObjectRetentionCommand(input))).Retention ?? {},
      withoutLock,
    )
    const hold = await tries(
      `GetObjectLegalHold ${version.key}`,
      async () => (await client.send(new GetObjectLegalHoldCommand(input))).LegalHold ?? {},
      withoutLock,
    )
    return {
      ObjectLockMode: retention.Mode,
      ObjectLockRetainUntilDate: retention.RetainUntilDate,
      ObjectLockLegalHoldStatus: hold.Status,
    }
  }

  function inputOf({ key, versionId }: VersionName): { Bucket: string; Key: string; VersionId?: string } {
    return { Bucket: bucket, Key: key, ...(versionId === undefined ? {} : { VersionId: versionId }) }
  }

  return {
    locks: true,

    defaultRetention: () => defaultRetentionOf(bucket, requests).catch(unlessHidden),

    async *versions(prefix, after) {
      let page: ListObjectVersionsCommandOutput | undefined
      let last: ListedVersion | undefined
      do {
        const command = new ListObjectVersionsCommand({
          Bucket: bucket,
          Prefix: prefix,
          // Keys that others wrote may have characters that XML cannot carry.
          EncodingType: 'url',
          KeyMarker: page ? nextKey(page) : after,
          VersionIdMarker: page?.NextVersionIdMarker,
        })
        page = await tries(`ListObjectVersions ${prefix}`, () => client.send(command))
        for (const version of versionsIn(page)) {
          // A marker is excluded by S3 and included by other stores.
          if (version.key === after || isSame(version, last)) continue
          last = version
          yield version
        }
        if (page.IsTruncated && !page.NextKeyMarker)
          throw new IngestError('ARCHIVE_UNAVAILABLE', `bucket ${bucket}: the list of ${prefix} breaks off`)
      } while (page.IsTruncated)
    },

    async inspect(version) {
      const command = new HeadObjectCommand({ ...inputOf(version), ChecksumMode: 'ENABLED' })
      const headers = await tries(`HeadObject ${version.key}`, () => client.send(command)).catch(ifThere)
      if (!headers) return undefined
      if (headers.ObjectLockMode === undefined)
        return versionFactsOf(version.key, { ...headers, ...(await lockOf(version)) })
      rights ??= lockOf(version)
      await rights
      return versionFactsOf(version.key, headers)
    },

    async open(version) {
      const where = `s3://${bucket}/${version.key}`
      const command = new GetObjectCommand(inputOf(version))
      const answer = await tries(`GetObject ${version.key}`, () => client.send(command)).catch(ifThere)
      if (!answer) throw new IngestError('ARCHIVE_CONFLICT', `${where}: there is no such version`)
      return octetsAsStored(where, answer.Body as Readable)
    },

    close: () => client.destroy(),
  }
}

function isSame(a: VersionName, b: VersionName | undefined): boolean {
  return a.key === b?.key && a.versionId === b.versionId
}

/** A version that never had a lock is no failure. */
async function withoutLock(
  error: unknown,
): Promise<{ Mode?: never; RetainUntilDate?: never; Status?: never } | undefined> {
  return error instanceof Error && error.name === 'NoSuchObjectLockConfiguration' ? {} : undefined
}

/** Who may not see it, or a bucket without Object Lock. */
function unlessHidden(error: unknown): undefined {
  const codes = ['ARCHIVE_DENIED', 'ARCHIVE_MISCONFIGURED']
  if (!(error instanceof IngestError) || !codes.includes(error.code)) throw error
}

function ifThere(error: unknown): undefined {
  const missing = error instanceof IngestError && error.code !== 'ARCHIVE_MISSING'
  if (!missing || statusOf(error.cause) !== 404) throw error
}
