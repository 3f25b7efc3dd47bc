import type { Event } from '../contract/event.ts'
import { isGroup } from '../contract/written.ts'
import { IngestError } from '../errors.ts'
import { readEvent } from './record.ts'
import type { SeenEvents } from './seen.ts'

/** Records worked on at the same time; those of one group of a FIFO queue one after the other. */
const AT_ONCE = 10

export interface BatchOptions {
  /** Keeps events from being handled twice. Without it, `handle` is called for every repeat. */
  readonly seen?: SeenEvents | undefined
  /** Told of each record that failed, and why. @default a line on stderr, with the id and without content */
  readonly failed?: ((error: unknown, recordId: string) => void) | undefined
}

/** What a Lambda answers to SQS and to EventBridge Pipes, with ReportBatchItemFailures: only these records come again. */
export interface BatchResponse {
  readonly batchItemFailures: { readonly itemIdentifier: string }[]
}

interface Item {
  readonly id: string
  readonly record: unknown
  /** Of a FIFO queue; undefined: in any order. */
  readonly group: string | undefined
}

/**
 * Hands each event of a batch to `handle`: the batch of a Lambda (`{ Records }`), of EventBridge Pipes (a list), or what the SDK received
 * (a list, too). A record whose handling fails comes again after its visibility timeout, and at last to the dead letters; the others do not.
 * Of a FIFO queue nothing of a group is handled after one that failed. Events of unknown types are done. Rejects for what is no batch.
 */
export async function consumeBatch(
  batch: unknown,
  handle: (event: Event) => Promise<void> | void,
  options: BatchOptions = {},
): Promise<BatchResponse> {
  const { seen, failed = tell } = options
  const failures: string[] = []
  const next = lanesOf(itemsOf(batch)).values()
  const work = async (): Promise<void> => {
    for (const lane of next) {
      for (const [index, { id, record }] of lane.entries())
        try {
          await consume(record, handle, seen)
        } catch (error) {
          failed(error, id)
          // What comes after it waits for it.
          failures.push(...lane.slice(index).map((item) => item.id))
          break
        }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return { batchItemFailures: failures.map((itemIdentifier) => ({ itemIdentifier })) }
}

async function consume(
  record: unknown,
  handle: (event: Event) => Promise<void> | void,
  seen: SeenEvents | undefined,
): Promise<void> {
  const event = readEvent(record)
  if (!event) return
  if (!seen) return handle(event)
  const claim = await seen.claim(event.id)
  if (claim === 'done') return
  if (claim === 'under-way')
    throw new IngestError('EVENT_UNDER_WAY', `${event.id}: somebody else has begun with it`)
  try {
    await handle(event)
  } catch (error) {
    // Should this fail, too, the claim ends by itself.
    await claim.release().catch(() => undefined)
    throw error
  }
  await claim.finish()
}

function itemsOf(batch: unknown): Item[] {
  const records = isGroup(batch) ? batch.Records : batch
  if (!Array.isArray(records))
    throw new IngestError('EVENT_INVALID', 'not a batch: expected { Records: […] } or a list of records')
  return records.map((record: unknown, index) => {
    const { messageId, MessageId, eventSourceARN, attributes } = isGroup(record) ? record : {}
    const group = isGroup(attributes) ? attributes.MessageGroupId : undefined
    // Standard queues have groups, too, and no order.
    const ordered = typeof eventSourceARN === 'string' && eventSourceARN.endsWith('.fifo')
    return {
      id: String(messageId ?? MessageId ?? index),
      record,
      group: ordered && typeof group === 'string' ? group : undefined,
    }
  })
}

/** Items that wait for each other, in their order. */
function lanesOf(items: readonly Item[]): Item[][] {
  const groups = new Map<string, Item[]>()
  const lanes: Item[][] = []
  for (const item of items) {
    const lane = item.group === undefined ? undefined : groups.get(item.group)
    if (lane) lane.push(item)
    else {
      const first = [item]
      lanes.push(first)
      if (item.group !== undefined) groups.set(item.group, first)
    }
  }
  return lanes
}

function tell(error: unknown, recordId: string): void {
  const said = error instanceof IngestError ? `${error.code}: ${error.message}` : error
  console.error(`mailsluice: record ${recordId} failed:`, said)
}
