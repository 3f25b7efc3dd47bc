import { createHash } from 'node:crypto'
import type { MailboxConfig } from '../contract/config.ts'
import { type FolderFold, searchDigest } from '../ledger/fold.ts'
import type { Listing, ServerId } from '../mailbox/mailbox.ts'

/** What the server lists, minus what the ledger has. */
export interface Selection {
  /** Never tried, in the server's order. */
  readonly fresh: readonly ServerId[]
  /** Failed before, the least often first: one that ends the session is met after all others. */
  readonly again: readonly ServerId[]
  /** Left out by the search, and not recorded as such yet. */
  readonly filtered: readonly ServerId[]
  /** POP3: known and no longer listed. */
  readonly vanished: readonly ServerId[]
}

/** `search` is the digest of the search in force; `maxOctets` the size limit: a message quarantined under a lower one is tried again. */
export function select(
  listing: Listing,
  fold: FolderFold,
  { search, maxOctets }: { search: string | undefined; maxOctets: number },
): Selection {
  const selected = listing.selected && new Set(listing.selected)
  const fresh: ServerId[] = []
  const again: ServerId[] = []
  const filtered: ServerId[] = []
  for (const id of listing.ids) {
    if (fold.known.has(id)) continue
    const quarantine = fold.quarantined.get(id)
    if (quarantine && !(quarantine.limitOctets !== undefined && quarantine.limitOctets < maxOctets)) continue
    if (selected && !selected.has(id)) {
      if (!(fold.filtered && fold.filtered.search === search && fold.filtered.ids.has(id))) filtered.push(id)
    } else if (fold.failed.has(id)) again.push(id)
    else fresh.push(id)
  }
  again.sort((a, b) => (fold.failed.get(a)?.attempts ?? 0) - (fold.failed.get(b)?.attempts ?? 0))
  const listed = new Set(listing.ids)
  const vanished = [...fold.known.uidls(), ...fold.failed.keys(), ...fold.quarantined.keys()].filter(
    (id) => typeof id === 'string' && !listed.has(id as ServerId),
  ) as ServerId[]
  return { fresh, again, filtered, vanished: [...new Set(vanished)] }
}

/**
 * Of the settings that decide which messages of a folder a drain fetches and what it does with them: when it changes, a folder without new mail
 * is drained all the same.
 */
export function rulesDigest({
  search,
  afterArchive,
  limits,
}: Pick<MailboxConfig, 'search' | 'afterArchive' | 'limits'>): string {
  const canonical = JSON.stringify([
    search ? searchDigest(search) : null,
    afterArchive,
    limits.messageOctets ?? null,
  ])
  return createHash('sha256').update(canonical).digest('hex').slice(0, 16)
}
