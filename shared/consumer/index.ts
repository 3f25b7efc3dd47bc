// The consumer kit, `mailsluice/consumer`: what stands between a queue and code that acts upon mail. Nothing in it needs an SDK; what reads and
// remembers in S3 is `mailsluice/consumer/s3`, what polls SQS `mailsluice/consumer/sqs`.

export * from '../contract/archived-data.ts'
export {
  type Event,
  eventSchema,
  MAILBOX_RESET,
  MAILBOX_RESUMED,
  MAILBOX_SUSPENDED,
  MESSAGE_ARCHIVED,
  MESSAGE_QUARANTINED,
  type QuarantinedData,
  type ResetData,
  type ResumedData,
  type SuspendedData,
} from '../contract/event.ts'
export { IngestError } from '../errors.ts'
export { openFileState } from '../state/file.ts'
export { openMemoryState } from '../state/memory.ts'
export { type BatchOptions, type BatchResponse, consumeBatch } from './batch.ts'
export {
  type ObjectPlace,
  type OpenObject,
  openAttachment,
  openFileObjects,
  openRaw,
  wholeData,
} from './objects.ts'
export { readEvent } from './record.ts'
export { type Claim, rememberEvents, type SeenEvents, type SeenOptions } from './seen.ts'
