import { Arn, ArnFormat, Duration, Stack } from 'aws-cdk-lib'
import * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { SqsAddress } from '../../shared/contract/queue-address.ts'
import { DEAD_LETTERS_KEPT, QUEUE_PROPS } from './dead-letters.ts'

export interface EventQueueProps {
  /** As in the configuration: a name makes a queue, a URL or ARN names one that exists. FIFO by `.fifo`. */
  readonly address: SqsAddress
  /** How long a consumer may take for one event before it is seen again. @default 5 minutes */
  readonly visibilityTimeout?: Duration | undefined
  /** Times an event is received before it counts as undeliverable. @default 5 */
  readonly maxReceiveCount?: number | undefined
}

/**
 * A queue of events for consumers. Ours has a dead-letter queue and is named as configured; of one that exists only the ARN is known, and
 * its dead-letter queue is its owner's.
 */
export class EventQueue extends Construct {
  readonly queueArn: string
  /** Undefined for a queue that exists already. */
  readonly queue: sqs.Queue | undefined
  readonly deadLetters: sqs.Queue | undefined

  constructor(scope: Construct, id: string, props: EventQueueProps) {
    super(scope, id)
    const { address } = props
    if (address.url !== undefined || address.account !== undefined) {
      this.queueArn = Arn.format(
        {
          service: 'sqs',
          resource: address.name,
          arnFormat: ArnFormat.NO_RESOURCE_NAME,
          ...(address.region === undefined ? {} : { region: address.region }),
          ...(address.account === undefined ? {} : { account: address.account }),
        },
        Stack.of(this),
      )
      return
    }
    const fifo = address.fifo ? { fifo: true } : {}
    const name = address.name.replace(/\.fifo$/, '')
    const suffix = address.fifo ? '.fifo' : ''
    this.deadLetters = new sqs.Queue(this, 'DeadLetters', {
      ...QUEUE_PROPS,
      ...fifo,
      queueName: `${name}-dead-letters${suffix}`,
      retentionPeriod: DEAD_LETTERS_KEPT,
    })
    this.queue = new sqs.Queue(this, 'Queue', {
      ...QUEUE_PROPS,
      ...fifo,
      ...(address.fifo
        ? {
            // Ids are event ids, given by the drain: a repeat within five minutes is dropped within its mailbox's group.
            deduplicationScope: sqs.DeduplicationScope.MESSAGE_GROUP,
            fifoThroughputLimit: sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID,
          }
        : {}),
      queueName: address.name,
      visibilityTimeout: props.visibilityTimeout ?? Duration.minutes(5),
      // The longest that SQS offers: a consumer may be down over a holiday.
      retentionPeriod: Duration.days(14),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: props.maxReceiveCount ?? 5 },
    })
    this.queueArn = this.queue.queueArn
  }
}
