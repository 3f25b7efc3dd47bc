import { Duration } from 'aws-cdk-lib'
import * as sqs from 'aws-cdk-lib/aws-sqs'

/** SQS keeps messages for two weeks at most: the time to find out and to redrive. */
export const DEAD_LETTERS_KEPT = Duration.days(14)

/** What every queue of ours has in common: encrypted by SQS (with no price for each message), refused without TLS. */
export const QUEUE_PROPS = {
  encryption: sqs.QueueEncryption.SQS_MANAGED,
  enforceSSL: true,
} as const satisfies sqs.QueueProps
