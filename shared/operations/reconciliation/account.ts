import type { MailboxId, Sha256 } from '../../contract/ids.ts'
import { Fold } from '../../ledger/fold.ts'
import { IdDays, type IdList, readIdList } from '../../ledger/id-days.ts'
import type { StoredSegment } from '../../ledger/ledger.ts'
import type { Entry } from '../../ledger/segment.ts'
import type { ServerId } from '../../mailbox/mailbox.ts'

/** What became of the messages of one folder and epoch, as far as the fold does not keep it: it knows what is not to be fetched, not why. */
export interface FolderAccount {
  readonly folder: string
  readonly epoch: string
  readonly archived: IdDays
  /** Left the server before they were archived. */
  readonly gone: Set<ServerId>
  /** Moved or deleted by drains. */
  readonly removed: IdDays
  /** UIDLs that were archived, and may be given to other messages since. */
  archivedBefore: number
  removedBefore: number
}

/** The ledger of one mailbox, for who compares it with the server. */
export class Account {
  readonly fold: Fold
  readonly folders = new Map<string, FolderAccount>()
  readonly #missing: ReadonlySet<string>
  /** Ids of messages whose object the archive lacks, by folder and epoch. */
  readonly #lost = new Map<FolderAccount, Set<ServerId>>()
  head: { readonly seq: number; readonly sha256: Sha256 } | undefined

  /** `missing`: digests of messages that the archive lacks. */
  constructor(mailbox: MailboxId, missing: ReadonlySet<string>) {
    this.fold = new Fold(mailbox)
    this.#missing = missing
  }

  folder(folder: string, epoch: string): FolderAccount {
    const name = JSON.stringify([folder, epoch])
    let found = this.folders.get(name)
    if (!found) {
      found = {
        folder,
        epoch,
        archived: new IdDays(),
        gone: new Set(),
        removed: new IdDays(),
        archivedBefore: 0,
        removedBefore: 0,
      }
      this.folders.set(name, found)
    }
    return found
  }

  lost(account: FolderAccount): ReadonlySet<ServerId> {
    return this.#lost.get(account) ?? new Set()
  }

  apply(segment: StoredSegment): void {
    for (const entry of segment.entries) this.#applyEntry(entry)
    this.fold.apply(segment)
    this.head = { seq: segment.header.seq, sha256: segment.sha256 }
  }

  #applyEntry(entry: Entry): void {
    if (!('epoch' in entry)) return
    const account = this.folder(entry.folder, entry.epoch)
    if (entry.type === 'message') {
      const id = entry.id as ServerId
      account.archived.add(id, 0)
      account.gone.delete(id)
      const lost = this.#lost.get(account) ?? new Set()
      if (this.#missing.has(entry.sha256)) this.#lost.set(account, lost.add(id))
    } else if (entry.type === 'gone') account.gone.add(entry.id as ServerId)
    else if (entry.type === 'vanished') this.#vanished(account, entry.ids)
    else if (entry.type === 'acknowledged') removed(account, entry.ids)
  }

  /** What was in the maildrop and is no longer; its UIDL may come back with another message (RFC 1939, 7). */
  #vanished(account: FolderAccount, ids: IdList): void {
    const { failed, quarantined } = this.fold.folder(account.folder, account.epoch as never)
    for (const uidl of readIdList(ids).uidls) {
      const id = uidl as ServerId
      if (account.archived.has(id)) {
        account.archived.delete(id)
        account.archivedBefore++
      } else if (failed.has(id) || quarantined.has(id)) account.gone.add(id)
    }
  }
}

function removed(account: FolderAccount, ids: IdList): void {
  const { runs, uidls } = readIdList(ids)
  for (const [from, to] of runs) account.removed.addRun(from, to, 0)
  for (const uidl of uidls) {
    account.archived.delete(uidl as ServerId)
    account.archivedBefore++
    account.removedBefore++
  }
}
