import { Duration } from 'aws-cdk-lib'
import * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { DEAD_LETTERS_KEPT, QUEUE_PROPS } from './dead-letters.ts'

export interface RequestQueueProps {
  /** Of the queue, without `.fifo`: operators look for it by name. */
  readonly name: string
  /** Timeout of the function that takes the requests. */
  readonly functionTimeout: Duration
  /** One request of a mailbox at a time, by its message group. @default false */
  readonly fifo?: boolean | undefined
  /** A request older than this is worth nothing, for the schedule has asked again. */
  readonly worthFor: Duration
}

/**
 * What one function asks of another. A request is seen again after six times the timeout of its function, as Lambda asks for: a batch that
 * was throttled is tried again meanwhile, and a second copy of a drain that is still at work would only lose the race for the ledger.
 */
export class RequestQueue extends Construct {
  readonly queue: sqs.Queue
  readonly deadLetters: sqs.Queue

  constructor(scope: Construct, id: string, { name, functionTimeout, fifo, worthFor }: RequestQueueProps) {
    super(scope, id)
    const kind = fifo ? { fifo: true } : {}
    const suffix = fifo ? '.fifo' : ''
    this.deadLetters = new sqs.Queue(this, 'DeadLetters', {
      ...QUEUE_PROPS,
      ...kind,
      queueName: `${name}-dead-letters${suffix}`,
      retentionPeriod: DEAD_LETTERS_KEPT,
    })
    this.queue = new sqs.Queue(this, 'Queue', {
      ...QUEUE_PROPS,
      ...kind,
      queueName: `${name}${suffix}`,
      ...(fifo
        ? {
            // Not by content: the second wake-up of a mailbox within five minutes has the same content and must not vanish.
            contentBasedDeduplication: false,
            deduplicationScope: sqs.DeduplicationScope.MESSAGE_GROUP,
            fifoThroughputLimit: sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
          }
        : {}),
      visibilityTimeout: Duration.seconds(6 * functionTimeout.toSeconds()),
      retentionPeriod: worthFor,
      // Whatever failed three times is not cured by a fourth: the next tick asks anew.
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 3 },
    })
  }
}
