import type { MailboxConfig } from './contract/config.ts'
import { type Deadline, never, within } from './deadline.ts'
import { dueFor, policyOf } from './drain/acknowledgement.ts'
import type { DrainPorts } from './drain/ports.ts'
import { rulesDigest, select } from './drain/selection.ts'
import { dayOf } from './ledger/id-days.ts'
import { type Ledger, openLedger } from './ledger/ledger.ts'
import { MAILBOX_DEFAULTS } from './limits.ts'
import type { FolderStatus, MailboxSession } from './mailbox/mailbox.ts'

export interface ProbeResult {
  /** Why a drain is due; undefined when nothing is to do. */
  readonly due: string | undefined
  /** The server has let us in, which a probe that learns enough from the ledger does not ask for. */
  readonly entered: boolean
}

export interface ProbeOptions {
  /** Rejects with TIMED_OUT when it passes. @default never */
  readonly deadline?: Deadline | undefined
  /** @default the system's clock */
  readonly now?: Date | undefined
}

/**
 * Asks the server whether anything is new, without listing an IMAP folder: STATUS against the UIDNEXT that the last complete drain saw,
 * UIDL against the ledger. In doubt it says yes: a drain finds out. Rejects as opening a mailbox and a ledger does.
 */
export async function probe(
  mailbox: MailboxConfig,
  ports: Pick<DrainPorts, 'openMailbox' | 'archive' | 'state'>,
  { deadline = never, now = new Date() }: ProbeOptions = {},
): Promise<ProbeResult> {
  const inTime = <T>(work: Promise<T>): Promise<T> =>
    within(deadline.remainingMs(), `${mailbox.id}: the probe`, work)
  // First, for most of what it knows saves the log-in.
  const ledger = await inTime(openLedger(mailbox.id, ports))
  if (ledger.fold.unfinished) return { due: 'an earlier drain left something to do', entered: false }
  const { octetsPerDay } = mailbox.limits
  if (octetsPerDay !== undefined && ledger.fold.octetsFetchedOn(dayOf(now)) >= octetsPerDay)
    return { due: undefined, entered: false }
  const opening = ports.openMailbox()
  try {
    const due = await inTime(look(opening, ledger, mailbox, now))
    return { due, entered: true }
  } finally {
    // One that has not let us in by now is left as soon as it does, and nobody waits for that.
    opening.then((session) => session.abort()).catch(() => undefined)
  }
}

async function look(
  opening: Promise<MailboxSession>,
  ledger: Ledger,
  mailbox: MailboxConfig,
  now: Date,
): Promise<string | undefined> {
  const session = await opening
  const due = await newsOf(session, ledger, mailbox, now)
  await session.close()
  return due
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
  { folder, epoch, messages, uidNext }: FolderStatus,
  { seen }: Ledger,
  mailbox: MailboxConfig,
  now: Date,
): string | undefined {
  const last = seen[folder]
  // A drain of an empty folder records nothing that the next probe could know it by.
  if (!last) return messages === 0 ? undefined : 'not drained to its end yet'
  if (last.epoch !== epoch) return 'the folder was made anew'
  if (uidNext === undefined || uidNext > last.uidNext) return 'new messages'
  if (messages === 0) return undefined
  if (last.rules !== rulesDigest(mailbox)) return 'what is drained or done with it has changed'
  // Age is counted in days and shows in no status: one drain a day looks for what has come of age.
  const waits = (policyOf(mailbox.afterArchive)?.afterDays ?? 0) > 0
  return waits && last.day < dayOf(now) ? 'messages may be due for deletion' : undefined
}

function newIds(
  { folder, epoch, ids = [], uidNext }: FolderStatus,
  { fold }: Ledger,
  { afterArchive, limits }: MailboxConfig,
  now: Date,
): string | undefined {
  const listing = { folder, epoch, ids, selected: undefined, uidNext }
  const maxOctets = limits.messageOctets ?? MAILBOX_DEFAULTS.messageOctets
  const { fresh, again, vanished } = select(listing, fold.folder(folder, epoch), {
    search: undefined,
    maxOctets,
  })
  if (fresh.length + again.length > 0) return 'new messages'
  const policy = policyOf(afterArchive)
  if (policy && dueFor(policy, listing, fold, new Set(), now).length > 0)
    return 'messages are due for deletion'
  // UIDLs of messages that are gone are forgotten, for the server may give them to others.
  return vanished.length > 0 ? 'messages have left the maildrop' : undefined
}
