import type { ArchivedMessage } from '../query/archived-messages.ts'
import type { MessageQuery } from '../query/query.ts'

/** A message that a search came upon. `certain`: its entry says that the query means it; otherwise the entry does not tell. */
export interface SearchHit extends ArchivedMessage {
  readonly certain: boolean
}

/** What searches have taken so far, where somebody sends a bill for it. */
export interface SearchBill {
  readonly queries: number
  readonly octetsScanned: number
  /** By the list price. */
  readonly usd: number
}

/** The search port: over what the ledgers say, the newest first. It sees messages that were deleted from the archive no more. */
export interface LedgerSearch {
  /**
   * `wanted`: how many the caller is likely to take; taking more is no mistake, and may take an engine another query. Rejects with SEARCH_FAILED when
   * a ledger cannot be read, and with SEARCH_… for what an engine that is not in this process answers.
   */
  find(query: MessageQuery, wanted?: number): AsyncIterable<SearchHit>
  /** Undefined where nobody is paid. */
  bill(): SearchBill | undefined
  close(): void
}
