import type { ArchivedMessage, MessageQuery } from '../operations/query.ts'

/** A message that a search came upon. `certain`: its entry says that the query means it; otherwise the entry does not tell. */
export interface SearchHit extends ArchivedMessage {
  readonly certain: boolean
}

/** The search port: over what the ledgers say, the newest first. It sees messages that were deleted from the archive no more. */
export interface LedgerSearch {
  /** Rejects with SEARCH_FAILED when a ledger cannot be read. */
  find(query: MessageQuery): AsyncIterable<SearchHit>
  close(): void
}
