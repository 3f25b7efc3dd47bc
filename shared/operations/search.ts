import type { LedgerSearch } from '../search/search.ts'
import { type ArchivedMessage, decider, type MessageQuery, type QueryPorts } from './query.ts'

/**
 * The newest messages that a query means, at most `most`. Those whose entries do not tell are read. Rejects with SEARCH_…, ARCHIVE_… and SPOOL_FAILED.
 */
export async function* searchMessages(
  query: MessageQuery,
  most: number,
  { search, ...ports }: QueryPorts & { readonly search: LedgerSearch },
): AsyncGenerator<ArchivedMessage> {
  const isMeant = decider(query, ports)
  let left = most
  for await (const { certain, ...message } of search.find(query, most)) {
    if (!certain && !(await isMeant(message))) continue
    yield message
    if (--left <= 0) return
  }
}
