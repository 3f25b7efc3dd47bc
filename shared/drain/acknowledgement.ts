import type { AfterArchive } from '../contract/config.ts'
import type { Fold } from '../ledger/fold.ts'
import { dayOf } from '../ledger/id-days.ts'
import type { Acknowledgement, Listing, ServerId } from '../mailbox/mailbox.ts'

/** What the policy asks for, and for how many days a message stays before; undefined for `keep`. */
export interface Policy {
  readonly action: Acknowledgement
  readonly afterDays: number
  /** Takes the message out of its folder: an intent is recorded before, a receipt after. */
  readonly removes: boolean
}

export function policyOf(after: AfterArchive): Policy | undefined {
  if (after === 'keep') return undefined
  if (after === 'seen') return { action: { kind: 'seen' }, afterDays: 0, removes: false }
  if (after === 'delete') return { action: { kind: 'delete' }, afterDays: 0, removes: true }
  if ('flag' in after) return { action: { kind: 'flag', keyword: after.flag }, afterDays: 0, removes: false }
  if ('move' in after) return { action: { kind: 'move', folder: after.move }, afterDays: 0, removes: true }
  return { action: { kind: 'delete' }, afterDays: after.deleteAfterDays, removes: true }
}

/**
 * What the server lists and the ledger has as archived and announced, for long enough: whether this drain, an earlier one, or one that died
 * before it could say so has fetched it. What was found unsafe to remove today is not looked at again today. `recognised` are messages that this drain knew by their octets alone.
 */
export function dueFor(
  policy: Policy,
  listing: Listing,
  fold: Fold,
  recognised: ReadonlySet<ServerId>,
  now: Date,
): ServerId[] {
  // A message that was moved is at home in its new folder.
  if (policy.action.kind === 'move' && policy.action.folder === listing.folder) return []
  const { known, kept } = fold.folder(listing.folder, listing.epoch)
  const pending = fold.pendingIds(listing.folder, listing.epoch)
  const latest = dayOf(now) - policy.afterDays
  return listing.ids.filter((id) => {
    if (pending.has(id) || (kept?.day === dayOf(now) && kept.ids.has(id))) return false
    if (recognised.has(id)) return policy.afterDays === 0
    const day = known.dayOf(id)
    return day !== undefined && day <= latest
  })
}
