import { setTimeout as sleep } from 'node:timers/promises'
import { parseSqsAddress } from '../contract/queue-address.ts'
import { IngestError } from '../errors.ts'
import { QUEUE } from '../limits.ts'
import type { EventQueues, OutgoingEvent } from './queue.ts'

/** SQS remembers a MessageDeduplicationId for five minutes, also when the message is gone. */
const DEDUPLICATION_MS = 5 * 60_000

interface Held {
  readonly event: OutgoingEvent
  receiveCount: number
  /** Not received again before this (performance.now). */
  visibleAt: number
}

interface Queue {
  readonly url: string
  readonly fifo: boolean
  held: Held[]
  readonly seen: Map<string, number>
}

/** The queue port in memory, with what a consumer can tell of SQS: visibility, receive count, FIFO order and deduplication. */
export function openMemoryQueues(options: {
  readonly queues: Readonly<Record<string, string>>
}): EventQueues {
  const queues = new Map<string, Queue>()
  for (const [key, address] of Object.entries(options.queues)) {
    const name = parseSqsAddress(address)?.name ?? address
    queues.set(key, { url: `memory:${name}`, fifo: name.endsWith('.fifo'), held: [], seen: new Map() })
  }

  function named(queue: string): Queue {
    const found = queues.get(queue)
    if (!found) throw new IngestError('QUEUE_MISSING', `queue ${queue}: no queue of this name is configured`)
    return found
  }

  function take(queue: Queue, visibilitySeconds: number, maxEvents: number): Held[] {
    const now = performance.now()
    // A FIFO group stands still while one of its messages is with a consumer.
    const locked = new Set(
      queue.held.filter(({ visibleAt }) => visibleAt > now).map(({ event }) => event.group),
    )
    const ready = queue.held.filter(
      ({ event, visibleAt }) => visibleAt <= now && !(queue.fifo && locked.has(event.group)),
    )
    const taken = ready.slice(0, maxEvents)
    for (const held of taken) {
      held.receiveCount++
      held.visibleAt = now + visibilitySeconds * 1000
    }
    return taken
  }

  return {
    async send(name, events) {
      const queue = named(name)
      const now = performance.now()
      return events.map((event) => {
        if (Buffer.byteLength(event.body) > QUEUE.messageOctets)
          return { sent: false, refused: `queue ${name}: longer than ${QUEUE.messageOctets} octets` }
        const seenAt = queue.seen.get(event.id)
        if (!queue.fifo || seenAt === undefined || now - seenAt >= DEDUPLICATION_MS) {
          queue.seen.set(event.id, now)
          queue.held.push({ event, receiveCount: 0, visibleAt: 0 })
        }
        return { sent: true }
      })
    },

    async receive(name, { waitSeconds, visibilitySeconds, maxEvents = 10 }) {
      const queue = named(name)
      const until = performance.now() + waitSeconds * 1000
      let taken = take(queue, visibilitySeconds, maxEvents)
      while (taken.length === 0 && performance.now() < until) {
        await sleep(10)
        taken = take(queue, visibilitySeconds, maxEvents)
      }
      return taken.map((held) => ({
        body: held.event.body,
        receiveCount: held.receiveCount,
        async remove() {
          queue.held = queue.held.filter((other) => other !== held)
        },
      }))
    },

    async check(name) {
      const queue = named(name)
      const now = performance.now()
      return {
        name,
        url: queue.url,
        fifo: queue.fifo,
        approximateMessages: queue.held.filter(({ visibleAt }) => visibleAt <= now).length,
      }
    },
  }
}
