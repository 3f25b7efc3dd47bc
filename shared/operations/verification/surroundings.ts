import type { ArchiveAudit, ListedVersion } from '../../archive/audit.ts'
import type { MailboxId } from '../../contract/ids.ts'
import { EVIDENCE_PREFIX, mailboxOfKey } from '../../contract/object-key.ts'
import type { Recorded } from './inspection.ts'
import { besideEachOther, type Entry } from './versions.ts'

/** Sorts behind every character of a key. */
const LAST = '\u{10ffff}'

/** What belongs to no mailbox and is no evidence; the mailboxes that are met are added to `mailboxes`, and their keys passed over. */
export function surroundings(
  audit: ArchiveAudit,
  mailboxes: Set<MailboxId>,
): AsyncGenerator<Entry<Recorded>> {
  return besideEachOther<Recorded>(new Map(), outsideOfMailboxes(audit, mailboxes), '')
}

async function* outsideOfMailboxes(
  audit: ArchiveAudit,
  mailboxes: Set<MailboxId>,
): AsyncGenerator<ListedVersion> {
  const passed = new Set<string>()
  let after: string | undefined
  search: while (true) {
    for await (const version of audit.versions('', after)) {
      const mailbox = mailboxOfKey(version.key)
      if (mailbox) mailboxes.add(mailbox)
      const prefix = mailbox ? version.key.split('/', 2).join('/') : EVIDENCE_PREFIX.slice(0, -1)
      if (!version.key.startsWith(`${prefix}/`)) yield version
      else if (!passed.has(prefix)) {
        passed.add(prefix)
        after = `${prefix}/${LAST}`
        continue search
      }
    }
    return
  }
}

/** What evidence has to be its own verification knows; here it has to be there once, and locked. */
export async function* evidence(audit: ArchiveAudit): AsyncGenerator<Entry<Recorded>> {
  for await (const entry of besideEachOther<Recorded>(new Map(), audit.versions(EVIDENCE_PREFIX), ''))
    yield { ...entry, recorded: { octets: undefined, sha256: undefined } }
}
