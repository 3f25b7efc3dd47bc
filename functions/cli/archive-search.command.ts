import { PRICES_AS_OF } from '../../shared/contract/prices.ts'
import { searchMessages } from '../../shared/operations/search.ts'
import type { SearchBill } from '../../shared/search/search.ts'
import { type ChoiceOptions, readChoice } from './choice.ts'
import { csvLine } from './csv.ts'
import { messageColumns, messageObject, messageRow } from './message-row.ts'
import { countOf, octetsText, table } from './output.ts'
import { withQueryPorts } from './query-ports.ts'
import type { Run } from './run.ts'
import { type EngineOptions, withSearch } from './search-engine.ts'

export interface SearchOptions extends ChoiceOptions, EngineOptions {
  readonly limit: number
  readonly csv?: boolean
}

/** The newest messages that the query means: a table, CSV, or JSON. */
export async function searchCommand(run: Run, options: SearchOptions): Promise<void> {
  const { output, signal } = run
  const query = await readChoice(options, run)
  await withQueryPorts(run, (ports) =>
    withSearch(run, options, async (search) => {
      const rows: string[][] = []
      let found = 0
      let unread = 0
      const onUnread = (): void => {
        unread++
      }
      if (options.csv) output.result({}, () => csvLine(Object.keys(messageColumns)))
      for await (const message of searchMessages(query, options.limit, { ...ports, search, onUnread })) {
        if (signal.aborted) break
        found++
        output.result(messageObject(message), () => {
          if (options.csv) return csvLine(Object.values(messageColumns).map((column) => column(message)))
          rows.push(messageRow(message))
          return ''
        })
      }
      if (rows.length > 0) output.result({}, () => table(rows))
      if (signal.aborted) output.problem('archive search', new Error('not finished: there may be more'))
      else if (found >= options.limit)
        output.note(`There may be more, and older: raise --limit (${options.limit}).`)
      else if (found === 0) output.note('Nothing found.')
      if (unread > 0)
        output.note(
          `${countOf(unread, 'message')} found in doubt: the entries do not tell, and the mail may not be read.`,
        )
      const bill = search.bill()
      if (bill) output.note(billText(bill))
    }),
  )
}

function billText({ queries, octetsScanned, usd }: SearchBill): string {
  return `Athena: ${countOf(queries, 'query', 'queries')}, ${octetsText(octetsScanned)} scanned, ${usd.toFixed(5)} USD by the list price of ${PRICES_AS_OF}.`
}
