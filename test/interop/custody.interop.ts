import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { openS3Archive } from '../../shared/archive/s3.ts'
import { openS3Audit } from '../../shared/archive/s3-audit.ts'
import { openS3Custody } from '../../shared/archive/s3-custody.ts'
import { custodyContract } from '../contract/custody.ts'
import { minio, type S3Engine, versity } from './engines/s3-engine.ts'

// Locks that an engine of others enforces: every refusal here is its own.

for (const engine of [versity, minio]) {
  if (engine.binary) withEngine(engine)
  else test(`custody on ${engine.name}`, { skip: engine.missing }, () => {})
}

function withEngine(engine: S3Engine): void {
  custodyContract(
    `S3 on ${engine.name}`,
    async () => {
      const running = await engine.start()
      const options = { ...running, bucket: `mail-${randomUUID()}` }
      const admin = new S3Client({ ...running, forcePathStyle: true })
      await admin.send(new CreateBucketCommand({ Bucket: options.bucket, ObjectLockEnabledForBucket: true }))
      admin.destroy()
      const archive = openS3Archive(options)
      const audit = openS3Audit(options)
      const custody = openS3Custody(options)
      return {
        archive,
        audit,
        custody,
        async close() {
          for (const opened of [archive, audit, custody]) opened.close()
          await running.stop()
        },
      }
    },
    engine === versity && 'Versity refuses every change of a retention in compliance mode, longer ones too',
  )
}
