import { setTimeout as sleep } from 'node:timers/promises'
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { parseSqsAddress, type SqsAddress } from '../contract/queue-address.ts'
import { IngestError } from '../errors.ts'
import { QUEUE } from '../limits.ts'
import { entriesOf, eventBatches, type Refusal, refusalsIn } from './batches.ts'
import type { EventQueues, OutgoingEvent, SendResult } from './queue.ts'
import { openSqsClients } from './sqs-clients.ts'
import {
  isConnectionLost,
  isOfOneEntry,
  isOfSpentReceipt,
  isUnreachable,
  toQueueError,
} from './sqs-errors.ts'

export interface SqsOptions {
  /** Queue name, URL or ARN by the name that routes use. */
  readonly queues: Readonly<Record<string, string>>
  /** @default the SDK's own setting (AWS_REGION, profile) */
  readonly region?: string | undefined
  /**
   * Where every request goes, whatever the URL of the queue says; asked for anew before each request.
   * @default the SDK's own setting (AWS_ENDPOINT_URL_SQS, AWS)
   */
  readonly endpoint?: (() => Promise<string>) | undefined
  /** @default the SDK's own chain */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined
  /** @default QUEUE.requestMs */
  readonly requestMs?: number | undefined
  /** Called when nobody listens at the endpoint or a connection broke, before a request is tried a last time. */
  readonly reconnect?: (() => Promise<void>) | undefined
}

export interface SqsQueues extends EventQueues {
  /** A received message is seen again in so many seconds from now, and not when its queue would have it. Rejects with QUEUE_…. */
  postpone(queue: string, receiptHandle: string, seconds: number): Promise<void>
  /** Ends the connections. What is on its way is not waited for. */
  close(): void
}

interface Target {
  readonly address: SqsAddress
  readonly client: SQSClient
  readonly url: string
}

interface Entry {
  readonly event: OutgoingEvent
  settle(result: SendResult): void
}

/**
 * The queue port on SQS.
 *
 * A queue's URL is asked for once, when the queue is first used. Requests go to the SDK's endpoint and never to the host in a
 * URL that GetQueueUrl answered (emulators name hosts that do not resolve); only a URL in the configuration that is not of a
 * public AWS endpoint (VPC endpoint, emulator) is taken at its word.
 *
 * Standard queues: up to `QUEUE.batchesInFlight` batches at once. FIFO queues: one batch after the other, in the order of the
 * calls, with the event id as MessageDeduplicationId, so that repeats within five minutes are dropped by SQS. An event that is refused
 * for the moment is tried again before later batches, yet later events of its own batch have passed it then.
 */
