import { IngestError } from '../errors.ts'
import type { ArchivedMessage } from '../query/archived-messages.ts'
import { decider, type QueryPorts } from '../query/find.ts'
import type { MessageQuery } from '../query/query.ts'
import type { LedgerSearch } from '../search/search.ts'

export interface SearchPorts extends QueryPorts {
  readonly search: LedgerSearch
  /** Of a message that is found in doubt: its entry does not tell, and whoever searches may read no mail. */
  readonly onUnread?: (message: ArchivedMessage) => void
}

/**
 * The newest messages that a query means, at most `most`. Those whose entries do not tell are read. Rejects with SEARCH_…, ARCHIVE_… and SPOOL_FAILED.
 */
export async function* searchMessages(
  query: MessageQuery,
  most: number,
  { search, onUnread, ...ports }: SearchPorts,
): AsyncGenerator<ArchivedMessage> {
  const isMeant = decider(query, ports)
  const mayBeMeant = async (message: ArchivedMessage): Promise<boolean> => {
    try {
      return await isMeant(message)
    } catch (error) {
      if (!(error instanceof IngestError) || error.code !== 'ARCHIVE_DENIED') throw error
      onUnread?.(message)
      return true
    }
  }
  let left = most
  for await (const { certain, ...message } of search.find(query, most)) {
    if (!certain && !(await mayBeMeant(message))) continue
    yield message
    if (--left <= 0) return
  }
}
