import type { Command } from 'commander'
import { type CaseOptions, holdCommand, releaseCommand } from './archive-hold.command.ts'
import { casesListCommand, casesShowCommand } from './cases.command.ts'
import { withOrder } from './order.ts'
import { type QueryOptions, withQueryOptions } from './query-options.ts'
import { examples, type Wrap } from './usage.ts'

/** The commands of the records officer. */
export function addCustodyCommands(root: Command, archive: Command, command: Wrap): void {
  const CASE = ['--case <name>', 'lower-case letters, digits and hyphens'] as const
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
    .action(command<CaseOptions & QueryOptions>((run, options) => holdCommand(run, options)))
  withOrder(archive.command('release').requiredOption(...CASE))
    .description('close a case, and release what no other case holds')
    .option(...DRY)
    .addHelpText('after', examples('archive release --case ott-v-smith --reason "settled on 9 June"'))
    .action(command<CaseOptions>((run, options) => releaseCommand(run, options)))

  const cases = root.command('cases').description('cases of legal hold')
  cases
    .command('list')
    .description('every case with its state')
    .addHelpText('after', examples('cases list', 'cases list --json'))
    .action(command((run) => casesListCommand(run)))
  cases
    .command('show')
    .description('every step of a case: who, when, why, and which messages')
    .argument('<case>', 'its name')
    .addHelpText('after', examples('cases show ott-v-smith'))
    .action(command((run, _, [name]) => casesShowCommand(run, name as string)))
}
