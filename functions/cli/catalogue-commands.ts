import { type Command, Option } from 'commander'
import { IMPORT_FORMATS } from '../../shared/mailbox/import-files.ts'
import type { ExportCommandOptions } from './archive-export.command.ts'
import type { ImportOptions } from './archive-import.command.ts'
import type { SearchOptions } from './archive-search.command.ts'
import { withChoiceOptions } from './choice.ts'
import type { ReplayCommandOptions } from './replay.command.ts'
import { EXPORT_FORMATS, examples, positive, SEARCH_ENGINES, type Wrap } from './usage.ts'

/** What works on messages that a query chooses. */
export function addCatalogueCommands(root: Command, archive: Command, command: Wrap): void {
  withChoiceOptions(archive.command('search'))
    .description('find archived messages by what the ledgers say of them, the newest first')
    .option('--limit <count>', 'at most this many', positive, 100)
    .option('--csv', 'comma-separated values in place of a table')
    .addOption(
      new Option(
        '--engine <name>',
        'athena: where the ledgers are; duckdb: here, on copies (default: athena with --stack, else duckdb)',
      ).choices(SEARCH_ENGINES),
    )
    .option(
      '--cache <dir>',
      'keep copies of the ledgers there for the next search by duckdb (not with --local)',
    )
    .addHelpText(
      'after',
      examples(
        'archive search --address "*@supplier.example" --since 2026-01-01',
        'archive search --subject "invoice march" --attachment "*.pdf" --csv > found.csv',
        'archive search --case ott-v-smith --json',
        'archive search --mailbox invoices --from "*@supplier.example" --stack mailsluice',
      ),
    )
    .action(
      command<SearchOptions>(async (run, options) =>
        (await import('./archive-search.command.ts')).searchCommand(run, options),
      ),
    )
  withChoiceOptions(archive.command('export'))
    .description('write messages to files; the same command goes on with an export that was interrupted')
    .requiredOption('--output <dir>', 'folder that is empty, missing, or holds this export')
    .addOption(
      new Option(
        '--format <name>',
        'bundle: ZIP files with proofs, sums and a signature; eml: a file each; mbox: mboxrd',
      )
        .choices(EXPORT_FORMATS)
        .default('bundle'),
    )
    .option('--dry-run', 'count what would be written, and write nothing')
    .addHelpText(
      'after',
      examples(
        'archive export --output evidence --case ott-v-smith',
        'archive export --output mail --format eml --mailbox invoices --since 2026-01-01',
      ),
    )
    .action(
      command<ExportCommandOptions>(async (run, options) =>
        (await import('./archive-export.command.ts')).exportCommand(run, options),
      ),
    )
  archive
    .command('import')
    .description(
      'archive mail from files into the ledger of a mailbox; what is there already is known by its octets',
    )
    .argument('<mailbox>', 'whose archive and ledger')
    .argument('<sources...>', 'folders of .eml files, mbox files, Maildirs')
    .addOption(new Option('--format <name>', 'default: what each looks like').choices(IMPORT_FORMATS))
    .option('--as-is', 'keep line ends as they are (default: of .eml files alone; others get those of mail)')
    .option('--announce', 'announce it as new mail, too')
    .option('--dry-run', 'read and count it, and archive nothing')
    .addHelpText(
      'after',
      examples(
        'archive import invoices old-mail/ --local',
        'archive import invoices 2019.mbox 2020.mbox --announce',
      ),
    )
    .action(
      command<ImportOptions>(async (run, options, operands) =>
        (await import('./archive-import.command.ts')).importCommand(
          run,
          operands as [string, ...string[]],
          options,
        ),
      ),
    )
  withChoiceOptions(root.command('replay'))
    .description('announce archived messages again, under the same event ids, marked as a replay')
    .option('--all', 'every message, from the first on')
    .option('--queue <name>', 'to this queue alone (default: where routes send them now)')
    .option('--rate <count>', 'messages a second, at most', positive)
    .option('--dry-run', 'tell what would be announced, and send nothing')
    .option('--diff', 'announce nothing: parse again, and show what is read in another way than was recorded')
    .addOption(
      new Option('--resume <file>', 'keep there how far it has come, and go on from there').conflicts([
        'dryRun',
        'diff',
      ]),
    )
    .addHelpText(
      'after',
      examples(
        'replay --mailbox invoices --since 2026-03-01 --queue reprocessing --rate 20',
        'replay --all --resume replay.json',
        'replay --all --dry-run',
        'replay --all --diff --json',
      ),
    )
    .action(
      command<ReplayCommandOptions>(async (run, options) =>
        (await import('./replay.command.ts')).replayCommand(run, options),
      ),
    )
}
