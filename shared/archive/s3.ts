import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import {
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3'
import type { ObjectKey } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { ARCHIVE } from '../limits.ts'
import type { Octets } from '../octets.ts'
import type { Archive, ArchiveFacts, PutResult, Retention } from './archive.ts'
import { storedOctets } from './exact-octets.ts'
import { assertLegalKey } from './legal-key.ts'
import { retainUntil } from './retain-until.ts'
import { withBody } from './s3-body.ts'
import { checkBucket, defaultRetentionOf } from './s3-check.ts'
import { openRequests, type S3Options } from './s3-client.ts'
import { isAnswerLost, statusOf } from './s3-errors.ts'
import { factsOf, fromBase64, metadataOf, putOf, toBase64 } from './s3-facts.ts'

export interface S3Archive extends Archive {
  readonly bucket: string
  /** Ends the connections. What is on its way is not waited for. */
  close(): void
}

/**
 * The archive in a versioned S3 bucket with Object Lock.
 *
 * A put is a single PutObject with `If-None-Match: *`, so that a key has one version, and with the SHA-256 that is known
 * already, which S3 compares with what it received. It carries no lock unless it has a retention of its own: the bucket's
 * default asks for no right of the writer. The answers:
 *   200                    created
 *   412                    exists; but created when a try of this very put stored it and its answer got lost
 *   409, 429, 5xx, a wrong digest, a timeout, a broken connection
 *                          tried again, `ARCHIVE.attempts` times in all, but first looked for when it may be there already;
 *                          then ARCHIVE_UNAVAILABLE
 *   403                    ARCHIVE_DENIED
 *   301, 404               ARCHIVE_MISSING: absence answers a read, never a write
 *
 * Each put has an id of its own, stored with the object: by it a lost answer is known from a put of the same octets before.
 * `retainUntil` of a created object under the bucket's default is computed from our clock, S3 reckons from its own.
 * A missing key that the role may not list answers 403: give it s3:ListBucket, or `find` is ARCHIVE_DENIED.
 */
export function openS3Archive(options: S3Options): S3Archive {
  const { bucket } = options
  const requests = openRequests(options)
  const { client, tries, requestMs } = requests
  const uri = (key: string): string => `s3://${bucket}/${key}`
  let checked: { readonly facts: Promise<ArchiveFacts>; readonly untilMs: number } | undefined
  let knownRetention: Promise<Retention | undefined> | undefined

  /** Asked once. A default that may not be asked for is unknown, and no reason to refuse mail. */
  function bucketRetention(): Promise<Retention | undefined> {
    knownRetention ??= defaultRetentionOf(bucket, requests).catch((error: unknown) => {
      if (error instanceof IngestError) return undefined
      throw error
    })
    return knownRetention
  }

  /** A failure is told to those who wait for it, and looked for anew by the next. */
  function checkNow(): { readonly facts: Promise<ArchiveFacts>; readonly untilMs: number } {
    const facts = checkBucket(bucket, requests)
    const now = { facts, untilMs: Date.now() + ARCHIVE.checkedMs }
    facts.catch(() => {
      if (checked === now) checked = undefined
    })
    return now
  }

  async function head(key: ObjectKey): Promise<HeadObjectCommandOutput | undefined> {
    const command = new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' })
    return tries(`HeadObject ${key}`, () => client.send(command)).catch((error: unknown) => {
      if (!(error instanceof IngestError) || statusOf(error.cause) !== 404) throw error
      return undefined
    })
  }

  /** One try. */
  async function put(key: ObjectKey, octets: Octets, input: PutObjectCommandInput): Promise<PutResult> {
    const answer = await withBody(key, octets, (Body, abortSignal) =>
      client.send(new PutObjectCommand({ ...input, Body }), {
        requestTimeout: requestMs + (octets.length / ARCHIVE.slowestOctetsPerSecond) * 1000,
        ...(abortSignal && { abortSignal }),
      }),
    )
    const stored = answer.ChecksumSHA256 === undefined ? octets.sha256 : fromBase64(answer.ChecksumSHA256)
    if (stored !== octets.sha256)
      throw new IngestError('ARCHIVE_CONFLICT', `${uri(key)}: stored with checksum ${answer.ChecksumSHA256}`)
    return { outcome: 'created', versionId: answer.VersionId, retainUntil: undefined }
  }

  return {
    bucket,
    uri,

    async put(key, octets, { contentType, writtenFor, retention }) {
      assertLegalKey(key)
      const now = Date.now()
      const id = randomUUID()
      const input: PutObjectCommandInput = {
        Bucket: bucket,
        Key: key,
        IfNoneMatch: '*',
        ContentLength: octets.length,
        ContentType: contentType,
        // Both: by S3's documentation a lock wants the one, by its error text the other.
        ChecksumAlgorithm: 'SHA256',
        ChecksumSHA256: toBase64(octets.sha256),
        Metadata: metadataOf(writtenFor, id),
        ...(retention && {
          ObjectLockMode: retention.mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE',
          ObjectLockRetainUntilDate: retainUntil(now, retention),
        }),
      }
      const result = await tries(
        `PutObject ${key}`,
        () => put(key, octets, input),
        async (error): Promise<PutResult | undefined> => {
          const refused = statusOf(error) === 412
          if (!refused && !isAnswerLost(error)) return undefined
          // Also before it is sent again: a server may refuse a long body in its middle, and the 412 goes down with the connection.
          const headers = await head(key)
          if (headers) {
            const facts = factsOf(key, headers)
            if (putOf(headers) !== id) return { outcome: 'exists', facts }
            return { outcome: 'created', versionId: facts.versionId, retainUntil: facts.retainUntil }
          }
          if (!refused) return undefined
          // Hidden in between by a delete marker: no drain may do that.
          throw new IngestError('ARCHIVE_CONFLICT', `${uri(key)}: it was there, and then it was not`)
        },
      )
      if (result.outcome === 'exists' || result.retainUntil !== undefined) return result
      const kept = retention ?? (await bucketRetention())
      return { ...result, retainUntil: kept && retainUntil(now, kept).toISOString() }
    },

    async find(key) {
      assertLegalKey(key)
      const headers = await head(key)
      return headers && factsOf(key, headers)
    },

    async get(key) {
      assertLegalKey(key)
      const command = getWithChecksum(bucket, key)
      const answer = await tries(`GetObject ${key}`, () => client.send(command)).catch((error: unknown) => {
        if (
          !(error instanceof IngestError) ||
          error.code === 'ARCHIVE_MISSING' ||
          statusOf(error.cause) !== 404
        )
          throw error
        throw new IngestError('ARCHIVE_CONFLICT', `${uri(key)}: there is no such object`, {
          cause: error.cause,
        })
      })
      const facts = factsOf(key, answer)
      return { body: storedOctets(uri(key), answer.Body as Readable, facts), facts }
    },

    async *list(prefix, after) {
      let page: ListObjectsV2CommandOutput | undefined
      do {
        const command = new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          ...(page ? { ContinuationToken: page.NextContinuationToken } : after && { StartAfter: after }),
        })
        page = await tries(`ListObjectsV2 ${prefix}`, () => client.send(command))
        for (const { Key, Size = 0 } of page.Contents ?? []) yield { key: Key as ObjectKey, octets: Size }
        if (page.IsTruncated && !page.NextContinuationToken)
          throw new IngestError('ARCHIVE_UNAVAILABLE', `bucket ${bucket}: the list of ${prefix} breaks off`)
      } while (page.IsTruncated)
    },

    check() {
      if (!checked || Date.now() > checked.untilMs) checked = checkNow()
      return checked.facts
    },

    close: () => client.destroy(),
  }
}

/**
 * Asks for the checksum behind the SDK's back: asked by `ChecksumMode`, the SDK compares it by itself and fails without a
 * code to know it by, where we tell ARCHIVE_CONFLICT from a connection that broke.
 */
function getWithChecksum(bucket: string, key: ObjectKey): GetObjectCommand {
  const command = new GetObjectCommand({ Bucket: bucket, Key: key })
  command.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> }
      headers['x-amz-checksum-mode'] = 'ENABLED'
      return next(args)
    },
    { step: 'build', name: 'askForChecksum' },
  )
  return command
}
