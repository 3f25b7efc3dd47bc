import { PutObjectCommand } from '@aws-sdk/client-s3'
import { assertLegalKey } from '../archive/legal-key.ts'
import { withBody } from '../archive/s3-body.ts'
import { openRequests, type S3Options } from '../archive/s3-client.ts'
import { toBase64 } from '../archive/s3-facts.ts'
import { ARCHIVE } from '../limits.ts'
import type { DerivedStore } from './derived.ts'

export interface S3Derived extends DerivedStore {
  readonly bucket: string
  /** Ends the connections. What is on its way is not waited for. */
  close(): void
}

/**
 * Derived objects in an S3 bucket without versions and lock. S3 compares the SHA-256 with what it received. The octets are a stranger's:
 * they are stored as no type that a browser would show.
 */
export function openS3Derived(options: S3Options): S3Derived {
  const { bucket } = options
  const { client, tries, requestMs } = openRequests(options)
  return {
    bucket,
    uri: (key) => `s3://${bucket}/${key}`,

    async put(key, octets) {
      assertLegalKey(key)
      const input = {
        Bucket: bucket,
        Key: key,
        ContentLength: octets.length,
        ContentType: 'application/octet-stream',
        ContentDisposition: 'attachment',
        ChecksumAlgorithm: 'SHA256',
        ChecksumSHA256: toBase64(octets.sha256),
      } as const
      await tries(`PutObject ${key}`, () =>
        withBody(key, octets, (Body, abortSignal) =>
          client.send(new PutObjectCommand({ ...input, Body }), {
            requestTimeout: requestMs + (octets.length / ARCHIVE.slowestOctetsPerSecond) * 1000,
            ...(abortSignal && { abortSignal }),
          }),
        ),
      )
    },

    close: () => client.destroy(),
  }
}
