import type { Archive, Retention } from '../archive/archive.ts'
import type { Epoch, MailboxId } from '../contract/ids.ts'
import { Fold } from '../ledger/fold.ts'
import { IdDays, idList, readIdList } from '../ledger/id-days.ts'
import { readSegments } from '../ledger/ledger.ts'
import { openRecorder } from '../ledger/recorder.ts'
import type { Entry } from '../ledger/segment.ts'
import type { ServerId } from '../mailbox/mailbox.ts'

// Messages that were given up: what is known of them, and what somebody decides. Decisions are entries of the ledger, with who and why.

type QuarantinedEntry = Extract<Entry, { type: 'quarantined' }>

export interface QuarantinedMessage
  extends Omit<QuarantinedEntry, 'type' | 'unsent' | 'id' | 'epoch' | 'limitOctets'> {
  readonly mailbox: MailboxId
  readonly epoch: Epoch
  readonly id: ServerId
  /** The size limit in force when it was too large. */
  readonly limitOctets: number | undefined
  /** ISO 8601; when it was given up. */
  readonly at: string
  /** Somebody has decided that it is not archived. */
  readonly dismissed: { readonly by: string; readonly reason: string; readonly at: string } | undefined
}

/** By what an operator names it: unique within the configured mailboxes. */
export function quarantineName({
  mailbox,
  folder,
  id,
}: Pick<QuarantinedMessage, 'mailbox' | 'folder' | 'id'>): string {
  return `${mailbox}/${folder}/${id}`
}

/** What is in quarantine now, dismissed messages included, the first given up first. Rejects with ARCHIVE_… and LEDGER_CORRUPT. */
export async function listQuarantine(
  mailbox: MailboxId,
  archive: Archive,
): Promise<readonly QuarantinedMessage[]> {
  const fold = new Fold(mailbox)
  const given = new Map<string, QuarantinedMessage>()
  for await (const segment of readSegments(mailbox, archive)) {
    fold.apply(segment)
    const at = segment.header.closedAt
    for (const entry of segment.entries) {
      if (entry.type !== 'quarantined' && entry.type !== 'dismissed') continue
      const id = entry.id as ServerId
      const name = JSON.stringify([entry.folder, entry.epoch, id])
      const known = given.get(name)
      if (entry.type === 'quarantined') {
        const { type, unsent, ...trace } = entry
        const { limitOctets } = entry
        const epoch = entry.epoch as Epoch
        given.set(name, { ...trace, epoch, id, limitOctets, mailbox, at, dismissed: undefined })
      } else if (known) given.set(name, { ...known, dismissed: { by: entry.by, reason: entry.reason, at } })
    }
  }
  return [...given.values()].filter(({ folder, epoch, id }) => fold.folder(folder, epoch).quarantined.has(id))
}

/** Something that happened to a message, or was decided. */
export interface QuarantineStep {
  readonly at: string
  readonly entry: Extract<Entry, { type: 'failed' | 'quarantined' | 'dismissed' | 'refetch' }>
}

/** Everything that the ledger has of a message that is in quarantine, in order. */
export async function quarantineHistory(
  { mailbox, folder, epoch, id }: QuarantinedMessage,
  archive: Archive,
): Promise<readonly QuarantineStep[]> {
  const steps: QuarantineStep[] = []
  for await (const { header, entries } of readSegments(mailbox, archive))
    for (const entry of entries) {
      if (!('epoch' in entry) || entry.folder !== folder || entry.epoch !== epoch) continue
      const concerned =
        entry.type === 'refetch'
          ? holds(entry.ids, id)
          : (entry.type === 'failed' || entry.type === 'quarantined' || entry.type === 'dismissed') &&
            entry.id === id
      if (concerned) steps.push({ at: header.closedAt, entry: entry as QuarantineStep['entry'] })
    }
  return steps
}

export interface Decision {
  readonly by: string
  readonly reason: string
}

/** The next drain fetches them again, and gives them up again when it cannot. */
export function retryEntries(messages: readonly QuarantinedMessage[], decision: Decision): Entry[] {
  const places = new Map<string, { folder: string; epoch: string; ids: ServerId[] }>()
  for (const { folder, epoch, id } of messages) {
    const name = JSON.stringify([folder, epoch])
    const place = places.get(name) ?? { folder, epoch, ids: [] }
    place.ids.push(id)
    places.set(name, place)
  }
  return [...places.values()].map(({ folder, epoch, ids }) => ({
    type: 'refetch',
    folder,
    epoch,
    ids: idList(ids),
    ...decision,
  }))
}

/** They are not archived, and no drain asks for them any more. */
export function dismissEntries(messages: readonly QuarantinedMessage[], decision: Decision): Entry[] {
  return messages.map(({ folder, epoch, id }) => ({ type: 'dismissed', folder, epoch, id, ...decision }))
}

/** Records what was decided of messages of one mailbox. Rejects as a commit of the ledger does. */
export async function decide(
  mailbox: { readonly id: MailboxId; readonly retention?: Retention | undefined },
  archive: Archive,
  entries: readonly Entry[],
): Promise<void> {
  const recorder = await openRecorder(mailbox.id, archive, mailbox.retention, () => new Date())
  await recorder.record(entries)
}

function holds(ids: Parameters<typeof readIdList>[0], id: ServerId): boolean {
  const { runs, uidls } = readIdList(ids)
  if (typeof id === 'string') return uidls.includes(id)
  const uids = new IdDays()
  for (const [from, to] of runs) uids.addRun(from, to, 0)
  return uids.has(id)
}
