import { idList } from '../ledger/id-days.ts'
import { REMOVAL_CHECKS } from '../ledger/segment.ts'
import type { Acknowledgement, Listing, ServerId } from '../mailbox/mailbox.ts'
import { dueFor, policyOf } from './acknowledgement.ts'
import { type Lacking, removable } from './removal.ts'
import type { Work } from './work.ts'

const KEPT: Readonly<Record<Lacking, string>> = {
  announcement: 'they are not announced',
  object: 'the archive does not have them as recorded',
  checksum: 'the archive has other octets',
  lock: 'no lock of the archive keeps them any more',
  hold: 'a legal hold wants them kept',
}

/** That the server was asked to mark, move or delete messages. */
export interface Receipt {
  readonly folder: string
  readonly epoch: Listing['epoch']
  readonly action: Acknowledgement
  readonly effect: string
  readonly ids: readonly ServerId[]
  /** Acknowledgements that can be undone are not in the ledger: the next drain looks at the server. */
  readonly recorded: boolean
}

/**
 * Does on the server what the mailbox's `afterArchive` asks for: the intent is a segment, then comes the server, then the receipt. Returns the receipts
 * that wait for the end of the session. After a crash between the two the next drain does it again.
 */
export async function acknowledge(listing: Listing, work: Work): Promise<readonly Receipt[]> {
  const { session, writer, context } = work
  const { folder, epoch } = listing
  const policy = policyOf(context.mailbox.afterArchive)
  if (!policy) return []
  await writer.flush()
  const recognised = work.recognised.get(folder) ?? new Set()
  const due = dueFor(policy, listing, context.ledger.fold, recognised, context.now())
  if (due.length === 0) return []
  work.progress('acknowledging', folder, 0, due.length)
  const { action, removes } = policy
  const outstanding = await session.outstanding(listing, due, action)
  const checked = policy.afterDays > 0
  const ids = checked ? await safelyArchived(outstanding, listing, work) : outstanding
  if (ids.length === 0) return []
  if (removes) {
    const checks = checked ? { checked: [...REMOVAL_CHECKS] } : {}
    writer.add({ type: 'acknowledge', folder, epoch, action, ids: idList(ids), ...checks })
    await writer.flush()
  }
  const effect = await session.acknowledge(listing, ids, action)
  const receipt: Receipt = { folder, epoch, action, effect, ids, recorded: removes }
  if (session.acknowledgedBy === 'close') return [receipt]
  keepReceipt(receipt, work)
  return []
}

export function keepReceipt(
  { folder, epoch, action, effect, ids, recorded }: Receipt,
  { tally, writer }: Pick<Work, 'tally' | 'writer'>,
): void {
  tally.counts.acknowledged += ids.length
  if (recorded) writer.add({ type: 'acknowledged', folder, epoch, action, effect, ids: idList(ids) })
}

/** Those that the archive has safe by now; the others stay on the server, which is recorded. */
async function safelyArchived(
  ids: readonly ServerId[],
  listing: Listing,
  { writer, context, ports, tally }: Work,
): Promise<readonly ServerId[]> {
  if (ids.length === 0) return []
  const { safe, kept } = await removable(ids, listing, context.ledger, ports, context.now())
  const { folder, epoch } = listing
  for (const [lacks, each] of kept) {
    writer.add({ type: 'kept', folder, epoch, ids: idList(each), lacks })
    tally.warnings.push(`${folder}: ${each.length} messages are due for deletion and stay: ${KEPT[lacks]}`)
  }
  if (kept.size > 0) await writer.flush()
  return safe
}
