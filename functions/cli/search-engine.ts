import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { ConfigurationError } from '../../shared/errors.ts'
import { mailboxesOf } from '../../shared/ledger/mailboxes.ts'
import { openAthenaSearch } from '../../shared/search/athena.ts'
import { openDuckDbSearch } from '../../shared/search/duckdb.ts'
import { copyLedgers } from '../../shared/search/ledger-files.ts'
import type { LedgerSearch } from '../../shared/search/search.ts'
import { countOf } from './output.ts'
import type { Run } from './run.ts'
import type { SEARCH_ENGINES } from './usage.ts'

export interface EngineOptions {
  readonly engine?: (typeof SEARCH_ENGINES)[number]
  readonly cache?: string
}

/**
 * Opens what searches, and closes it when the work has ended: Athena where a deployment has it and nobody wants otherwise, else DuckDB on the files of
 * --local, or on copies of all ledgers. Rejects with a ConfigurationError where Athena is wanted and not there.
 */
export async function withSearch(
  run: Run,
  { engine, cache }: EngineOptions,
  work: (search: LedgerSearch) => Promise<void>,
): Promise<void> {
  const { buckets, environment, signal } = run
  if (engine === 'athena' && !buckets?.search)
    throw new ConfigurationError('--engine', [
      'athena is not there; expected --stack NAME of a deployment whose archive stack has it, or --engine duckdb',
    ])
  if (buckets?.search && (engine === 'athena' || (engine === undefined && cache === undefined))) {
    const endpoint = environment.AWS_ENDPOINT_URL_ATHENA ?? environment.AWS_ENDPOINT_URL
    await closing(await openAthenaSearch({ ...buckets.search, endpoint, signal }), work)
    return
  }
  await withLedgerFiles(run, cache, async (folder) => closing(await openDuckDbSearch(folder), work))
}

async function closing(search: LedgerSearch, work: (search: LedgerSearch) => Promise<void>): Promise<void> {
  try {
    await work(search)
  } finally {
    search.close()
  }
}

/** The files of --local as they are; of a bucket copies, which stay in `cache` or are removed. */
async function withLedgerFiles(
  { options, output, stores: { archive } }: Run,
  cache: string | undefined,
  work: (folder: string) => Promise<void>,
): Promise<void> {
  if (options.local !== undefined) {
    await work(join(resolve(options.local), 'archive'))
    return
  }
  const folder = cache ?? (await mkdtemp(join(tmpdir(), 'mailsluice-search-')))
  try {
    const mailboxes = await Array.fromAsync(mailboxesOf(archive))
    await copyLedgers(mailboxes, archive, folder, (segments) => {
      output.progress([`${countOf(segments, 'segment')} of the ledgers fetched`])
    })
    await work(folder)
  } finally {
    if (cache === undefined) await rm(folder, { recursive: true, force: true })
  }
}
