import { join, resolve } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { IngestError } from '../errors.ts'
import { SEARCH } from '../limits.ts'
import { hitOf } from './answer.ts'
import { duckDbDialect } from './dialects.ts'
import type { LedgerSearch } from './search.ts'
import { searchStatement } from './sql.ts'

/**
 * Searches the segments below `folder`/ledger by DuckDB, in this process. It may read that folder and nothing else, loads no extensions, and keeps no index: a
 * search reads the files as they are.
 */
export async function openDuckDbSearch(folder: string): Promise<LedgerSearch> {
  const { LIST, listValue, VARCHAR } = await engine()
  const root = resolve(folder)
  const { connection, close } = await connectConfined(join(root, 'ledger'))
  return {
    async *find(query) {
      const { sql, values } = searchStatement(query, duckDbDialect(join(root, 'ledger', '*', '*.ndjson')))
      const bound = values.map((value) => (typeof value === 'string' ? value : listValue(value)))
      const types = values.map((value) => (typeof value === 'string' ? VARCHAR : LIST(VARCHAR)))
      for await (const rows of rowsOf(connection, sql, bound, types)) for (const row of rows) yield hitOf(row)
    },
    bill: () => undefined,
    close,
  }
}

/** 70 MB with its engine, loaded when somebody searches: no function and no drain has a use for it. */
function engine() {
  return import('@duckdb/node-api')
}

/** A database in memory that reaches files below `folder` and nothing else, for good. */
export async function connectConfined(
  folder: string,
): Promise<{ readonly connection: DuckDBConnection; close(): void }> {
  const { DuckDBInstance } = await engine()
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${SEARCH.memoryMib}MiB`,
    threads: String(SEARCH.threads),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  // An apostrophe in a path is doubled, as in every text of SQL; settings take no parameters.
  await connection.run(`SET allowed_directories = ['${folder.replaceAll("'", "''")}/']`)
  await connection.run('SET enable_external_access = false')
  await connection.run('SET lock_configuration = true')
  return {
    connection,
    close() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}

type Row = Record<string, unknown>

async function* rowsOf(
  connection: DuckDBConnection,
  sql: string,
  values: Parameters<DuckDBConnection['stream']>[1],
  types: Parameters<DuckDBConnection['stream']>[2],
): AsyncGenerator<Row[]> {
  try {
    const result = await connection.stream(sql, values, types)
    yield* result.yieldRowObjectJs() as AsyncIterableIterator<Row[]>
  } catch (cause) {
    // No ledger at all is nothing found.
    if (cause instanceof Error && /No files found/.test(cause.message)) return
    throw new IngestError('SEARCH_FAILED', cause instanceof Error ? cause.message : String(cause), { cause })
  }
}
