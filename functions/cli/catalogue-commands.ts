import type { Command } from 'commander'
import { type SearchOptions, searchCommand } from './archive-search.command.ts'
import { withChoiceOptions } from './choice.ts'
import { examples, positive, type Wrap } from './usage.ts'

/** What works on messages that a query chooses. */
export function addCatalogueCommands(archive: Command, command: Wrap): void {
  withChoiceOptions(archive.command('search'))
    .description('find archived messages by what the ledgers say of them, the newest first')
    .option('--limit <count>', 'at most this many', positive, 100)
    .option('--csv', 'comma-separated values in place of a table')
    .option('--cache <dir>', 'keep copies of the ledgers there for the next search (not with --local)')
    .addHelpText(
      'after',
      examples(
        'archive search --address "*@supplier.example" --since 2026-01-01',
        'archive search --subject "invoice march" --attachment "*.pdf" --csv > found.csv',
        'archive search --case ott-v-smith --json',
      ),
    )
    .action(command<SearchOptions>((run, options) => searchCommand(run, options)))
}
