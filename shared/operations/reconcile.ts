import { createHash } from 'node:crypto'
import type { Archive } from '../archive/archive.ts'
import { type MailboxConfig, portOf } from '../contract/config.ts'
import type { Sha256 } from '../contract/ids.ts'
import { parseRawKey } from '../contract/object-key.ts'
import { rulesDigest } from '../drain/selection.ts'
import { searchDigest } from '../ledger/fold.ts'
import { idList } from '../ledger/id-days.ts'
import { readNotes, readSegments, type SeenFolders } from '../ledger/ledger.ts'
import type { Entry } from '../ledger/segment.ts'
import { type Problem, verifyLedger } from '../ledger/verify.ts'
import { isSessionId, type Listing, type MailboxSession, type ServerId } from '../mailbox/mailbox.ts'
import type { StateStore } from '../state/state.ts'
import { Account, type FolderAccount } from './reconciliation/account.ts'
import {
  type Certificate,
  type Difference,
  type DifferenceReason,
  type FolderCertificate,
  UNEXPLAINED,
} from './reconciliation/certificate.ts'

// What the server has against what the archive has. The server is listed first: what a drain records meanwhile is in the ledger by then.

export interface ReconcilePorts {
  openMailbox(): Promise<MailboxSession>
  readonly archive: Archive
  /** Undefined: nobody noted to where drains came to the end of a folder, and the ledger alone has to tell. */
  readonly state: StateStore | undefined
}

/**
 * Lists the mailbox and the archive, fetches nothing and changes nothing. Rejects as opening and listing a mailbox does, with ARCHIVE_… and with
 * LEDGER_CORRUPT: a ledger that does not hold certifies nothing.
 */
export async function reconcile(
  mailbox: MailboxConfig,
  { openMailbox, archive, state }: ReconcilePorts,
  now: Date,
): Promise<Certificate> {
  const session = await openMailbox()
  try {
    const listings: Listing[] = []
    for (const folder of await session.folders()) listings.push(await session.list(folder))
    await session.close()

    const { problems } = await verifyLedger(mailbox.id, archive)
    const account = new Account(mailbox.id, missingIn(problems))
    for await (const segment of readSegments(mailbox.id, archive)) account.apply(segment)
    const seen = (state && (await readNotes(mailbox.id, state)))?.seen ?? {}

    const folders = listings.map((listing) => compare(listing, account, seen, mailbox))
    const listed = new Set(folders.map(({ folder, epoch }) => JSON.stringify([folder, epoch])))
    for (const [name, past] of account.folders) if (!listed.has(name)) folders.push(ofPast(past, account))

    const { host, tls, certificateSha256 } = session.server
    return {
      type: 'certificate',
      v: 1,
      mailbox: mailbox.id,
      at: now.toISOString(),
      complete:
        problems.length === 0 &&
        folders.every(({ differences }) => differences.every(({ explained }) => explained)),
      server: {
        protocol: mailbox.protocol,
        host,
        port: portOf(mailbox),
        user: mailbox.user,
        tls,
        ...(certificateSha256 === undefined ? {} : { certificateSha256 }),
      },
      ledger: account.head,
      folders,
      problems,
    }
  } finally {
    session.abort()
  }
}

/** Reasons for which the next drain would not fetch a message by itself. */
const NOT_BY_ITSELF: ReadonlySet<DifferenceReason> = new Set(['recorded-as-gone', 'object-missing'])

/** What has to be recorded so that the next drain fetches what is missing and is on the server still. */
export function refetchesOf(
  { folders }: Certificate,
  decision: { readonly by: string; readonly reason: string },
): Extract<Entry, { type: 'refetch' }>[] {
  return folders.flatMap(({ folder, epoch, server, differences }) =>
    differences
      .filter(({ reason }) => server !== undefined && NOT_BY_ITSELF.has(reason))
      .map(({ ids }) => ({ type: 'refetch', folder, epoch, ids, ...decision }) as const),
  )
}

function missingIn(problems: readonly Problem[]): Set<string> {
  const missing = new Set<string>()
  for (const { kind, key } of problems) {
    const digest = parseRawKey(key)?.sha256
    if (digest !== undefined && kind !== 'chain') missing.add(digest)
  }
  return missing
}

function compare(
  listing: Listing,
  account: Account,
  seen: SeenFolders,
  mailbox: MailboxConfig,
): FolderCertificate {
  const { folder, epoch, ids, uidNext } = listing
  const ledger = account.folder(folder, epoch)
  const reasonOf = reasons(listing, account, ledger, seen[folder], mailbox)
  const differing = new Map<DifferenceReason, ServerId[]>()
  const listed = new Set(ids)
  let onServer = 0
  let removedYetListed = 0
  for (const id of ids) {
    if (ledger.removed.has(id)) removedYetListed++
    const reason = reasonOf(id)
    if (reason) add(differing, reason, id)
    if (ledger.archived.has(id)) onServer++
  }
  addAbsent(differing, account, ledger, listed)
  return {
    folder,
    epoch,
    server: { messages: ids.length, uidNext, idsSha256: digestOf(ids) },
    archive: archiveSide(ledger, onServer, removedYetListed),
    differences: told(differing),
  }
}

