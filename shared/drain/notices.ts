import { encodeEvent, resetEvent } from '../announcement.ts'
import type { Event } from '../contract/event.ts'
import type { UnsentEvent } from '../ledger/segment.ts'
import type { Listing } from '../mailbox/mailbox.ts'
import { DEFAULT_QUEUE } from '../routing.ts'
import { type MessageContext, send } from './message.ts'
import type { Work } from './work.ts'

// Events about a mailbox, beside those about its messages.

/** Sends it to the default queue; for the entry that belongs to it: the event itself, when the queue refused it. */
export async function announceOther(
  event: Event,
  context: MessageContext,
): Promise<{ unsent?: UnsentEvent }> {
  const queue = DEFAULT_QUEUE
  const body = encodeEvent(event)
  const { id } = event
  const refused = await send(queue, { id, group: context.mailbox.id, body }, context)
  return refused === undefined ? {} : { unsent: { id, queue, body, refused } }
}

/** Records and announces that a folder's UIDs are others than before (RFC 9051, 2.3.1.1). */
export async function noticeReset(
  { folder, epoch: to }: Listing,
  { writer, context }: Pick<Work, 'writer' | 'context'>,
): Promise<void> {
  const { mailbox, now } = context
  const from = context.ledger.fold.uidValidity(folder)
  if (mailbox.protocol !== 'imap' || from === undefined || from === to) return
  const event = resetEvent({ mailbox: mailbox.id, protocol: 'imap', folder, from, to, time: now() })
  writer.add({ type: 'reset', folder, from, to, ...(await announceOther(event, context)) })
  // The fold must know before the folder is looked at.
  await writer.flush()
}
