import { createHash } from 'node:crypto'
import type { Retention } from '../../archive/archive.ts'
import type { ArchiveAudit } from '../../archive/audit.ts'
import { archivedEventId } from '../../contract/event.ts'
import type { MailboxId } from '../../contract/ids.ts'
import { parseRawKey } from '../../contract/object-key.ts'
import { VERIFY } from '../../limits.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Evidence } from './evidence.ts'
import type { Inspector } from './inspection.ts'

/** Makes the inspectors of one verification: what is asked for once is asked for once for all of them. */
export function inspectors(
  audit: ArchiveAudit,
  { held, lengthened }: Evidence,
  { startedAt, seed, sample, deep }: Checkpoint,
  policyOf: (mailbox: MailboxId | undefined) => Retention | undefined,
): (mailbox: MailboxId | undefined) => Inspector {
  let known: Promise<Retention | undefined> | undefined
  return (mailbox) => ({
    audit,
    mailbox,
    policy: policyOf(mailbox),
    deep,
    heldFor: (key) => {
      const message = parseRawKey(key)
      return (message && held.get(archivedEventId(message.mailbox, message.sha256))) ?? []
    },
    lengthened: (key) => lengthened.get(key),
    defaultRetention: () => {
      known ??= audit.defaultRetention()
      return known
    },
    chosen: (key) => sample === 1 || shareOf(seed, key) < sample,
    underWaySince: new Date(Date.parse(startedAt) - VERIFY.underWayMs).toISOString(),
  })
}

/** From 0 to below 1, spread evenly over keys. */
function shareOf(seed: string, key: string): number {
  return createHash('sha256').update(`${seed} ${key}`).digest().readUInt32BE() / 2 ** 32
}
