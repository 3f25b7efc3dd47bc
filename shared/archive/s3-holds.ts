import { HeadObjectCommand, PutObjectLegalHoldCommand } from '@aws-sdk/client-s3'
import { IngestError } from '../errors.ts'
import type { VersionName } from './audit.ts'
import type { Custody } from './custody.ts'
import { assertLegalKey } from './legal-key.ts'
import { openRequests, type Requests, type S3Options } from './s3-client.ts'
import { statusOf } from './s3-errors.ts'

export interface S3Holds extends Pick<Custody, 'hold'> {
  /** Ends the connections. What is on its way is not waited for. */
  close(): void
}

/** Legal holds alone, for who may do nothing else with a version. */
export function openS3Holds(options: S3Options): S3Holds {
  const requests = openRequests(options)
  return { hold: holdOver(options.bucket, requests), close: () => requests.client.destroy() }
}

export function holdOver(bucket: string, requests: Requests): Custody['hold'] {
  return (version, status) =>
    changeVersion('PutObjectLegalHold', bucket, version, requests, () =>
      requests.client.send(
        new PutObjectLegalHoldCommand({
          ...versionInput(bucket, version),
          LegalHold: { Status: status === 'on' ? 'ON' : 'OFF' },
        }),
      ),
    )
}

/**
 * Changes a version. S3 answers 403 both to whom the right is lacking and to whom a lock refuses: which of the two it was is asked for then, so that
 * the one is ARCHIVE_DENIED and the other VERSION_PROTECTED.
 */
export async function changeVersion(
  what: string,
  bucket: string,
  version: VersionName,
  requests: Requests,
  send: () => Promise<unknown>,
): Promise<void> {
  try {
    await requests.tries(`${what} ${version.key}`, send)
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    const status = statusOf(error.cause)
    if (status === 404 && error.code !== 'ARCHIVE_MISSING')
      throw new IngestError('ARCHIVE_CONFLICT', `s3://${bucket}/${version.key}: there is no such version`, {
        cause: error.cause,
      })
    const lock = status === 403 ? await lockOf(bucket, version, requests).catch(() => undefined) : undefined
    if (lock === undefined) throw error
    throw new IngestError('VERSION_PROTECTED', `s3://${bucket}/${version.key}: ${lock}`, {
      cause: error.cause,
    })
  }
}

export function versionInput(bucket: string, { key, versionId }: VersionName) {
  assertLegalKey(key)
  return { Bucket: bucket, Key: key, ...(versionId === undefined ? {} : { VersionId: versionId }) }
}

/** Undefined when nothing is told about a lock. */
async function lockOf(
  bucket: string,
  version: VersionName,
  { client, tries }: Requests,
): Promise<string | undefined> {
  const {
    ObjectLockMode: mode,
    ObjectLockRetainUntilDate: until,
    ObjectLockLegalHoldStatus: hold,
  } = await tries(`HeadObject ${version.key}`, () =>
    client.send(new HeadObjectCommand(versionInput(bucket, version))),
  )
  if (hold === 'ON') return 'it is under a legal hold'
  if (mode === undefined || until === undefined || until.getTime() <= Date.now()) return undefined
  return `it is kept in ${mode.toLowerCase()} mode until ${until.toISOString()}`
}
