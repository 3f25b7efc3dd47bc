import { archivedEventId } from '../contract/event.ts'
import type { Epoch, Sha256 } from '../contract/ids.ts'
import { rawKey } from '../contract/object-key.ts'
import type { Pending } from '../ledger/fold.ts'
import type { Entry, MessageEntry } from '../ledger/segment.ts'
import { DRAIN } from '../limits.ts'
import type { ServerId } from '../mailbox/mailbox.ts'
import type { Spool } from '../octets.ts'
import { announceArchived, type MessageContext, send } from './message.ts'

/**
 * Announces what an earlier drain left pending: a message is read back from the archive and parsed again, so its event is the same,
 * under the same id. Undefined when the queue still refuses.
 */
export async function announceAgain(
  pending: Pending,
  context: MessageContext,
  spool: Spool,
): Promise<Entry | undefined> {
  const { mailbox } = context
  const { event, queue } = pending
  if (pending.body !== undefined) {
    const refused = await send(queue, { id: event, group: mailbox.id, body: pending.body }, context)
    return refused === undefined ? { type: 'announced', event, queue } : undefined
  }
  const entry = pending.message as MessageEntry
  const digest = entry.sha256 as Sha256
  const { internalDate, flags, gmailLabels, gmailThreadId, emailId, threadId } = entry
  const { body } = await context.archive.get(rawKey(mailbox.id, digest))
  const octets = await spool.collect(body, DRAIN.memoryMessageOctets)
  try {
    const announced = await announceArchived(
      {
        folder: entry.folder,
        epoch: entry.epoch as Epoch,
        id: entry.id as ServerId,
        octets,
        metadata: { internalDate, flags, gmailLabels, gmailThreadId, emailId, threadId },
        announcedOctets: undefined,
      },
      entry,
      context,
    )
    if (announced.refused !== undefined) return undefined
    return { type: 'announced', event: archivedEventId(mailbox.id, digest), queue: announced.queue }
  } finally {
    await octets.discard()
  }
}
