import {
  DeleteObjectCommand,
  HeadObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3'
import { IngestError } from '../errors.ts'
import type { VersionName } from './audit.ts'
import type { Custody } from './custody.ts'
import { assertLegalKey } from './legal-key.ts'
import { openRequests, type S3Options } from './s3-client.ts'
import { statusOf } from './s3-errors.ts'

export interface S3Custody extends Custody {
  /** Ends the connections. What is on its way is not waited for. */
  close(): void
}

/**
 * Custody over a versioned S3 bucket with Object Lock. S3 answers 403 both to whom the right is lacking and to whom a lock refuses: which of
 * the two it was is asked for then, so that the one is ARCHIVE_DENIED and the other VERSION_PROTECTED.
 */
export function openS3Custody(options: S3Options): S3Custody {
  const { bucket } = options
  const { client, tries } = openRequests(options)

  function named({ key, versionId }: VersionName) {
    assertLegalKey(key)
    return { Bucket: bucket, Key: key, ...(versionId === undefined ? {} : { VersionId: versionId }) }
  }

  /** Undefined when nothing is told about a lock. */
  async function lockOf(version: VersionName): Promise<string | undefined> {
    const {
      ObjectLockMode: mode,
      ObjectLockRetainUntilDate: until,
      ObjectLockLegalHoldStatus: hold,
    } = await tries(`HeadObject ${version.key}`, () => client.send(new HeadObjectCommand(named(version))))
    if (hold === 'ON') return 'it is under a legal hold'
    if (mode === undefined || until === undefined || until.getTime() <= Date.now()) return undefined
    return `it is kept in ${mode.toLowerCase()} mode until ${until.toISOString()}`
  }

  async function change(what: string, version: VersionName, send: () => Promise<unknown>): Promise<void> {
    try {
      await tries(`${what} ${version.key}`, send)
    } catch (error) {
      if (!(error instanceof IngestError)) throw error
      const status = statusOf(error.cause)
      if (status === 404 && error.code !== 'ARCHIVE_MISSING')
        throw new IngestError('ARCHIVE_CONFLICT', `s3://${bucket}/${version.key}: there is no such version`, {
          cause: error.cause,
        })
      const lock = status === 403 ? await lockOf(version).catch(() => undefined) : undefined
      if (lock === undefined) throw error
      throw new IngestError('VERSION_PROTECTED', `s3://${bucket}/${version.key}: ${lock}`, {
        cause: error.cause,
      })
    }
  }

  return {
    hold: (version, status) =>
      change('PutObjectLegalHold', version, () =>
        client.send(
          new PutObjectLegalHoldCommand({
            ...named(version),
            LegalHold: { Status: status === 'on' ? 'ON' : 'OFF' },
          }),
        ),
      ),

    retain: (version, { mode, until }) =>
      change('PutObjectRetention', version, () =>
        client.send(
          new PutObjectRetentionCommand({
            ...named(version),
            Retention: { Mode: mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE', RetainUntilDate: until },
          }),
        ),
      ),

    async delete(version, { bypassGovernance }) {
      // Without a version S3 would put a delete marker over the object: it hides it and frees its key.
      if (version.versionId === undefined) throw new TypeError(`${version.key}: its version is not known`)
      await change('DeleteObject', version, () =>
        client.send(
          new DeleteObjectCommand({
            ...named(version),
            ...(bypassGovernance ? { BypassGovernanceRetention: true } : {}),
          }),
        ),
      )
    },

    close: () => client.destroy(),
  }
}
