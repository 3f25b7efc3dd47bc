import { DeleteObjectCommand, PutObjectRetentionCommand } from '@aws-sdk/client-s3'
import type { Custody } from './custody.ts'
import { openRequests, type S3Options } from './s3-client.ts'
import { changeVersion, holdOver, versionInput } from './s3-holds.ts'

export interface S3Custody extends Custody {
  /** Ends the connections. What is on its way is not waited for. */
  close(): void
}

/** Custody over a versioned S3 bucket with Object Lock, which is what enforces the locks. */
export function openS3Custody(options: S3Options): S3Custody {
  const { bucket } = options
  const requests = openRequests(options)
  const { client } = requests

  return {
    hold: holdOver(bucket, requests),

    retain: (version, { mode, until }) =>
      changeVersion('PutObjectRetention', bucket, version, requests, () =>
        client.send(
          new PutObjectRetentionCommand({
            ...versionInput(bucket, version),
            Retention: { Mode: mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE', RetainUntilDate: until },
          }),
        ),
      ),

    async delete(version, { bypassGovernance }) {
      // Without a version S3 would put a delete marker over the object: it hides it and frees its key.
      if (version.versionId === undefined) throw new TypeError(`${version.key}: its version is not known`)
      await changeVersion('DeleteObject', bucket, version, requests, () =>
        client.send(
          new DeleteObjectCommand({
            ...versionInput(bucket, version),
            ...(bypassGovernance ? { BypassGovernanceRetention: true } : {}),
          }),
        ),
      )
    },

    close: () => client.destroy(),
  }
}
