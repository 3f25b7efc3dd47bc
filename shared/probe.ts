import type { MailboxConfig } from './contract/config.ts'
import { dueFor, policyOf } from './drain/acknowledgement.ts'
import type { DrainPorts } from './drain/ports.ts'
import { dayOf } from './ledger/id-days.ts'
import { type Ledger, openLedger } from './ledger/ledger.ts'
import type { FolderStatus, MailboxSession } from './mailbox/mailbox.ts'

/** Why a drain is due; undefined when nothing is to do. */
export type ProbeResult = { readonly due: string | undefined }

/**
 * Asks the server whether anything is new, without listing an IMAP folder: STATUS against the UIDNEXT that the last complete drain saw,
 * UIDL against the ledger. In doubt it says yes: a drain finds out. Rejects as opening a mailbox and a ledger does.
 */
export async function probe(
  mailbox: MailboxConfig,
  ports: Pick<DrainPorts, 'openMailbox' | 'archive' | 'state'>,
  now: Date = new Date(),
): Promise<ProbeResult> {
  const opening = ports.openMailbox()
  opening.catch(() => undefined)
  try {
    const ledger = await openLedger(mailbox.id, ports)
    if (ledger.fold.unfinished) return { due: 'an earlier drain left something to do' }
    const session = await opening
    const due = await newsOf(session, ledger, mailbox, now)
    await session.close()
    return { due }
  } finally {
    await opening.then((session) => session.abort()).catch(() => undefined)
  }
}

async function newsOf(
  session: MailboxSession,
  ledger: Ledger,
  mailbox: MailboxConfig,
  now: Date,
): Promise<string | undefined> {
  for (const status of await session.status()) {
    const reason = status.ids ? newIds(status, ledger, mailbox, now) : newUids(status, ledger, mailbox, now)
    if (reason) return `${status.folder}: ${reason}`
  }
  return undefined
}

function newUids(
  { folder, epoch, uidNext }: FolderStatus,
  { seen }: Ledger,
  mailbox: MailboxConfig,
  now: Date,
): string | undefined {
  const last = seen[folder]
  if (!last) return 'not drained to its end yet'
  if (last.epoch !== epoch) return 'the folder was made anew'
  if (uidNext === undefined || uidNext > last.uidNext) return 'new messages'
  // Age is counted in days and shows in no status: one drain a day looks for what has come of age.
  const waits = (policyOf(mailbox.afterArchive)?.afterDays ?? 0) > 0
  return waits && last.day < dayOf(now) ? 'messages may be due for deletion' : undefined
}

function newIds(
  { folder, epoch, ids = [], uidNext }: FolderStatus,
  { fold }: Ledger,
  mailbox: MailboxConfig,
  now: Date,
): string | undefined {
  const { known, quarantined } = fold.folder(folder, epoch)
  if (ids.some((id) => !known.has(id) && !quarantined.has(id))) return 'new messages'
  const policy = policyOf(mailbox.afterArchive)
  const listing = { folder, epoch, ids, selected: undefined, uidNext }
  if (policy && dueFor(policy, listing, fold, new Set(), now).length > 0)
    return 'messages are due for deletion'
  // UIDLs of messages that are gone are forgotten, for the server may give them to others.
  return ids.length < known.size ? 'messages have left the maildrop' : undefined
}
