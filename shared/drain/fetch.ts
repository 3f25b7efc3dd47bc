import { quarantinedEvent } from '../announcement.ts'
import { CAUSED_BY_A_MESSAGE, IngestError } from '../errors.ts'
import { DRAIN } from '../limits.ts'
import type { Fetched, Listing, ServerId } from '../mailbox/mailbox.ts'
import { duplicateOf, type FetchedMessage, ingest, mailboxData } from './message.ts'
import { announceOther } from './notices.ts'
import type { Work } from './work.ts'

/**
 * Fetches the messages, and beside it archives and parses each. `arrived` is told of each that came, or never will. Rejects with what ends the
 * session, and with what keeps the writer from recording.
 */
export async function fetchMessages(
  listing: Listing,
  ids: readonly ServerId[],
  work: Work,
  arrived: () => void,
): Promise<void> {
  const unanswered = new Set(ids)
  const { maxOctets, ports } = work
  const options = { maxOctets, spool: ports.spool, keepGoing: () => work.mayGoOn() }
  try {
    for await (const fetched of work.session.fetch(listing, ids, options)) {
      unanswered.delete(fetched.id)
      arrived()
      await receive(listing, fetched, work)
      if (work.writer.failure) throw work.writer.failure.error
    }
  } catch (error) {
    const [suspect] = unanswered
    if (error instanceof IngestError && CAUSED_BY_A_MESSAGE.has(error.code) && suspect !== undefined)
      await giveUp(listing, suspect, error, undefined, work)
    throw error
  }
}

async function receive(listing: Listing, fetched: Fetched, work: Work): Promise<void> {
  const { writer, context, room, tally } = work
  await writer.cutIfDue()
  if (fetched.octets === undefined) {
    await giveUp(listing, fetched.id, fetched.error, fetched.announcedOctets, work)
    return
  }
  const { octets } = fetched
  tally.octets += octets.length
  if (work.options.dryRun) {
    await octets.discard()
    return
  }
  // What is spooled takes no memory.
  const octetsInMemory = octets.buffer ? octets.length : 0
  await room.enter(octetsInMemory)
  const leaving = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } finally {
      room.leave(octetsInMemory)
      await octets.discard()
    }
  }
  const message: FetchedMessage = { ...fetched, folder: listing.folder, epoch: listing.epoch }
  writer.run(
    octets.sha256,
    octets.length,
    (seq) => leaving(ingest(message, seq, context)),
    (first) => leaving(first.then(() => duplicateOf(message))),
  )
}

/** One message is given up, for now or until somebody acts; the mailbox goes on. */
async function giveUp(
  { folder, epoch }: Listing,
  id: ServerId,
  error: IngestError,
  octets: number | undefined,
  { writer, context, options, tally, maxOctets }: Work,
): Promise<void> {
  const { dryRun } = options
  const place = { folder, epoch, id }
  if (error.code === 'MESSAGE_GONE') {
    if (!dryRun) writer.add({ type: 'gone', ...place })
    return
  }
  const attempts = (context.ledger.fold.folder(folder, epoch).failed.get(id)?.attempts ?? 0) + 1
  const trace = { code: error.code, reason: error.message, attempts }
  const tooLarge = error.code === 'MESSAGE_TOO_LARGE'
  const quarantined = tooLarge || attempts >= DRAIN.fetchAttempts
  tally.messageFailed({ folder, id, ...trace, quarantined })
  if (dryRun) return
  if (!quarantined) {
    writer.add({ type: 'failed', ...place, ...trace })
    return
  }
  const { mailbox, now } = context
  const server = mailboxData(mailbox, place)
  const event = quarantinedEvent({ ...trace, mailbox: mailbox.id, time: now(), server, octets })
  writer.add({
    type: 'quarantined',
    ...place,
    ...trace,
    ...(octets === undefined ? {} : { octets }),
    ...(tooLarge ? { limitOctets: maxOctets } : {}),
    ...(await announceOther(event, context)),
  })
}