export function openSqsQueues(options: SqsOptions): SqsQueues {
  const { requestMs = QUEUE.requestMs } = options
  const clients = openSqsClients(options)
  const targets = new Map<string, Promise<Target>>()
  /** Last send of each FIFO queue. */
  const tails = new Map<string, Promise<unknown>>()

  /** Translates, and gives an endpoint that moved a last try. */
  async function request<T>(where: string, send: () => Promise<T>): Promise<T> {
    try {
      return await send()
    } catch (error) {
      const failure = toQueueError(error, where)
      if (!options.reconnect || !(isUnreachable(failure) || isConnectionLost(failure))) throw failure
    }
    await options.reconnect()
    return send().catch((error: unknown) => {
      throw toQueueError(error, where)
    })
  }

  function resolve(queue: string): Promise<Target> {
    const known = targets.get(queue)
    if (known) return known
    const target = find(queue)
    targets.set(queue, target)
    // Only what was found is remembered: a queue may be made while we run.
    target.catch(() => targets.delete(queue))
    return target
  }

  async function find(queue: string): Promise<Target> {
    const where = `queue ${queue}`
    const configured = Object.hasOwn(options.queues, queue) ? options.queues[queue] : undefined
    if (configured === undefined)
      throw new IngestError('QUEUE_MISSING', `${where}: no queue of this name is configured`)
    const address = parseSqsAddress(configured)
    if (!address)
      throw new IngestError('QUEUE_MISSING', `${where}: ${configured} is no queue name, URL or ARN`)
    const client = clients.of(address)
    await client.config.region().catch((cause: unknown) => {
      throw new IngestError('QUEUE_MISSING', `${where}: no AWS region is set (AWS_REGION or the profile)`, {
        cause,
      })
    })
    if (address.url) return { address, client, url: address.url }
    const { QueueUrl } = await request(`${where} (${configured})`, () =>
      client.send(
        new GetQueueUrlCommand({
          QueueName: address.name,
          ...(address.account === undefined ? {} : { QueueOwnerAWSAccountId: address.account }),
        }),
      ),
    )
    if (!QueueUrl) throw new IngestError('QUEUE_UNAVAILABLE', `${where}: GetQueueUrl answered without a URL`)
    return { address, client, url: QueueUrl }
  }

  /** Settles every entry, unless it rejects: with QUEUE_MISSING or QUEUE_DENIED. */
  async function sendBatch(where: string, target: Target, entries: readonly Entry[]): Promise<void> {
    let waiting = entries
    for (let attempt = 1; ; attempt++) {
      const failed = await trySend(where, target, waiting)
      waiting = waiting.filter((entry, index) => {
        const failure = failed.get(index)
        if (failure === undefined) entry.settle({ sent: true })
        else if (failure.final || attempt === QUEUE.attempts)
          entry.settle({ sent: false, refused: failure.reason })
        else return true
        return false
      })
      if (waiting.length === 0) return
      await sleep(QUEUE.backOffMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2))
    }
  }

  /** One SendMessageBatch; the failures by index. The SDK has repeated the whole call already where that made sense. */
  async function trySend(
    where: string,
    target: Target,
    entries: readonly Entry[],
  ): Promise<Map<number, Refusal>> {
    const { address, client, url } = target
    const command = new SendMessageBatchCommand({
      QueueUrl: url,
      Entries: entriesOf(
        entries.map(({ event }) => event),
        address.fifo,
      ),
    })
    try {
      const answer = await request(where, () => client.send(command))
      return refusalsIn(answer, entries.length, where)
    } catch (error) {
      if (!(error instanceof IngestError) || error.scope === 'mailbox') throw error
      // A bad message delays only itself.
      if (entries.length > 1 && isOfOneEntry(error)) return sendOneByOne(where, target, entries)
      return new Map(entries.map((_, index) => [index, { final: true, reason: error.message }]))
    }
  }

  async function sendOneByOne(
    where: string,
    target: Target,
    entries: readonly Entry[],
  ): Promise<Map<number, Refusal>> {
    const failures = new Map<number, Refusal>()
    for (const [index, entry] of entries.entries()) {
      const failure = (await trySend(where, target, [entry])).get(0)
      if (failure) failures.set(index, failure)
    }
    return failures
  }

  async function sendAll(queue: string, entries: readonly Entry[]): Promise<void> {
    const where = `queue ${queue}`
    let target: Target
    try {
      target = await resolve(queue)
    } catch (error) {
      if (!(error instanceof IngestError) || error.scope === 'mailbox') throw error
      for (const entry of entries) entry.settle({ sent: false, refused: error.message })
      return
    }
    const batches = eventBatches(entries, ({ event }) => event).values()
    const sender = async (): Promise<void> => {
      for (const batch of batches) await sendBatch(where, target, batch)
    }
    if (target.address.fifo) {
      const turn = (tails.get(target.url) ?? Promise.resolve()).then(sender)
      tails.set(
        target.url,
        turn.catch(() => undefined),
      )
      return turn
    }
    // Nothing is left running behind a rejection.
    const ends = await Promise.allSettled(Array.from({ length: QUEUE.batchesInFlight }, sender))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  return {
    async send(queue, events) {
      const results: SendResult[] = []
      const entries = events.map((event, index) => ({
        event,
        settle: (result: SendResult) => {
          results[index] = result
        },
      }))
      await sendAll(queue, entries)
      return results
    },

    async receive(queue, { waitSeconds, visibilitySeconds, maxEvents = 10 }) {
      const { client, url } = await resolve(queue)
      const where = `queue ${queue}`
      const { Messages = [] } = await request(where, () =>
        client.send(
          new ReceiveMessageCommand({
            QueueUrl: url,
            MaxNumberOfMessages: maxEvents,
            WaitTimeSeconds: waitSeconds,
            VisibilityTimeout: visibilitySeconds,
            MessageSystemAttributeNames: ['ApproximateReceiveCount'],
          }),
          { requestTimeout: requestMs + waitSeconds * 1000 },
        ),
      )
      return Messages.map(({ Body = '', ReceiptHandle, Attributes }) => ({
        body: Body,
        receiveCount: Number(Attributes?.ApproximateReceiveCount ?? 1),
        async remove() {
          await request(where, () =>
            client
              .send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }))
              // Removed before, perhaps by a try whose answer got lost; or too late, and then it comes again.
              .catch((error: unknown) => {
                if (!isOfSpentReceipt(error)) throw error
              }),
          )
        },
      }))
    },

    async postpone(queue, receiptHandle, seconds) {
      const { client, url } = await resolve(queue)
      await request(`queue ${queue}`, () =>
        client.send(
          new ChangeMessageVisibilityCommand({
            QueueUrl: url,
            ReceiptHandle: receiptHandle,
            VisibilityTimeout: seconds,
          }),
        ),
      )
    },

    async check(queue) {
      const { address, client, url } = await resolve(queue)
      const { Attributes } = await request(`queue ${queue}`, () =>
        client.send(
          new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['ApproximateNumberOfMessages'] }),
        ),
      )
      return {
        name: queue,
        url,
        fifo: address.fifo,
        approximateMessages: Number(Attributes?.ApproximateNumberOfMessages ?? 0),
      }
    },

    close() {
      clients.close()
    },
  }
}
