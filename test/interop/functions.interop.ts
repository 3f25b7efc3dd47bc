import { test } from 'node:test'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { lambdaChainContract, type OpenedS3 } from '../contract/lambda-chain.ts'
import { createArchiveBucket, minio, type S3Engine, versity } from './engines/s3-engine.ts'
import { ELASTICMQ, elasticmqMissing, startElasticmq } from './engines/sqs-engine.ts'

const sqsMissing = elasticmqMissing()

for (const engine of [versity, minio]) {
  const missing = engine.binary ? sqsMissing : engine.missing
  if (engine.binary && missing === undefined)
    lambdaChainContract(`${engine.name} and ${ELASTICMQ}`, () => openBuckets(engine), startElasticmq)
  else test(`the functions on ${engine.name}`, { skip: missing ?? false }, () => {})
}

/** A locked archive with a default retention, and a state bucket without versions, on an engine of their own. */
async function openBuckets(engine: S3Engine): Promise<OpenedS3> {
  const running = await engine.start()
  const admin = new S3Client({ ...running, forcePathStyle: true })
  const [archiveBucket, stateBucket, derivedBucket] = ['mail-archive', 'mail-state', 'mail-derived']
  await admin.send(new CreateBucketCommand({ Bucket: stateBucket }))
  await admin.send(new CreateBucketCommand({ Bucket: derivedBucket }))
  await createArchiveBucket(admin, archiveBucket, { Mode: 'GOVERNANCE', Days: 1 })
  admin.destroy()
  return { ...running, archiveBucket, stateBucket, derivedBucket, close: () => running.stop() }
}
