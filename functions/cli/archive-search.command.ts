import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { searchMessages } from '../../shared/operations/search.ts'
import { openDuckDbSearch } from '../../shared/search/duckdb.ts'
import { copyLedgers } from '../../shared/search/ledger-files.ts'
import { type ChoiceOptions, readChoice } from './choice.ts'
import { csvLine } from './csv.ts'
import { messageColumns, messageObject, messageRow } from './message-row.ts'
import { countOf, table } from './output.ts'
import { withCatalogue } from './query-ports.ts'
import type { Run } from './run.ts'

export interface SearchOptions extends ChoiceOptions {
  readonly limit: number
  readonly csv?: boolean
  readonly cache?: string
}

/** The newest messages that the query means: a table, CSV, or JSON. */
export async function searchCommand(run: Run, options: SearchOptions): Promise<void> {
  const { output, signal } = run
  const query = await readChoice(options, run)
  await withCatalogue(run, ({ ports, mailboxes }) =>
    withLedgerFiles(run, mailboxes, options.cache, async (folder) => {
      const search = await openDuckDbSearch(folder)
      const rows: string[][] = []
      let found = 0
      try {
        if (options.csv) output.result({}, () => csvLine(Object.keys(messageColumns)))
        for await (const message of searchMessages(query, options.limit, { ...ports, search })) {
          if (signal.aborted) break
          found++
          output.result(messageObject(message), () => {
            if (options.csv) return csvLine(Object.values(messageColumns).map((column) => column(message)))
            rows.push(messageRow(message))
            return ''
          })
        }
      } finally {
        search.close()
      }
      if (rows.length > 0) output.result({}, () => table(rows))
      if (found >= options.limit)
        output.note(`There may be more, and older: raise --limit (${options.limit}).`)
      else if (found === 0) output.note('Nothing found.')
    }),
  )
}

/** The files of --local as they are; of a bucket copies, which stay in `cache` or are removed. */
async function withLedgerFiles(
  { options, output, stores }: Run,
  mailboxes: readonly MailboxId[],
  cache: string | undefined,
  work: (folder: string) => Promise<void>,
): Promise<void> {
  if (options.local !== undefined) {
    await work(join(resolve(options.local), 'archive'))
    return
  }
  const folder = cache ?? (await mkdtemp(join(tmpdir(), 'mailsluice-search-')))
  try {
    await copyLedgers(mailboxes, stores.archive, folder, (segments) => {
      output.progress([`${countOf(segments, 'segment')} of the ledgers fetched`])
    })
    await work(folder)
  } finally {
    if (cache === undefined) await rm(folder, { recursive: true, force: true })
  }
}
