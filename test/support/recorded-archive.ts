import type { Archive, Retention } from '../../shared/archive/archive.ts'
import type { DrainId, MailboxId } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import { memoryOctets } from '../../shared/octets.ts'
import type { StateStore } from '../../shared/state/state.ts'
import { draftOf, MAILBOX, messageEntry } from './segments.ts'

export interface RecordOptions {
  readonly mailbox?: MailboxId
  readonly state?: StateStore
  readonly retention?: Retention
}

/** Archives messages and records them as drains do: a segment for each list of texts. */
export async function recordMessages(
  archive: Archive,
  segments: readonly (readonly string[])[],
  { mailbox = MAILBOX, state, retention }: RecordOptions = {},
): Promise<void> {
  const ledger = await openLedger(mailbox, { archive, state })
  const drain = 'drain-1' as DrainId
  let id = 1
  for (const texts of segments) {
    const writtenFor = { seq: ledger.nextSeq, drain }
    const entries = []
    for (const text of texts) {
      const octets = memoryOctets(Buffer.from(text))
      const put = await archive.put(rawKey(mailbox, octets.sha256), octets, {
        contentType: 'message/rfc822',
        writtenFor,
        retention,
      })
      if (put.outcome === 'exists') throw new Error(`twice: ${text}`)
      const { versionId, retainUntil } = put
      entries.push(
        messageEntry(text, {
          id: id++,
          ...(versionId === undefined ? {} : { versionId }),
          ...(retainUntil === undefined ? {} : { retainUntil }),
        }),
      )
    }
    await ledger.commit(draftOf(entries), retention)
  }
  await ledger.saveSnapshot({})
}
