import type { Archive } from '../archive/archive.ts'
import type { ArchiveAudit, VersionFacts } from '../archive/audit.ts'
import { isRetained } from '../archive/lock-rules.ts'
import type { Sha256 } from '../contract/ids.ts'
import { rawKey } from '../contract/object-key.ts'
import { inLanes } from '../lanes.ts'
import { entriesOf } from '../ledger/entries-of.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { MessageEntry, REMOVAL_CHECKS } from '../ledger/segment.ts'
import { DRAIN } from '../limits.ts'
import type { Listing, ServerId } from '../mailbox/mailbox.ts'

export type Lacking = (typeof REMOVAL_CHECKS)[number]

export interface Removal {
  /** The archive has them as it should. */
  readonly safe: readonly ServerId[]
  /** By what they lack. */
  readonly kept: ReadonlyMap<Lacking, readonly ServerId[]>
}

/**
 * Which of the messages that have stayed on the server for their days may go now: those that the archive still has, in the recorded version, with the recorded
 * length and SHA-256, under a lock that lasts (where the store has locks), and that no legal hold wants to be kept; and those that were forgotten there
 * because a law wanted it. That they are announced is in the ledger. Looks at `DRAIN.removalsAtOnce` of them at most; the others are looked at by
 * the next drain. Rejects with ARCHIVE_… and LEDGER_CORRUPT.
 */
export async function removable(
  ids: readonly ServerId[],
  listing: Listing,
  ledger: Ledger,
  { archive, audit }: { readonly archive: Archive; readonly audit: Pick<ArchiveAudit, 'locks' | 'inspect'> },
  now: Date,
): Promise<Removal> {
  const { known } = ledger.fold.folder(listing.folder, listing.epoch)
  const days = new Map<ServerId, number>()
  for (const id of ids.slice(0, DRAIN.removalsAtOnce)) days.set(id, known.dayOf(id) ?? 0)
  const entries = await entriesOf(ledger.mailbox, archive, ledger.nextSeq - 1, listing, days)
  const judged = await inLanes([...days.keys()], DRAIN.messagesInFlight, async (id) => {
    return { id, lacks: await lacking(entries.get(id)) }
  })

  async function lacking(entry: MessageEntry | undefined): Promise<Lacking | undefined> {
    if (!entry) return 'object'
    if (ledger.fold.isForgotten(entry.sha256)) return undefined
    const key = rawKey(ledger.mailbox, entry.sha256 as Sha256)
    // The latest, and not the recorded one by its id: a drain may not read old versions.
    const facts = await audit.inspect({ key, versionId: undefined })
    return facts ? lackingOf(facts, entry, audit.locks, now) : 'object'
  }

  const kept = new Map<Lacking, ServerId[]>()
  for (const { id, lacks } of judged) if (lacks) kept.set(lacks, [...(kept.get(lacks) ?? []), id])
  return { safe: judged.flatMap(({ id, lacks }) => (lacks ? [] : [id])), kept }
}

function lackingOf(facts: VersionFacts, entry: MessageEntry, locks: boolean, now: Date): Lacking | undefined {
  // The entry of a second copy, met beside the first, does not know it.
  if (entry.versionId !== undefined && facts.versionId !== entry.versionId) return 'object'
  if (facts.sha256 !== entry.sha256 || facts.octets !== entry.octets) return 'checksum'
  if (facts.legalHold) return 'hold'
  if (!locks || isRetained(facts, now)) return undefined
  // Engines that hold an object by the bucket's default and tell no date for it: what was reckoned then counts.
  const reckoned = facts.retainUntil === undefined ? entry.retainUntil : undefined
  return reckoned !== undefined && new Date(reckoned) > now ? undefined : 'lock'
}
