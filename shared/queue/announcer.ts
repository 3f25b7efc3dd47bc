import { QUEUE } from '../limits.ts'
import type { EventQueues, OutgoingEvent, SendResult } from './queue.ts'

/** Gathers what many pipelines announce one by one into the batches that a queue takes. */
export interface Announcer {
  /**
   * Resolves when the event's batch was answered. It departs when it is full or after `lingerMs`, or when one of `batchesInFlight` is answered.
   * Rejects as `EventQueues.send` does, and every event of the batch with it.
   */
  announce(queue: string, event: OutgoingEvent): Promise<SendResult>
}

export interface AnnouncerOptions {
  /** @default QUEUE.batchMessages */
  readonly batchMessages?: number
  /** @default QUEUE.lingerMs */
  readonly lingerMs?: number
  /** Batches under way for one queue. @default QUEUE.batchesInFlight */
  readonly batchesInFlight?: number
}

interface Waiting {
  readonly event: OutgoingEvent
  resolve(result: SendResult): void
  reject(error: unknown): void
}

interface Lane {
  waiting: Waiting[]
  inFlight: number
  timer: NodeJS.Timeout | undefined
}

/** Over any queue port. Keeps nothing: every announced event is either with the queue or on its way. */
export function openAnnouncer(queues: EventQueues, options: AnnouncerOptions = {}): Announcer {
  const {
    batchMessages = QUEUE.batchMessages,
    lingerMs = QUEUE.lingerMs,
    batchesInFlight = QUEUE.batchesInFlight,
  } = options
  const lanes = new Map<string, Lane>()

  /** `due`: also a batch that is not full. */
  function depart(queue: string, lane: Lane, due: boolean): void {
    while (
      lane.inFlight < batchesInFlight &&
      (lane.waiting.length >= batchMessages || (due && lane.waiting.length > 0))
    ) {
      const batch = lane.waiting.splice(0, batchMessages)
      lane.inFlight++
      void carry(queue, batch).finally(() => {
        lane.inFlight--
        // Whatever waited for a free place has lingered long enough.
        depart(queue, lane, lane.timer === undefined)
      })
    }
    if (lane.waiting.length === 0) {
      clearTimeout(lane.timer)
      lane.timer = undefined
    }
  }

  async function carry(queue: string, batch: readonly Waiting[]): Promise<void> {
    try {
      const results = await queues.send(
        queue,
        batch.map(({ event }) => event),
      )
      batch.forEach((waiting, index) => {
        const result = results[index]
        if (result) waiting.resolve(result)
        else waiting.reject(new TypeError(`queue ${queue}: no result for event ${waiting.event.id}`))
      })
    } catch (error) {
      for (const waiting of batch) waiting.reject(error)
    }
  }

  return {
    announce: (queue, event) =>
      new Promise((resolve, reject) => {
        let lane = lanes.get(queue)
        if (!lane) {
          lane = { waiting: [], inFlight: 0, timer: undefined }
          lanes.set(queue, lane)
        }
        const here = lane
        here.waiting.push({ event, resolve, reject })
        here.timer ??= setTimeout(() => {
          here.timer = undefined
          depart(queue, here, true)
        }, lingerMs)
        depart(queue, here, false)
      }),
  }
}
