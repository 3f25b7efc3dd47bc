import {
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import type { Event } from '../contract/event.ts'
import { type BatchOptions, consumeBatch } from './batch.ts'

// `mailsluice/consumer/sqs`: for consumers that are no Lambda.

/** What SQS gives and takes at most, in messages and seconds. */
const BATCH_MESSAGES = 10
const LONGEST_POLL_SECONDS = 20

export interface QueueOptions extends BatchOptions {
  /** Ends it after the batch that is at hand. */
  readonly signal?: AbortSignal | undefined
  /** Ends it when the queue has nothing to give for a second. @default false: it waits for more */
  readonly untilEmpty?: boolean | undefined
}

/**
 * Polls a queue and hands each event to `handle`, as `consumeBatch` does; what was handled is deleted, what failed comes again after the queue's
 * visibility timeout. The client is the caller's, who closes it. Rejects with what SQS fails with: whoever calls decides whether to begin anew.
 */
export async function consumeQueue(
  client: SQSClient,
  queueUrl: string,
  handle: (event: Event) => Promise<void> | void,
  { signal, untilEmpty = false, ...options }: QueueOptions = {},
): Promise<void> {
  while (!signal?.aborted) {
    const messages = await receive(client, queueUrl, untilEmpty ? 1 : LONGEST_POLL_SECONDS, signal)
    if (messages.length === 0 && untilEmpty) return
    // By its end the name of a queue says that it keeps an order.
    const records = messages.map(({ MessageId, Body, Attributes }) => ({
      messageId: MessageId,
      body: Body,
      attributes: Attributes,
      eventSourceARN: queueUrl,
    }))
    const { batchItemFailures } = await consumeBatch(records, handle, options)
    const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
    await remove(
      client,
      queueUrl,
      messages.filter(({ MessageId }) => !failed.has(MessageId ?? '')),
    )
  }
}

async function receive(
  client: SQSClient,
  queueUrl: string,
  waitSeconds: number,
  signal: AbortSignal | undefined,
): Promise<Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl: queueUrl,
    MaxNumberOfMessages: BATCH_MESSAGES,
    WaitTimeSeconds: waitSeconds,
    MessageSystemAttributeNames: ['MessageGroupId'],
  })
  try {
    const { Messages = [] } = await client.send(command, signal ? { abortSignal: signal } : {})
    return Messages
  } catch (error) {
    if (signal?.aborted) return []
    throw error
  }
}

/** One that could not be deleted comes again, as any may. */
async function remove(client: SQSClient, queueUrl: string, messages: readonly Message[]): Promise<void> {
  if (messages.length === 0) return
  const Entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }))
  await client.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }))
}
