import assert from 'node:assert/strict'
import { after } from 'node:test'
import type { OutgoingEvent, SendResult } from '../../shared/queue/queue.ts'
import { openSqsQueues, type SqsOptions, type SqsQueues } from '../../shared/queue/sqs.ts'
import { event } from '../contract/queue.ts'
import { type Fault, type ScriptedRequest, type ScriptedSqs, startScriptedSqs } from './scripted-sqs.ts'

// The SQS adapter before a scripted server; both go with the test.

const QUEUES = { default: 'events', orders: 'events.fifo', missing: 'there-is-none' }

const running: (() => unknown)[] = []
after(() => Promise.all(running.map((close) => close())))

export async function withFaults(
  fault: (request: ScriptedRequest, nth: number) => Fault | undefined,
  options: Partial<SqsOptions> = {},
): Promise<{ sqs: ScriptedSqs; queues: SqsQueues; batches: () => ScriptedRequest[] }> {
  const sqs = await startScriptedSqs(['events', 'events.fifo'], fault)
  const queues = openSqsQueues({
    queues: QUEUES,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    endpoint: async () => sqs.endpoint,
    ...options,
  })
  running.push(
    () => queues.close(),
    () => sqs.close(),
  )
  const batches = () => sqs.requests.filter(({ operation }) => operation === 'SendMessageBatch')
  return { sqs, queues, batches }
}

/** The same fault for the first batches. */
export function batches(
  count: number,
  fault: Fault,
): (request: ScriptedRequest, nth: number) => Fault | undefined {
  return ({ operation }, nth) => (operation === 'SendMessageBatch' && nth <= count ? fault : undefined)
}

export const numbered = (count: number, octets?: number): OutgoingEvent[] =>
  Array.from({ length: count }, (_, i) => event(`invoices/${i}`, octets))

export function assertSent(results: readonly SendResult[], count: number): void {
  assert.deepEqual(
    results,
    Array.from({ length: count }, () => ({ sent: true })),
  )
}

export function idsIn(sqs: ScriptedSqs, queue: string): string[] {
  return (sqs.queues.get(queue) ?? []).map(
    ({ MessageBody }) => (JSON.parse(MessageBody) as { id: string }).id,
  )
}
