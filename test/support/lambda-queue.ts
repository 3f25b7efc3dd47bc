import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import type { SqsBatchResponse, SqsEvent, SqsRecord } from '../../functions/lambda/events.ts'
import type { Invocation, LambdaFunction } from './lambda-function.ts'

/** Beyond the time of any test: a message that a function holds comes back when a test says so. */
const VISIBILITY_SECONDS = 600

export interface Delivery {
  readonly records: readonly SqsRecord[]
  readonly invocation: Invocation
  /** Ids of the messages that stayed in the queue. */
  readonly left: readonly string[]
}

/** A queue of requests with its event source mapping: what Lambda does between a queue and a function, one step at a time. */
export class LambdaQueue {
  readonly url: string
  readonly #client: SQSClient

  /** One that is there already. */
  constructor(client: SQSClient, url: string) {
    this.#client = client
    this.url = url
  }

  /** At `endpoint`: servers name queues by a host that is another's. */
  static async create(client: SQSClient, name: string, endpoint: string): Promise<LambdaQueue> {
    const { QueueUrl = '' } = await client.send(
      new CreateQueueCommand({
        QueueName: name,
        Attributes: {
          VisibilityTimeout: String(VISIBILITY_SECONDS),
          ...(name.endsWith('.fifo')
            ? {
                FifoQueue: 'true',
                DeduplicationScope: 'messageGroup',
                FifoThroughputLimit: 'perMessageGroupId',
              }
            : {}),
        },
      }),
    )
    return new LambdaQueue(client, new URL(new URL(QueueUrl).pathname, endpoint).href)
  }

  /** For FIFO queues a group and an id. */
  async send(body: string, group?: string, id?: string): Promise<void> {
    await this.#client.send(
      new SendMessageCommand({
        QueueUrl: this.url,
        MessageBody: body,
        ...(group === undefined ? {} : { MessageGroupId: group }),
        ...(id === undefined ? {} : { MessageDeduplicationId: id }),
      }),
    )
  }

  /** Hands the next message to the function, and deletes it when the function has dealt with it. Undefined when there is none. */
  async deliver(to: LambdaFunction, timeoutMs?: number): Promise<Delivery | undefined> {
    const { Messages = [] } = await this.#client.send(
      new ReceiveMessageCommand({
        QueueUrl: this.url,
        MaxNumberOfMessages: 1,
        MessageSystemAttributeNames: ['All'],
      }),
    )
    if (Messages.length === 0) return undefined
    const records = Messages.map(recordOf)
    const invocation = await to.invoke({ Records: records } satisfies SqsEvent, timeoutMs)
    const left = leftOf(records, invocation)
    for (const { messageId, receiptHandle } of records)
      if (!left.includes(messageId))
        await this.#client.send(
          new DeleteMessageCommand({ QueueUrl: this.url, ReceiptHandle: receiptHandle }),
        )
    return { records, invocation, left }
  }

  /** The time has come at which what stayed in the queue is seen again. */
  async timePasses({ records, left }: Delivery): Promise<void> {
    for (const { messageId, receiptHandle } of records)
      if (left.includes(messageId))
        await this.#client.send(
          new ChangeMessageVisibilityCommand({
            QueueUrl: this.url,
            ReceiptHandle: receiptHandle,
            VisibilityTimeout: 0,
          }),
        )
  }
}

/** As Lambda names what SQS calls otherwise. */
function recordOf({ MessageId = '', ReceiptHandle = '', Body = '', Attributes = {} }: Message): SqsRecord {
  return {
    messageId: MessageId,
    receiptHandle: ReceiptHandle,
    body: Body,
    attributes: Attributes as unknown as SqsRecord['attributes'],
  }
}

/** Everything when the function failed; else what it names (ReportBatchItemFailures). */
function leftOf(records: readonly SqsRecord[], invocation: Invocation): readonly string[] {
  if (!invocation.ok) return records.map(({ messageId }) => messageId)
  const { batchItemFailures = [] } = (invocation.result ?? {}) as Partial<SqsBatchResponse>
  return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
}
