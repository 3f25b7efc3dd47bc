import type { Command } from 'commander'
import type { ForgetOptions } from './archive-forget.command.ts'
import type { CaseOptions } from './archive-hold.command.ts'
import type { DeleteOptions, ExtendOptions, SimulateOptions } from './archive-retention.command.ts'
import { withOrder } from './order.ts'
import { type QueryOptions, withQueryOptions } from './query-options.ts'
import { examples, type Wrap } from './usage.ts'

/** The commands of the records officer. */
export function addCustodyCommands(root: Command, archive: Command, command: Wrap): void {
  const CASE = ['--case <name>', 'lower-case letters, digits and hyphens'] as const
  const TIME = 'YYYY-MM-DD (UTC), or a time with its zone'
  const DRY = ['--dry-run', 'tell what would be done, and change nothing'] as const

  withQueryOptions(withOrder(archive.command('hold').requiredOption(...CASE)))
    .description(
      'hold what a query means for a case, whatever its retention; new mail that it means is held as it comes',
    )
    .option(...DRY)
    .addHelpText(
      'after',
      examples(
        'archive hold --case ott-v-smith --reason "order of 3 March" --address "*@ott.example" --since 2025-01-01',
        'archive hold --case ott-v-smith --reason "interrupted run"',
      ),
    )
    .action(
      command<CaseOptions & QueryOptions>(async (run, options) =>
        (await import('./archive-hold.command.ts')).holdCommand(run, options),
      ),
    )
  withOrder(archive.command('release').requiredOption(...CASE))
    .description('close a case, and release what no other case holds')
    .option(...DRY)
    .addHelpText('after', examples('archive release --case ott-v-smith --reason "settled on 9 June"'))
    .action(
      command<CaseOptions>(async (run, options) =>
        (await import('./archive-hold.command.ts')).releaseCommand(run, options),
      ),
    )

  const retention = archive.command('retention').description('how long messages are kept')
  withQueryOptions(retention.command('show'))
    .description('until when each message is kept, and why')
    .addHelpText('after', examples('archive retention show --from "*@ott.example"'))
    .action(
      command<QueryOptions>(async (run, options) =>
        (await import('./archive-retention.command.ts')).retentionShowCommand(run, options),
      ),
    )
  withQueryOptions(withOrder(retention.command('extend').requiredOption('--until <time>', TIME)))
    .description('keep messages longer; nothing is ever kept shorter')
    .option(...DRY)
    .addHelpText(
      'after',
      examples('archive retention extend --until 2036-01-01 --reason "audit 2031" --mailbox invoices'),
    )
    .action(
      command<ExtendOptions>(async (run, options) =>
        (await import('./archive-retention.command.ts')).retentionExtendCommand(run, options),
      ),
    )
  withQueryOptions(retention.command('simulate').requiredOption('--on <time>', TIME))
    .description('what may be deleted on a day, and what keeps the rest')
    .addHelpText('after', examples('archive retention simulate --on 2033-01-01'))
    .action(
      command<SimulateOptions>(async (run, options) =>
        (await import('./archive-retention.command.ts')).retentionSimulateCommand(run, options),
      ),
    )
  withQueryOptions(withOrder(retention.command('delete')))
    .description('delete what has expired, with a receipt in the ledger')
    .option(...DRY)
    .addHelpText('after', examples('archive retention delete --reason "yearly clearing" --dry-run'))
    .action(
      command<DeleteOptions>(async (run, options) =>
        (await import('./archive-retention.command.ts')).retentionDeleteCommand(run, options),
      ),
    )
  withOrder(
    archive.command('forget').argument('<ids...>', 'SHA-256, <mailbox>/<sha256>, or a key; each whole'),
  )
    .description('erase messages that a law wants to be forgotten, before their time, and leave a tombstone')
    .option(...DRY)
    .addHelpText('after', examples('archive forget invoices/2e73b09e… --reason "Art. 17 GDPR, request 118"'))
    .action(
      command<ForgetOptions>(async (run, options, ids) =>
        (await import('./archive-forget.command.ts')).forgetCommand(run, ids, options),
      ),
    )

  const cases = root.command('cases').description('cases of legal hold')
  cases
    .command('list')
    .description('every case with its state')
    .addHelpText('after', examples('cases list', 'cases list --json'))
    .action(command(async (run) => (await import('./cases.command.ts')).casesListCommand(run)))
  cases
    .command('show')
    .description('every step of a case: who, when, why, and which messages')
    .argument('<case>', 'its name')
    .addHelpText('after', examples('cases show ott-v-smith'))
    .action(
      command(async (run, _, [name]) =>
        (await import('./cases.command.ts')).casesShowCommand(run, name as string),
      ),
    )
}
