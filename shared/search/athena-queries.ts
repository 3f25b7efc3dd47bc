import { setTimeout as sleep } from 'node:timers/promises'
import type { AthenaClient, Row } from '@aws-sdk/client-athena'
import { priceOfScan } from '../contract/prices.ts'
import { IngestError } from '../errors.ts'
import { SEARCH } from '../limits.ts'
import { hitOf } from './answer.ts'
import type { AthenaSearchOptions } from './athena.ts'
import { ofFailedQuery, toSearchError } from './athena-errors.ts'
import { positional } from './positional.ts'
import type { SearchBill, SearchHit } from './search.ts'
import { ANSWER_COLUMNS, type Statement } from './sql.ts'

/** Runs statements in a workgroup, one after the other, and counts what they scan. */
export class AthenaQueries {
  readonly #sdk: typeof import('@aws-sdk/client-athena')
  readonly #client: AthenaClient
  readonly #options: AthenaSearchOptions
  readonly #where: string
  #bill: SearchBill = { queries: 0, octetsScanned: 0, usd: 0 }

  constructor(
    sdk: typeof import('@aws-sdk/client-athena'),
    client: AthenaClient,
    options: AthenaSearchOptions,
  ) {
    this.#sdk = sdk
    this.#client = client
    this.#options = options
    this.#where = `Athena, workgroup ${options.workgroup}`
  }

  get bill(): SearchBill {
    return this.#bill
  }

  /** Ends early when the signal wants it. */
  async *hits(statement: Statement): AsyncGenerator<SearchHit> {
    const { signal } = this.#options
    if (signal?.aborted) return
    const id = await this.#start(statement)
    if (!(await this.#hasSucceeded(id))) return
    let next: string | undefined
    do {
      const { ResultSet, NextToken } = await this.#ask(() =>
        this.#client.send(
          new this.#sdk.GetQueryResultsCommand({
            QueryExecutionId: id,
            MaxResults: SEARCH.rowsInAPage,
            NextToken: next,
          }),
        ),
      )
      const rows = ResultSet?.Rows ?? []
      // The first row of the first page has the names of the columns (API reference, GetQueryResults).
      for (const row of next === undefined && isHeading(rows[0]) ? rows.slice(1) : rows) yield hitOfRow(row)
      next = NextToken
    } while (next !== undefined && !signal?.aborted)
  }

  async #start(statement: Statement): Promise<string> {
    const { sql, parameters } = positional(statement)
    const { QueryExecutionId: id } = await this.#ask(() =>
      this.#client.send(
        // The SDK adds a ClientRequestToken: a request that it repeats starts no second query.
        new this.#sdk.StartQueryExecutionCommand({
          QueryString: sql,
          // An empty list is refused.
          ExecutionParameters: parameters.length === 0 ? undefined : [...parameters],
          QueryExecutionContext: { Catalog: 'AwsDataCatalog', Database: this.#options.database },
          WorkGroup: this.#options.workgroup,
        }),
      ),
    )
    if (id === undefined) throw new IngestError('SEARCH_UNAVAILABLE', `${this.#where}: a query without an id`)
    return id
  }

  /** False when the signal has ended it. A query that is given up is stopped: it would be scanning, and billed, for nobody. */
  async #hasSucceeded(id: string): Promise<boolean> {
    let ended = false
    try {
      const status = await this.#end(id)
      ended = true
      if (status?.State !== 'SUCCEEDED') throw ofFailedQuery(this.#where, status)
      return true
    } catch (error) {
      // One that has ended by now says so, and that is all the same.
      if (!ended)
        await this.#client
          .send(new this.#sdk.StopQueryExecutionCommand({ QueryExecutionId: id }))
          .catch(() => {})
      if (this.#options.signal?.aborted) return false
      throw error
    }
  }

  async #end(id: string) {
    const { signal, pollMs: firstMs = SEARCH.pollMs, queryMs = SEARCH.queryMs } = this.#options
    const deadlineMs = performance.now() + queryMs
    for (let pollMs = firstMs; ; pollMs = Math.min(2 * pollMs, SEARCH.pollMostMs)) {
      await sleep(pollMs, undefined, { signal })
      const { QueryExecution } = await this.#ask(() =>
        this.#client.send(new this.#sdk.GetQueryExecutionCommand({ QueryExecutionId: id })),
      )
      const { Status, Statistics } = QueryExecution ?? {}
      if (Status?.State !== 'QUEUED' && Status?.State !== 'RUNNING') {
        this.#count(Statistics?.DataScannedInBytes ?? 0)
        return Status
      }
      if (performance.now() > deadlineMs)
        throw new IngestError(
          'SEARCH_UNAVAILABLE',
          `${this.#where}: the query has not ended after ${Math.round(queryMs / 1000)} s, and is stopped`,
        )
    }
  }

  #count(octets: number): void {
    const { queries, octetsScanned, usd } = this.#bill
    this.#bill = {
      queries: queries + 1,
      octetsScanned: octetsScanned + octets,
      usd: usd + priceOfScan(octets),
    }
  }

  async #ask<Answer>(request: () => Promise<Answer>): Promise<Answer> {
    try {
      return await request()
    } catch (error) {
      throw toSearchError(error, this.#where)
    }
  }
}

function isHeading(row: Row | undefined): boolean {
  const cells = row?.Data?.map(({ VarCharValue }) => VarCharValue?.toLowerCase()) ?? []
  return ANSWER_COLUMNS.every((name, column) => cells[column] === name.toLowerCase())
}

/** By place, for names lose their capitals. */
function hitOfRow({ Data: cells = [] }: Row): SearchHit {
  return hitOf(
    Object.fromEntries(ANSWER_COLUMNS.map((name, column) => [name, cells[column]?.VarCharValue ?? null])),
  )
}
