import { Duration } from 'aws-cdk-lib'
import * as events from 'aws-cdk-lib/aws-events'
import * as targets from 'aws-cdk-lib/aws-events-targets'
import type * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { RequestQueue } from './request-queue.ts'
import type { BucketNames } from './through-s3.ts'

export interface NewSegmentsProps {
  /** Of the queue. */
  readonly name: string
  readonly archiveBucket: BucketNames
  /** Timeout of the function that takes from the queue. Each follower has a queue of its own. */
  readonly functionTimeout: Duration
}

/** What the archive bucket tells of new segments of ledgers, whoever wrote them, in a queue. At least once, and within seconds as a rule. */
export class NewSegments extends Construct {
  readonly queue: sqs.Queue
  readonly deadLetters: sqs.Queue

  constructor(scope: Construct, id: string, { name, archiveBucket, functionTimeout }: NewSegmentsProps) {
    super(scope, id)
    const { queue, deadLetters } = new RequestQueue(this, 'Requests', {
      name,
      functionTimeout,
      // Nobody asks again for a segment.
      worthFor: Duration.days(14),
    })
    this.queue = queue
    this.deadLetters = deadLetters
    new events.Rule(this, 'Rule', {
      description: 'Mailsluice: new segments of ledgers',
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: { bucket: { name: [archiveBucket.bucketName] }, object: { key: [{ prefix: 'ledger/' }] } },
      },
      targets: [new targets.SqsQueue(queue, { deadLetterQueue: deadLetters })],
    })
  }
}
