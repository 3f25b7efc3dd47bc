import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { openRequests, type S3Options } from '../archive/s3-client.ts'
import { isAnswerLost, statusOf } from '../archive/s3-errors.ts'
import { toBase64 } from '../archive/s3-facts.ts'
import type { ObjectKey } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { memoryOctets } from '../octets.ts'
import type { Revision, StateEntry, StateStore } from './state.ts'

export interface S3State extends StateStore {
  /** Ends the connections. What is on its way is not waited for. */
  close(): void
}

/**
 * State in an S3 bucket without versions; the revision is the ETag. A write answered with 412 was not ours, unless an earlier
 * try of it lost its answer and the entry is what it wrote. A missing bucket is ARCHIVE_MISSING.
 */
export function openS3State(options: S3Options): S3State {
  const { bucket } = options
  const { client, tries } = openRequests(options)

  async function get(key: ObjectKey, known?: Revision): Promise<StateEntry> {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key, ...(known && { IfNoneMatch: known }) })
    return tries(`GetObject ${key}`, async () => {
      const { Body, ETag } = await client.send(command)
      const content = Buffer.from((await Body?.transformToByteArray()) ?? [])
      return { content, revision: (ETag ?? '') as Revision }
    })
  }

  async function read(key: ObjectKey): Promise<StateEntry | undefined> {
    return get(key).catch(absent)
  }

  return {
    read,

    async readIfChanged(key, known) {
      return get(key, known).catch((error: unknown) => {
        if (error instanceof IngestError && statusOf(error.cause) === 304) return 'unchanged' as const
        return absent(error)
      })
    },

    async write(key, content, expected) {
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        Body: content,
        ContentType: 'application/json',
        ChecksumAlgorithm: 'SHA256',
        ChecksumSHA256: toBase64(memoryOctets(content).sha256),
        ...(expected === undefined && { IfNoneMatch: '*' }),
        ...(expected !== undefined && expected !== 'any' && { IfMatch: expected }),
      })
      let answerLost = false
      return tries(
        `PutObject ${key}`,
        async () => {
          await client.send(command)
          return true
        },
        async (error) => {
          answerLost ||= isAnswerLost(error)
          // 404: there is no entry (any more) whose revision could be compared; without a condition it is the bucket.
          const refused = statusOf(error) === 412 || (error instanceof Error && error.name === 'NoSuchKey')
          if (!refused) return undefined
          return answerLost && (await read(key))?.content.equals(content) === true
        },
      )
    },

    close: () => client.destroy(),
  }
}

/** A read that found no entry; everything else is thrown. */
function absent(error: unknown): undefined {
  if (error instanceof IngestError && error.code !== 'ARCHIVE_MISSING' && statusOf(error.cause) === 404)
    return undefined
  throw error
}
