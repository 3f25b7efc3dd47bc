import { Readable } from 'node:stream'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { statusOf, toArchiveError } from '../archive/s3-errors.ts'
import { IngestError } from '../errors.ts'
import type { OpenObject } from './objects.ts'

// `mailsluice/consumer/s3`: the part of the consumer kit that needs the AWS SDK.

export { openS3State } from '../state/s3.ts'

const S3_URI = /^s3:\/\/([^/]+)\/(.+)$/s

/** Reads objects of S3 with a client of the caller's, who closes it. What must be allowed is s3:GetObject, and s3:GetObjectVersion for raw messages. */
export function openS3Objects(client: S3Client): OpenObject {
  return async ({ uri, versionId, range }) => {
    const [, bucket, key] = S3_URI.exec(uri) ?? []
    if (bucket === undefined) throw new IngestError('ARCHIVE_MISCONFIGURED', `${uri}: not an object of S3`)
    if (range?.octets === 0) return Readable.from([])
    const command = new GetObjectCommand({
      Bucket: bucket,
      Key: key,
      ...(versionId !== undefined && { VersionId: versionId }),
      ...(range && { Range: `bytes=${range.start}-${range.start + range.octets - 1}` }),
    })
    try {
      const { Body } = await client.send(command)
      return Body as Readable
    } catch (error) {
      const refused = toArchiveError(error, uri)
      // NoSuchKey or NoSuchVersion; a bucket that is not there is another matter.
      const gone = statusOf(error) === 404 && refused.code !== 'ARCHIVE_MISSING'
      throw gone ? new IngestError('OBJECT_GONE', refused.message, { cause: error }) : refused
    }
  }
}
