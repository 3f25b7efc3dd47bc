import { createHash } from 'node:crypto'
import { QUEUE } from '../limits.ts'
import type { OutgoingEvent } from './queue.ts'

// SendMessageBatch, whoever takes it.

interface BatchLimits {
  readonly messages: number
  readonly octets: number
}

/**
 * Cuts a list into batches, in order, each within both limits. What exceeds `octets` by itself stands alone:
 * the queue says what it thinks of it.
 */
export function batchesOf<T>(items: readonly T[], octetsOf: (item: T) => number, limits: BatchLimits): T[][] {
  const batches: T[][] = []
  let octets = 0
  for (const item of items) {
    const size = octetsOf(item)
    const batch = batches.at(-1)
    if (batch && batch.length < limits.messages && octets + size <= limits.octets) {
      batch.push(item)
      octets += size
    } else {
      batches.push([item])
      octets = size
    }
  }
  return batches
}

/** Batches that SQS takes. */
export function eventBatches<T>(items: readonly T[], eventOf: (item: T) => OutgoingEvent): T[][] {
  return batchesOf(items, (item) => Buffer.byteLength(eventOf(item).body), {
    messages: QUEUE.batchMessages,
    octets: QUEUE.batchOctets,
  })
}

/** Of SendMessageBatch, as far as it is used. */
export interface BatchEntry {
  Id: string
  MessageBody: string
  MessageGroupId: string
  MessageDeduplicationId?: string
}

interface FailedEntry {
  readonly Id: string | undefined
  readonly Code: string | undefined
  readonly Message?: string | undefined
  readonly SenderFault: boolean | undefined
}

/** What SendMessageBatch answers, as far as it is used. */
export interface BatchAnswer {
  readonly Successful?: readonly { readonly Id: string | undefined }[] | undefined
  readonly Failed?: readonly FailedEntry[] | undefined
}

/** Each under its index as Id. */
export function entriesOf(events: readonly OutgoingEvent[], fifo: boolean): BatchEntry[] {
  return events.map((event, index) => ({
    Id: String(index),
    MessageBody: event.body,
    MessageGroupId: sqsId(event.group),
    ...(fifo ? { MessageDeduplicationId: sqsId(event.id) } : {}),
  }))
}

export interface Refusal {
  /** It never passes by itself. */
  readonly final: boolean
  readonly reason: string
}

/** What was not taken, by the index of its entry. */
export function refusalsIn(
  { Successful = [], Failed = [] }: BatchAnswer,
  entries: number,
  where: string,
): Map<number, Refusal> {
  const accepted = new Set(Successful.map(({ Id }) => Id))
  const failed = new Map(Failed.map((failure) => [failure.Id, failure]))
  const refusals = new Map<number, Refusal>()
  for (let index = 0; index < entries; index++) {
    const id = String(index)
    if (!accepted.has(id)) refusals.set(index, refusalOf(where, failed.get(id)))
  }
  return refusals
}

/** Senders' faults (InvalidMessageContents …) never pass by themselves; an entry that the answer forgot is tried again. */
function refusalOf(where: string, failure: FailedEntry | undefined): Refusal {
  if (!failure) return { final: false, reason: `${where}: the answer does not name the event` }
  const reason = `${where}: ${failure.Code}${failure.Message ? `: ${failure.Message}` : ''}`
  return { final: failure.SenderFault === true, reason }
}

/** MessageGroupId and MessageDeduplicationId: 1 to 128 printable ASCII characters without the space; else the SHA-256. */
function sqsId(id: string): string {
  return /^[!-~]{1,128}$/.test(id) ? id : createHash('sha256').update(id).digest('hex')
}