/** Of an epoch that is over, or of a folder that is not drained any more: there is nothing on the server to compare with. */
function ofPast(ledger: FolderAccount, account: Account): FolderCertificate {
  const differing = new Map<DifferenceReason, ServerId[]>()
  addAbsent(differing, account, ledger, new Set())
  const { folder, epoch } = ledger
  return {
    folder,
    epoch,
    server: undefined,
    archive: archiveSide(ledger, 0, 0),
    differences: told(differing),
  }
}

/** Tells why a listed message is not archived, or not in the archive; undefined for one that is there. */
function reasons(
  { ids, selected, epoch, uidNext }: Listing,
  account: Account,
  ledger: FolderAccount,
  seen: SeenFolders[string] | undefined,
  mailbox: MailboxConfig,
): (id: ServerId) => DifferenceReason | undefined {
  const { failed, quarantined, filtered } = account.fold.folder(ledger.folder, epoch)
  const lost = account.lost(ledger)
  const search = mailbox.search && searchDigest(mailbox.search)
  const chosen = selected && new Set(selected)
  const isNew = newcomers({ ids, uidNext }, ledger, seen, mailbox)
  return (id) => {
    if (isSessionId(id)) return 'no-lasting-id'
    if (failed.has(id)) return 'failing'
    const quarantine = quarantined.get(id)
    if (quarantine) return quarantine.dismissed ? 'dismissed' : 'quarantined'
    if (lost.has(id)) return 'object-missing'
    if (ledger.archived.has(id)) return undefined
    if (ledger.gone.has(id)) return 'recorded-as-gone'
    if (chosen && !chosen.has(id)) return 'filtered'
    if (filtered && filtered.search === search && filtered.ids.has(id)) return 'filtered'
    return isNew(id)
  }
}

/** Whether a message of which nothing is recorded has come since a drain was at the folder's end. */
function newcomers(
  { ids, uidNext }: Pick<Listing, 'ids' | 'uidNext'>,
  { archived, gone, epoch }: FolderAccount,
  seen: SeenFolders[string] | undefined,
  mailbox: MailboxConfig,
): (id: ServerId) => DifferenceReason {
  if (seen?.epoch === epoch && uidNext !== undefined) {
    // Under other settings it may have been left out, and the next drain looks at all of it.
    const before = seen.rules === rulesDigest(mailbox) ? 'passed-over' : 'not-yet-drained'
    return (id) => ((id as number) >= seen.uidNext ? 'arrived-since' : before)
  }
  if (archived.size === 0 && gone.size === 0) return () => 'not-yet-drained'
  // Mail comes in at the end: what is listed before something that is archived was there when that was drained.
  let last = ids.length - 1
  while (last >= 0 && !archived.has(ids[last] as ServerId)) last--
  const earlier = new Set(ids.slice(0, last + 1))
  return (id) => (earlier.has(id) ? 'passed-over' : 'arrived-since')
}

/** What was on the server once and never came into the archive. */
function addAbsent(
  differing: Map<DifferenceReason, ServerId[]>,
  account: Account,
  { folder, epoch, gone }: FolderAccount,
  listed: ReadonlySet<ServerId>,
): void {
  const { failed, quarantined } = account.fold.folder(folder, epoch as Listing['epoch'])
  for (const [id, { dismissed }] of quarantined)
    if (!listed.has(id)) add(differing, dismissed ? 'dismissed' : 'quarantined', id)
  for (const id of new Set([...gone, ...failed.keys()]))
    if (!listed.has(id)) add(differing, 'expunged-before-fetch', id)
}

function archiveSide(
  { archived, archivedBefore, removed, removedBefore }: FolderAccount,
  onServer: number,
  removedYetListed: number,
): FolderCertificate['archive'] {
  const messages = archived.size + archivedBefore
  const removedAsConfigured = removed.size + removedBefore - removedYetListed
  return {
    messages,
    onServer,
    removedAsConfigured,
    removedByOthers: Math.max(0, messages - onServer - removedAsConfigured),
  }
}

function add(differing: Map<DifferenceReason, ServerId[]>, reason: DifferenceReason, id: ServerId): void {
  const ids = differing.get(reason)
  if (ids) ids.push(id)
  else differing.set(reason, [id])
}

function told(differing: ReadonlyMap<DifferenceReason, readonly ServerId[]>): Difference[] {
  return [...differing].map(([reason, ids]) => ({
    reason,
    explained: !(UNEXPLAINED as readonly string[]).includes(reason),
    messages: ids.length,
    ids: idList(ids),
  }))
}

function digestOf(ids: readonly ServerId[]): Sha256 {
  const hash = createHash('sha256')
  for (const id of ids) hash.update(`${id}\n`)
  return hash.digest('hex') as Sha256
}
