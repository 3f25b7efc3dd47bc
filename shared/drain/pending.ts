import type { Sha256 } from '../contract/ids.ts'
import { rawKey } from '../contract/object-key.ts'
import type { Pending } from '../ledger/fold.ts'
import type { Entry, MessageEntry } from '../ledger/segment.ts'
import { DRAIN, QUEUE } from '../limits.ts'
import type { Spool } from '../octets.ts'
import { announceTo, eventOf, type MessageContext, messageAgain, send } from './message.ts'
import type { SegmentWriter } from './segment-writer.ts'

/** Announces what earlier drains left pending, a part of it at a time, and records what the queues took. Ends early once `failed`. */
export async function announcePending(
  writer: SegmentWriter,
  context: MessageContext,
  spool: Spool,
  failed: () => boolean,
): Promise<void> {
  const pending = [...context.ledger.fold.pending.values()].slice(0, DRAIN.pendingPerDrain).values()
  const lane = async (): Promise<void> => {
    for (const event of pending) {
      if (failed()) return
      for (const entry of await announceAgain(event, context, spool)) writer.add(entry)
    }
  }
  await Promise.all(Array.from({ length: QUEUE.batchMessages }, lane))
  await writer.flush()
}

/**
 * Announces what an earlier drain left pending: a message is read back from the archive and parsed again, so its event is the same,
 * under the same id. It is routed again, too, and not sent where it was taken before. Resolves to an entry for each queue that took it.
 */
async function announceAgain(
  pending: Pending,
  context: MessageContext,
  spool: Spool,
): Promise<readonly Entry[]> {
  const { mailbox } = context
  const { event, queue, taken } = pending
  if (pending.body !== undefined) {
    const refused = await send(queue, { id: event, group: mailbox.id, body: pending.body }, context)
    return refused === undefined ? [{ type: 'announced', event, queue }] : []
  }
  const entry = pending.message as MessageEntry
  const digest = entry.sha256 as Sha256
  const { body } = await context.archive.get(rawKey(mailbox.id, digest))
  const octets = await spool.collect(body, DRAIN.memoryMessageOctets)
  try {
    const again = await eventOf(messageAgain(entry, octets), entry, context)
    const untold = again.queues.filter((queue) => !taken.includes(queue))
    const announcements = await announceTo(untold, again.event, context)
    const now = announcements.filter(({ refused }) => refused === undefined).map(({ queue }) => queue)
    const whole = now.length === announcements.length
    // The routes may have changed since, so that nobody is left to be told.
    if (whole && now.length === 0) return [{ type: 'announced', event, queue: taken.at(-1) ?? queue }]
    return now.map((queue, index) => {
      const last = whole && index === now.length - 1
      return { type: last ? 'announced' : 'taken', event, queue }
    })
  } finally {
    await octets.discard()
  }
}
