import type { Config } from '../shared/contract/config.ts'
import type { Environment } from '../shared/contract/environment.ts'
import { openSqsQueues } from '../shared/queue/sqs.ts'
import { openAwsArchive, openAwsAudit, openAwsCustody, openAwsDerived, openAwsState } from './aws-buckets.ts'
import type { Stores } from './stores.ts'

// Loaded by the command line when it works on AWS: the client of S3 is a tenth of its memory. On one machine there is local-stores.ts.

export { openAwsCustody }

/** S3 and SQS, or what speaks their protocols: the AWS SDK's own settings count. `bucket` is required. */
export function openAwsStores(
  {
    bucket,
    stateBucket,
    derivedBucket,
    queues: addresses,
  }: {
    bucket: string
    stateBucket: string | undefined
    derivedBucket: string | undefined
    queues: Config['queues']
  },
  environment: Environment,
): Stores {
  const archive = openAwsArchive(bucket, environment)
  const audit = openAwsAudit(bucket, environment)
  const state = stateBucket === undefined ? undefined : openAwsState(stateBucket, environment)
  const derived = derivedBucket === undefined ? undefined : openAwsDerived(derivedBucket, environment)
  const queues = openSqsQueues({ queues: addresses })
  return {
    archive,
    audit,
    state,
    derived,
    queues,
    async close() {
      archive.close()
      audit.close()
      state?.close()
      derived?.close()
      queues.close()
    },
  }
}
