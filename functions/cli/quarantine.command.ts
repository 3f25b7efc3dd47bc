import type { Command } from 'commander'
import {
  type Decision,
  decide,
  dismissEntries,
  listQuarantine,
  type QuarantinedMessage,
  type QuarantineStep,
  quarantineHistory,
  quarantineName,
  retryEntries,
} from '../../shared/operations/quarantine.ts'
import { type OrderOptions, orderOf, withOrder } from './order.ts'
import { countOf, octetsText, printable, table } from './output.ts'
import type { Run } from './run.ts'
import { chosenMailboxes } from './settings.ts'
import { examples, type Wrap } from './usage.ts'

interface DecisionOptions extends OrderOptions {
  readonly dryRun?: boolean
}

const RETRY = 'tried again'

export function addQuarantineCommands(root: Command, command: Wrap): void {
  const DRY = ['--dry-run', 'tell what would be recorded, and record nothing'] as const
  const MESSAGES = ['<messages...>', 'as quarantine list names them: mailbox/folder/id'] as const
  const quarantine = root
    .command('quarantine')
    .description('messages that could not be fetched and were given up')
  quarantine
    .command('list')
    .description('what is in quarantine, and why')
    .argument('[mailboxes...]', 'ids of mailboxes (default: all)')
    .option('--all', 'those too that were dismissed')
    .addHelpText('after', examples('quarantine list', 'quarantine list invoices --all --json'))
    .action(command<{ all?: boolean }>((run, options, ids) => quarantineListCommand(run, ids, options)))
  quarantine
    .command('show')
    .description('everything that is recorded of one message: attempts, reasons, decisions')
    .argument('<message>', MESSAGES[1])
    .addHelpText('after', examples('quarantine show invoices/INBOX/17'))
    .action(command((run, _, [name]) => quarantineShowCommand(run, name as string)))
  quarantine
    .command('retry')
    .description('have the next drain fetch them again')
    .argument(...MESSAGES)
    .option('--reason <text>', 'why', RETRY)
    .option('--by <name>', 'who wants it (default: the user of this machine)')
    .option(...DRY)
    .addHelpText('after', examples('quarantine retry invoices/INBOX/17', 'drain invoices'))
    .action(command<DecisionOptions>((run, options, names) => quarantineRetryCommand(run, names, options)))
  withOrder(quarantine.command('dismiss').argument(...MESSAGES))
    .description('decide that they are not archived; the decision is recorded, under lock')
    .option(...DRY)
    .addHelpText('after', examples('quarantine dismiss invoices/INBOX/17 --reason "a virus test, 300 MB"'))
    .action(command<DecisionOptions>((run, options, names) => quarantineDismissCommand(run, names, options)))
}

async function quarantineListCommand(
  run: Run,
  ids: readonly string[],
  { all = false }: { readonly all?: boolean },
): Promise<void> {
  const { output, settings, stores, signal } = run
  const rows: string[][] = []
  for (const { id } of chosenMailboxes(settings.config, ids)) {
    if (signal.aborted) break
    for (const message of await listQuarantine(id, stores.archive)) {
      if (message.dismissed && !all) continue
      output.result({ name: quarantineName(message), ...message }, () => {
        rows.push(rowOf(message))
        return ''
      })
    }
  }
  if (!output.json) output.result({}, () => (rows.length > 0 ? table(rows) : 'Nothing is in quarantine.'))
}

function rowOf(message: QuarantinedMessage): string[] {
  const { at, code, octets, reason, dismissed } = message
  return [
    printable(quarantineName(message)),
    at.slice(0, 19).replace('T', ' '),
    code,
    octets === undefined ? '' : octetsText(octets),
    printable(dismissed ? `dismissed by ${dismissed.by}: ${dismissed.reason}` : reason),
  ]
}

async function quarantineShowCommand(run: Run, name: string): Promise<void> {
  const [message] = (await named(run, [name])) ?? []
  if (!message) return
  for (const step of await quarantineHistory(message, run.stores.archive))
    run.output.result({ name, at: step.at, ...step.entry }, () => printable(stepText(step)))
}

function stepText({ at, entry }: QuarantineStep): string {
  const when = at.slice(0, 19).replace('T', ' ')
  switch (entry.type) {
    case 'failed':
      return `${when}  attempt ${entry.attempts}: ${entry.code}: ${entry.reason}`
    case 'quarantined':
      return `${when}  given up after ${countOf(entry.attempts, 'attempt')}: ${entry.code}: ${entry.reason}`
    case 'refetch':
      return `${when}  to be fetched again, by ${entry.by}: ${entry.reason}`
    case 'dismissed':
      return `${when}  dismissed by ${entry.by}: ${entry.reason}`
  }
}

async function quarantineRetryCommand(
  run: Run,
  names: readonly string[],
  { dryRun = false, ...order }: DecisionOptions,
): Promise<void> {
  const messages = await named(run, names)
  if (!messages) return
  await decideAll(run, messages, dryRun, 'is fetched again by the next drain', (those) =>
    retryEntries(those, orderOf(order)),
  )
  const { config } = run.settings
  for (const { limitOctets, mailbox, ...message } of messages) {
    const limit = config.mailboxes.find(({ id }) => id === mailbox)?.limits.messageOctets
    if (limitOctets !== undefined && (limit ?? limitOctets) <= limitOctets)
      run.output.note(
        `mailsluice: ${quarantineName({ ...message, mailbox })} was larger than limits.messageOctets, which has not been raised since`,
      )
  }
}

async function quarantineDismissCommand(
  run: Run,
  names: readonly string[],
  { dryRun = false, ...order }: DecisionOptions,
): Promise<void> {
  const decision: Decision = orderOf(order)
  const messages = await named(run, names)
  if (messages)
    await decideAll(run, messages, dryRun, 'is dismissed', (those) => dismissEntries(those, decision))
}

/** One segment for each mailbox. */
async function decideAll(
  { output, settings, stores }: Run,
  messages: readonly QuarantinedMessage[],
  dryRun: boolean,
  what: string,
  entriesOf: (messages: readonly QuarantinedMessage[]) => Parameters<typeof decide>[2],
): Promise<void> {
  for (const mailbox of settings.config.mailboxes) {
    const those = messages.filter((message) => message.mailbox === mailbox.id)
    if (those.length === 0) continue
    const entries = entriesOf(those)
    if (!dryRun) await decide(mailbox, stores.archive, entries)
    for (const message of those) {
      const name = quarantineName(message)
      output.result({ name, dryRun, ...message }, () =>
        printable(`${name} ${dryRun ? `would be recorded: ${what}` : what}`),
      )
    }
  }
}

/** The messages in quarantine with these names; undefined, said on stderr, when one of them is not there. */
async function named(run: Run, names: readonly string[]): Promise<readonly QuarantinedMessage[] | undefined> {
  const { output, settings, stores } = run
  const all = new Map<string, QuarantinedMessage>()
  for (const { id } of settings.config.mailboxes) {
    if (!names.some((name) => name.startsWith(`${id}/`))) continue
    for (const message of await listQuarantine(id, stores.archive)) all.set(quarantineName(message), message)
  }
  const found = [...new Set(names)].flatMap((name) => {
    const message = all.get(name)
    if (!message)
      output.problem(
        'quarantine',
        new Error(`no message ${name}; nothing was changed; see mailsluice quarantine list --all`),
      )
    return message ?? []
  })
  return found.length === new Set(names).size ? found : undefined
}
