import type { Archive } from '../archive/archive.ts'
import type { MailboxId, ObjectKey } from '../contract/ids.ts'
import { ledgerKey, MAX_SEQ, parseLedgerKey } from '../contract/object-key.ts'

/**
 * Every mailbox with a ledger, in the order of their names: also those that are not configured any more. One request for each, however long its
 * ledger is. Rejects with ARCHIVE_….
 */
export async function* mailboxesOf(archive: Pick<Archive, 'list'>): AsyncGenerator<MailboxId> {
  let after: ObjectKey | undefined
  while (true) {
    const mailbox = await nextMailbox(archive, after)
    if (!mailbox) return
    yield mailbox
    after = ledgerKey(mailbox, MAX_SEQ)
  }
}

async function nextMailbox(
  archive: Pick<Archive, 'list'>,
  after: ObjectKey | undefined,
): Promise<MailboxId | undefined> {
  for await (const { key } of archive.list('ledger/', after)) {
    const mailbox = parseLedgerKey(key)?.mailbox
    if (mailbox) return mailbox
  }
  return undefined
}
