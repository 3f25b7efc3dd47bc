import { readFileSync } from 'node:fs'
import { type ArchivedData, type Event, eventSchema, MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'

// Events of test/fixtures/events, as an earlier version announced them.

export function recordedEvent(name: string): Event {
  const file = new URL(`../fixtures/events/v1-${name}.json`, import.meta.url)
  return eventSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
}

export type ArchivedEvent = Extract<Event, { type: typeof MESSAGE_ARCHIVED }>

/** An event of an archived message, with parts of its data changed. */
export function archivedEvent(name: string, change: Partial<ArchivedData> = {}): ArchivedEvent {
  const event = recordedEvent(`archived-${name}`)
  if (event.type !== MESSAGE_ARCHIVED) throw new TypeError(`${name} is no archived message`)
  return { ...event, data: { ...event.data, ...change } }
}

/** A record of SQS as a Lambda gets it; `group` makes it one of a FIFO queue. */
export function lambdaRecord(event: unknown, messageId: string, group?: string) {
  return {
    messageId,
    receiptHandle: `handle-${messageId}`,
    body: JSON.stringify(event),
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: '1764489600000',
      SenderId: 'AIDAEXAMPLE',
      ApproximateFirstReceiveTimestamp: '1764489600001',
      MessageGroupId: group ?? 'invoices',
    },
    messageAttributes: {},
    md5OfBody: '0'.repeat(32),
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:eu-central-1:111122223333:mail-events${group === undefined ? '' : '.fifo'}`,
    awsRegion: 'eu-central-1',
  }
}
