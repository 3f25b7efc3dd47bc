import {
  type DrainRequest,
  encodeDrainRequest,
  encodeProbeRequest,
  type ProbeRequest,
} from '../contract/messages.ts'
import { IngestError } from '../errors.ts'
import type { EventQueues, OutgoingEvent } from './queue.ts'

// What is asked of a function through its queue, over the queue port.

export interface WakeUp extends Pick<DrainRequest, 'mailbox' | 'reason'> {
  /**
   * FIFO queues drop what has an id that they took within five minutes, also when that one is done long since. So it is of this
   * wake-up alone, never of the mailbox: mail that comes a minute after a drain would wait.
   */
  readonly id: string
}

/** Resolves when every request is safe; rejects with QUEUE_… when one is not, and the others may be. */
export async function requestDrains(
  queues: Pick<EventQueues, 'send'>,
  queue: string,
  wakeUps: readonly WakeUp[],
): Promise<void> {
  const requests = wakeUps.map(({ id, mailbox, reason }) => ({
    id,
    group: mailbox,
    body: encodeDrainRequest({ v: 1, mailbox, reason }),
  }))
  await sendAll(queues, queue, requests)
}

/** As `requestDrains`; one request for each group. */
export async function requestProbes(
  queues: Pick<EventQueues, 'send'>,
  queue: string,
  groups: readonly ProbeRequest['mailboxes'][],
): Promise<void> {
  const requests = groups.map((mailboxes) => {
    const [first = ''] = mailboxes
    return { id: first, group: first, body: encodeProbeRequest({ v: 1, mailboxes }) }
  })
  await sendAll(queues, queue, requests)
}

async function sendAll(
  queues: Pick<EventQueues, 'send'>,
  queue: string,
  requests: readonly OutgoingEvent[],
): Promise<void> {
  if (requests.length === 0) return
  const results = await queues.send(queue, requests)
  const refused = results.flatMap((result) => (result.sent ? [] : [result.refused]))
  if (refused.length > 0)
    throw new IngestError(
      'QUEUE_UNAVAILABLE',
      `${refused.length} of ${requests.length} requests were not taken: ${refused[0]}`,
    )
}
