import type { Sha256 } from '../contract/ids.ts'
import { rawKey } from '../contract/object-key.ts'
import { IngestError } from '../errors.ts'
import { EXPORT } from '../limits.ts'
import type { Octets } from '../octets.ts'
import type { ArchivedMessage } from '../query/archived-messages.ts'
import type { QueryPorts } from '../query/find.ts'
import { workAhead } from '../work-ahead.ts'

export interface FetchedFromArchive {
  readonly message: ArchivedMessage
  /** The caller discards them. */
  readonly octets: Octets | undefined
  /** Why there are none. */
  readonly error: IngestError | undefined
}

/**
 * Messages with their octets, in order, EXPORT.fetchedAhead at the same time. What is gone or is another content than recorded is told with the message; rejects
 * with ARCHIVE_… and SPOOL_FAILED when nothing can be had.
 */
export function fetchAhead(
  messages: AsyncIterable<ArchivedMessage>,
  ports: Pick<QueryPorts, 'archive' | 'spool'>,
): AsyncGenerator<FetchedFromArchive> {
  return workAhead(
    messages,
    EXPORT.fetchedAhead,
    (message) => fetch(message, ports),
    async ({ octets }) => octets?.discard(),
  )
}

async function fetch(
  message: ArchivedMessage,
  { archive, spool }: Pick<QueryPorts, 'archive' | 'spool'>,
): Promise<FetchedFromArchive> {
  const key = rawKey(message.mailbox, message.entry.sha256 as Sha256)
  try {
    const { body } = await archive.get(key)
    const octets = await spool.collect(body, EXPORT.memoryMessageOctets)
    if (octets.sha256 === message.entry.sha256) return { message, octets, error: undefined }
    await octets.discard()
    const error = new IngestError('ARCHIVE_CONFLICT', `${key}: its octets have SHA-256 ${octets.sha256}`)
    return { message, octets: undefined, error }
  } catch (error) {
    if (!(error instanceof IngestError) || error.code !== 'ARCHIVE_CONFLICT') throw error
    return { message, octets: undefined, error }
  }
}
