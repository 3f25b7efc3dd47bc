import { NodeHttpHandler } from '@smithy/node-http-handler'
import { SEARCH } from '../limits.ts'
import type { MessageQuery } from '../query/query.ts'
import { AthenaQueries } from './athena-queries.ts'
import { athenaDialect } from './dialects.ts'
import type { LedgerSearch, SearchHit } from './search.ts'
import { searchStatement } from './sql.ts'

export interface AthenaSearchOptions {
  /** It says where answers are kept, how they are encrypted, and what a query may scan at most. */
  readonly workgroup: string
  /** Of the Glue Data Catalog. */
  readonly database: string
  readonly endpoint?: string | undefined
  /** Stops the query that runs; `find` ends then. */
  readonly signal?: AbortSignal | undefined
  /** Until it is looked for the first time whether a query has ended. @default SEARCH.pollMs */
  readonly pollMs?: number
  /** Until a query is given up. @default SEARCH.queryMs */
  readonly queryMs?: number
}

/**
 * Searches the ledgers of a deployment by Athena, which reads the segments where they are. Each query is billed by what it scans, also one that is stopped.
 * Rejects with SEARCH_DENIED, SEARCH_MISSING, SEARCH_LIMITED, SEARCH_UNAVAILABLE and SEARCH_FAILED.
 */
export async function openAthenaSearch(options: AthenaSearchOptions): Promise<LedgerSearch> {
  const { database, endpoint } = options
  // Loaded when somebody searches a deployment.
  const sdk = await import('@aws-sdk/client-athena')
  const client = new sdk.AthenaClient({
    ...(endpoint === undefined ? {} : { endpoint }),
    requestHandler: new NodeHttpHandler({
      connectionTimeout: SEARCH.requestConnectMs,
      requestTimeout: SEARCH.requestMs,
      throwOnRequestTimeout: true,
    }),
  })
  const dialect = athenaDialect(database)
  const queries = new AthenaQueries(sdk, client, options)
  return {
    async *find(query, wanted) {
      const { asked, isListed } = withoutLongList(query)
      const seen = new Set<string>()
      // Sorting everything to take a hundred costs time and an answer of gigabytes; what is taken beyond the limit is asked for anew.
      let most = asked === query && wanted !== undefined ? wanted : undefined
      for (;;) {
        let rows = 0
        for await (const hit of queries.hits(searchStatement(asked, dialect, most))) {
          rows++
          const id = `${hit.mailbox}/${hit.seq}/${hit.entry.sha256}`
          if (seen.has(id)) continue
          if (most !== undefined) seen.add(id)
          if (isListed(hit)) yield hit
        }
        if (most === undefined || rows < most) return
        most *= SEARCH.growth
      }
    },
    bill: () => queries.bill,
    close: () => client.destroy(),
  }
}

/** A query's text has 262,144 octets at most (AWS, Athena quotas): of more ids than that holds, those that are listed are told apart here. */
function withoutLongList(query: MessageQuery): {
  readonly asked: MessageQuery
  readonly isListed: (hit: SearchHit) => boolean
} {
  const { ids, ...asked } = query
  if (ids === undefined || ids.length <= SEARCH.idsInAQuery) return { asked: query, isListed: () => true }
  const listed = new Set(ids)
  return {
    asked,
    isListed: ({ mailbox, entry: { sha256 } }) => listed.has(sha256) || listed.has(`${mailbox}/${sha256}`),
  }
}
