import { setTimeout as sleep } from 'node:timers/promises'
import { S3Client } from '@aws-sdk/client-s3'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { IngestError } from '../errors.ts'
import { ARCHIVE } from '../limits.ts'
import { isRepeatable, toArchiveError } from './s3-errors.ts'

export interface S3Options {
  readonly bucket: string
  /** @default the SDK's own setting (AWS_REGION, profile) */
  readonly region?: string | undefined
  /** @default the SDK's own setting (AWS_ENDPOINT_URL_S3, AWS) */
  readonly endpoint?: string | undefined
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. @default true for a loopback `endpoint` */
  readonly forcePathStyle?: boolean | undefined
  /** @default the SDK's own chain */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
  /** Silence after which a request is dead. @default ARCHIVE.requestMs */
  readonly requestMs?: number | undefined
  /** The first pause between two tries. @default ARCHIVE.backOffMs */
  readonly backOffMs?: number | undefined
}

export interface Requests {
  readonly client: S3Client
  /** Silence after which a request is dead. */
  readonly requestMs: number
  /**
   * Sends until it succeeds, fails for good or has been tried `ARCHIVE.attempts` times; then rejects with an ARCHIVE_… error.
   * `onFailure` sees each failure first and may answer in its place.
   */
  tries<T>(
    what: string,
    send: () => Promise<T>,
    onFailure?: (error: unknown) => Promise<T | undefined>,
  ): Promise<T>
}

/**
 * A client whose SDK tries each request once. The tries are counted here, because a put must know whether an earlier try of its own
 * may have stored the object, and the SDK neither tells nor repeats a 409.
 */
export function openRequests(options: S3Options): Requests {
  const { bucket, region, endpoint, credentials } = options
  const requestMs = options.requestMs ?? ARCHIVE.requestMs
  const backOffMs = options.backOffMs ?? ARCHIVE.backOffMs
  const agent = { keepAlive: true, maxSockets: ARCHIVE.sockets }
  const client = new S3Client({
    maxAttempts: 1,
    // The SDK warns on the console about what it leaves to us.
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    forcePathStyle: options.forcePathStyle ?? (endpoint !== undefined && isLoopback(endpoint)),
    // Bodies are checked against the SHA-256 by ourselves, against the archive's own record of it.
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: new NodeHttpHandler({
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: ARCHIVE.connectMs,
      socketTimeout: requestMs,
      requestTimeout: requestMs,
      throwOnRequestTimeout: true,
    }),
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
  })

  async function regionIsSet(): Promise<void> {
    await client.config.region().catch((cause: unknown) => {
      throw new IngestError(
        'ARCHIVE_MISSING',
        `bucket ${bucket}: no AWS region is set (AWS_REGION or the profile)`,
        { cause },
      )
    })
  }

  return {
    client,
    requestMs,
    async tries(what, send, onFailure) {
      await regionIsSet()
      for (let attempt = 1; ; attempt++) {
        try {
          return await send()
        } catch (error) {
          const answer = await onFailure?.(error)
          if (answer !== undefined) return answer
          if (!isRepeatable(error) || attempt === ARCHIVE.attempts)
            throw toArchiveError(error, `bucket ${bucket}: ${what}`)
        }
        await sleep(backOffMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2))
      }
    },
  }
}

function isLoopback(url: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i.test(new URL(url).hostname)
}
