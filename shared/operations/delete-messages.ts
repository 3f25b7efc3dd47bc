import type { ArchiveAudit, VersionName } from '../archive/audit.ts'
import type { Custody } from '../archive/custody.ts'
import type { Order } from '../cases/case-log.ts'
import { IngestError } from '../errors.ts'
import { inLanes } from '../lanes.ts'
import type { Recorder } from '../ledger/recorder.ts'
import type { DeletionEntry } from '../ledger/segment.ts'
import { CUSTODY } from '../limits.ts'
import type { ArchivedMessage } from '../query/archived-messages.ts'
import { versionOf } from './obstacles.ts'

export interface DeletionPorts {
  readonly audit: Pick<ArchiveAudit, 'versions'>
  readonly custody: Pick<Custody, 'delete'>
  /** Of the mailbox of the messages. */
  readonly recorder: Recorder
}

export interface Deletion {
  readonly message: ArchivedMessage
  /** Why it was not deleted; undefined when it was. */
  readonly error: IngestError | undefined
}

/**
 * Deletes messages of one mailbox for good: first the intent is recorded in its ledger, then every version of the object is deleted, then the receipt is
 * recorded, which stays as the tombstone. `bypassGovernance` for a law that demands it. What a lock keeps all the same is told as its error and has
 * no receipt. Whoever dies in between does it again. Rejects with ARCHIVE_… and LEDGER_….
 */
export async function deleteMessages(
  messages: readonly ArchivedMessage[],
  ground: DeletionEntry['ground'],
  order: Order,
  { audit, custody, recorder }: DeletionPorts,
): Promise<readonly Deletion[]> {
  const entry = <Type extends DeletionEntry['type']>(type: Type, { entry }: ArchivedMessage) => {
    const { sha256, octets, versionId } = entry
    return { type, sha256, octets, ...(versionId ? { versionId } : {}), ground, ...order }
  }
  // An intent that is there already stands.
  const fresh = messages.filter(({ entry }) => !recorder.fold.isDeleting(entry.sha256))
  if (fresh.length > 0) await recorder.record(fresh.map((message) => entry('delete', message)))
  const deletions = await inLanes(messages, CUSTODY.requestsAtOnce, async (message): Promise<Deletion> => {
    try {
      for await (const version of versionsOf(message, audit))
        await custody.delete(version, { bypassGovernance: ground === 'erasure' })
      return { message, error: undefined }
    } catch (error) {
      if (!(error instanceof IngestError) || error.code !== 'VERSION_PROTECTED') throw error
      return { message, error }
    }
  })
  const deleted = deletions.filter(({ error }) => error === undefined)
  if (deleted.length > 0) await recorder.record(deleted.map(({ message }) => entry('deleted', message)))
  return deletions
}

/** Also those that nobody recorded: what is left under the key would be the message all the same. */
async function* versionsOf(
  message: ArchivedMessage,
  audit: Pick<ArchiveAudit, 'versions'>,
): AsyncGenerator<VersionName> {
  const { key } = versionOf(message)
  for await (const version of audit.versions(key)) if (version.key === key) yield version
}
