import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { PROVIDER_IDS } from '../shared/contract/providers.ts'
import { ConfigurationError, IngestError } from '../shared/errors.ts'
import type { VerifyCommandOptions } from './cli/archive-verify.command.ts'
import { addCatalogueCommands } from './cli/catalogue-commands.ts'
import type { CostOptions } from './cli/cost.command.ts'
import { addCustodyCommands } from './cli/custody-commands.ts'
import type { DrainCommandOptions } from './cli/drain.command.ts'
import type { ReceiveOptions } from './cli/events.command.ts'
import type { ReconcileCommandOptions } from './cli/ledger-reconcile.command.ts'
import { describe, Output, type Terminal } from './cli/output.ts'
import { addProofCommands } from './cli/proof-commands.ts'
import { addQuarantineCommands } from './cli/quarantine.command.ts'
import type { RelayCommandOptions } from './cli/relay.command.ts'
import type { TestRoutesOptions } from './cli/routes.command.ts'
import { type CommonOptions, Run } from './cli/run.ts'
import { examples, type Offline, positive, type Wrap } from './cli/usage.ts'

// The command line. Exit status: 0 done, 1 something failed (said on stderr), 2 usage or configuration.

const LOCAL_FOLDER = '.mailsluice'
const MAILBOXES = 'ids of mailboxes (default: all)'
const SEAL_KEY = 'public key (PEM) by which seals are checked (default: of the key that seals this archive)'
const EXIT_STATUS = 'Exit status: 0 done, 1 something failed (said on stderr), 2 usage or configuration.'

/** Runs one command; resolves to the exit status. Rejects with defects alone. */
export async function main(
  arguments_: readonly string[],
  terminal: Terminal = processTerminal(),
): Promise<number> {
  let status = 0
  const command =
    <Options>(work: (run: Run, options: Options, operands: string[]) => Promise<void>) =>
    async (...received: unknown[]): Promise<void> => {
      const self = received.at(-1) as Command
      const options = self.optsWithGlobals() as CommonOptions & Options
      status = await runOnce(options, terminal, (run) => work(run, options, self.args))
    }
  const offline: Offline =
    (work) =>
    async (...received) => {
      const self = received.at(-1) as Command
      const options = self.optsWithGlobals() as CommonOptions & Parameters<typeof work>[1]
      const output = new Output(terminal, options.json ?? false)
      await work(output, options, self.args)
      status = output.exitStatus
    }
  const init = async (address: string | undefined, _: unknown, self: Command): Promise<void> => {
    status = await (await import('./cli/init.command.ts')).initCommand(
      address,
      self.optsWithGlobals(),
      terminal,
    )
  }
  try {
    await program({ command, offline, init }, terminal).parseAsync(withLocalFolder(arguments_), {
      from: 'user',
    })
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (error instanceof IngestError) {
      terminal.stderr.write(`mailsluice: ${describe('', error)}\n`)
      return 1
    }
    if (!(error instanceof ConfigurationError)) throw error
    terminal.stderr.write(`mailsluice: ${error.message}\n`)
    return 2
  }
  return status
}

type Init = (address: string | undefined, options: unknown, self: Command) => Promise<void>

interface Actions {
  readonly command: Wrap
  readonly offline: Offline
  readonly init: Init
}

function program({ command, offline, init }: Actions, { stdout, stderr }: Terminal): Command {
  const root = new Command('mailsluice')
    .description(
      'Drains POP3 and IMAP mailboxes into a locked archive and announces every message on a queue.',
    )
    .version(manifest.version)
    .option('--config <file>', 'configuration', 'mailsluice.yaml')
    .option('--json', 'one JSON object a line on stdout, and nothing else there')
    .option(
      '--local <dir>',
      `archive as files and queues on this machine, under a folder (${LOCAL_FOLDER}); without it the AWS SDK's own settings count`,
      folder,
    )
    .addOption(
      new Option(
        '--stack <name>',
        'buckets of what was deployed to AWS under this name (aws.stack); default where archive.bucket is missing',
      ).conflicts('local'),
    )
    .option('--debug', 'show the protocol conversations on stderr, credentials masked')
    .configureHelp({
      showGlobalOptions: true,
      // A word after it is a command or mailbox.
      optionTerm: ({ long, flags }) => (long === '--local' ? '--local[=DIR]' : flags),
    })
    .showHelpAfterError('Try mailsluice --help.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .addHelpText('after', examples('check --local', 'drain --local', 'events receive --local --max 1 --full'))
    .addHelpText('after', `\n${EXIT_STATUS}`)

  root
    .command('init')
    .description('ask for one mailbox, sign in to it, and write it into the configuration')
    .argument('[address]', 'its e-mail address')
    .option('--yes', 'ask nobody: take what is found and suggested')
    .option('--no-test', 'write it without signing in')
    .option('--id <id>', 'its name here')
    .option('--provider <name>', `${PROVIDER_IDS.join(', ')}`)
    .option('--protocol <name>', 'imap or pop3')
    .option('--host <name>', 'mail server')
    .option('--port <number>', 'its port', positive)
    .option('--tls <how>', 'implicit, starttls or none')
    .option('--ca <file>', 'private CA (PEM), relative to the configuration')
    .option('--user <name>', 'name to sign in with')
    .option(
      '--credential <where>',
      'env:NAME, file:PATH, ssm:NAME or secretsmanager:ID; never the secret itself',
    )
    .option('--auth <how>', 'password or oauth2')
    .option('--grant <name>', 'client-credentials, service-account or refresh-token')
    .option('--tenant <id>', 'Microsoft 365: directory (tenant)')
    .option('--client-id <id>', 'of the application')
    .option('--token-url <url>', 'token endpoint')
    .option('--scope <scope>', 'what the token is asked for')
    .addHelpText(
      'after',
      examples(
        'init invoices@example.com',
        'init invoices@example.com --yes --provider fastmail --credential env:PASSWORD',
      ),
    )
    .action(init)
  root
    .command('check')
    .description('connect to each mailbox and to the archive and queues; change nothing')
    .argument('[mailboxes...]', MAILBOXES)
    .addHelpText('after', examples('check', 'check invoices --local --debug', 'check --stack mailsluice'))
    .action(command(async (run, _, ids) => (await import('./cli/check.command.ts')).checkCommand(run, ids)))
  root
    .command('drain')
    .description('drain the named mailboxes once: archive, announce and record what is new')
    .argument('[mailboxes...]', MAILBOXES)
    .option('--dry-run', 'fetch everything that is due, and store, announce and acknowledge nothing')
    .option('--for <duration>', 'fetch no longer than this, and end in good order: 90s, 5m, 1h')
    .addHelpText(
      'after',
      examples('drain', 'drain invoices orders --local', 'drain --for 5m --json >> drains.ndjson'),
    )
    .action(
      command<DrainCommandOptions>(async (run, options, ids) =>
        (await import('./cli/drain.command.ts')).drainCommand(run, ids, options),
      ),
    )
  root
    .command('relay')
    .description('watch mailboxes until stopped, and drain each as its mail comes')
    .argument('[mailboxes...]', MAILBOXES)
    .option('--health <port>', 'answer GET /health on this port of loopback', port)
    .option('--drain-queue <url>', 'ask the drain function by its queue (FIFO) in place of draining here')
    .addHelpText(
      'after',
      examples('relay --local', 'relay invoices --local --health 8790', 'relay --json >> relay.ndjson'),
    )
    .action(
      command<RelayCommandOptions>(async (run, options, ids) =>
        (await import('./cli/relay.command.ts')).relayCommand(run, ids, options),
      ),
    )

  const events = root.command('events').description('read the queues as a consumer would')
  events
    .command('receive')
    .description('print events and remove them from the queue')
    .option('--queue <name>', 'a name under queues', 'default')
    .option('--max <count>', 'at most this many', positive, 10)
    .option('--wait <seconds>', 'how long to wait for an event, 0 to 20', seconds, 1)
    .option('--keep', 'leave them in the queue, where others see them')
    .option('--follow', 'go on until stopped')
    .option('--full', 'the whole event, indented')
    .addHelpText(
      'after',
      examples(
        'events receive --keep --local',
        'events receive --queue invoices --max 1 --full',
        'events receive --follow --json | my-consumer',
      ),
    )
    .action(
      command<ReceiveOptions>(async (run, options) =>
        (await import('./cli/events.command.ts')).receiveCommand(run, options),
      ),
    )
  events
    .command('serve')
    .description('serve the queues of --local until stopped, for consumers with an SDK of their own')
    .addHelpText('after', examples('events serve --local', 'events serve --local=DIR --json'))
    .action(command(async (run) => (await import('./cli/events.command.ts')).serveCommand(run)))

  const archive = root.command('archive').description('look into the archive')
  archive
    .command('list')
    .description('list archived messages in the order in which they were archived')
    .argument('[mailboxes...]', MAILBOXES)
    .option('--limit <count>', 'at most this many', positive, 1000)
    .addHelpText('after', examples('archive list --limit 20', 'archive list invoices --json'))
    .action(
      command<{ limit: number }>(async (run, options, ids) =>
        (await import('./cli/archive.command.ts')).listCommand(run, ids, options),
      ),
    )
  archive
    .command('get')
    .description('write the octets of one message to stdout')
    .argument('<id>', 'SHA-256 or its first 6 digits, <mailbox>/<sha256>, or a key')
    .option('--output <file>', 'to a file that is not there yet')
    .addHelpText(
      'after',
      examples('archive get 93b964c092a1 | less', 'archive get 93b964c092a1 --output message.eml'),
    )
    .action(
      command<{ output?: string }>(async (run, options, [id]) =>
        (await import('./cli/archive.command.ts')).getCommand(run, id as string, options),
      ),
    )
  archive
    .command('authentication')
    .description('what DKIM, SPF and DMARC gave when a message came; verified again by what DNS said then')
    .argument('<id>', 'SHA-256 or its first 6 digits, <mailbox>/<sha256>, or a key')
    .addHelpText('after', examples('archive authentication 93b964c092a1 --local'))
    .action(
      command(async (run, _, [id]) =>
        (await import('./cli/authentication.command.ts')).authenticationCommand(run, id as string),
      ),
    )
  addCatalogueCommands(root, archive, command)
  addCustodyCommands(root, archive, command)

  archive
    .command('verify')
    .description('compare everything in the archive with what is recorded: chain, objects, versions, locks')
    .argument('[mailboxes...]', 'ids of mailboxes (default: everything in the archive)')
    .option('--deep', 'read and hash the octets too')
    .option(
      '--sample <percent>',
      'inspect this part of the messages, chosen by chance; all are listed',
      percent,
    )
    .option('--resume <file>', 'keep there how far it has come, and go on from there')
    .option('--key <file>', SEAL_KEY)
    .addHelpText(
      'after',
      examples(
        'archive verify',
        'archive verify invoices --deep --resume verify.json',
        'archive verify --sample 5 --json',
      ),
    )
    .action(
      command<VerifyCommandOptions>(async (run, options, ids) =>
        (await import('./cli/archive-verify.command.ts')).archiveVerifyCommand(run, ids, options),
      ),
    )

  const ledger = root.command('ledger').description('the record of what was done')
  ledger
    .command('show')
    .description('print every segment with its entries')
    .argument('[mailboxes...]', MAILBOXES)
    .addHelpText('after', examples('ledger show invoices', 'ledger show --json'))
    .action(command(async (run, _, ids) => (await import('./cli/ledger.command.ts')).showCommand(run, ids)))
  ledger
    .command('verify')
    .description('check the chain of segments against the seals, and that every object they name is there')
    .argument('[mailboxes...]', MAILBOXES)
    .option('--key <file>', SEAL_KEY)
    .addHelpText('after', examples('ledger verify', 'ledger verify invoices --local'))
    .action(
      command<{ key?: string }>(async (run, options, ids) =>
        (await import('./cli/ledger.command.ts')).verifyCommand(run, ids, options),
      ),
    )

  ledger
    .command('reconcile')
    .description(
      'compare each mailbox on its server with the archive, and give a reason for every difference',
    )
    .argument('[mailboxes...]', MAILBOXES)
    .option('--repair', 'fetch what is missing, then compare again')
    .option('--store', 'keep the certificate in the archive, as evidence')
    .addHelpText(
      'after',
      examples('ledger reconcile', 'ledger reconcile invoices --repair --store', 'ledger reconcile --json'),
    )
    .action(
      command<ReconcileCommandOptions>(async (run, options, ids) =>
        (await import('./cli/ledger-reconcile.command.ts')).reconcileCommand(run, ids, options),
      ),
    )
  addProofCommands({ archive, ledger }, command, offline)

  const routes = root.command('routes').description('the rules that send messages to queues')
  routes
    .command('test')
    .description('show which routes the message in a file would take, and why')
    .argument('<file>', 'a message (.eml)')
    .option('--mailbox <id>', 'as if it came from this mailbox (default: the first)')
    .addHelpText(
      'after',
      examples('routes test invoice.eml', 'routes test invoice.eml --mailbox orders --json'),
    )
    .action(
      offline<TestRoutesOptions>(async (...given) =>
        (await import('./cli/routes.command.ts')).testRoutesCommand(...given),
      ),
    )

  addQuarantineCommands(root, command)

  root
    .command('apply')
    .description('store the configuration where the Lambdas read it')
    .addHelpText('after', examples('apply', 'apply --config production.yaml --stack mailsluice'))
    .action(command(async (run) => (await import('./cli/apply.command.ts')).applyCommand(run)))
  root
    .command('cost')
    .description('estimate what a deployment to AWS costs a month; asks nobody')
    .requiredOption('--messages <count>', 'a month, of all mailboxes', positive)
    .option('--size <octets>', 'of a message, on average: 75000, 75k, 1M', octets, 75_000)
    .option('--mailboxes <count>', 'so many, in place of those of the configuration', positive)
    .option('--every <duration>', 'how often each is looked at (default: as configured, or 5m)')
    .option('--months <count>', 'of mail that are kept', positive, 12)
    .option('--relay', 'with the relay')
    .addHelpText(
      'after',
      examples('cost --messages 20000', 'cost --mailboxes 1000 --messages 1000000 --size 75k --every 10m'),
    )
    .action(
      offline<CostOptions>(async (output, options) =>
        (await import('./cli/cost.command.ts')).costCommand(output, options),
      ),
    )
  return root
}

async function runOnce(
  options: CommonOptions,
  terminal: Terminal,
  work: (run: Run) => Promise<void>,
): Promise<number> {
  const run = await Run.open(options, terminal)
  const stop = (): void => {
    run.output.note('mailsluice: ending in good order; press Ctrl-C again to end at once.')
    run.stop()
  }
  // After the first the default is back: the second ends the process.
  for (const signal of SIGNALS) process.once(signal, stop)
  try {
    await work(run)
    return run.output.exitStatus
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop)
    await run.close()
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** `--local` may stand alone or carry its folder after `=`; a word after it is a command or mailbox. */
function withLocalFolder(arguments_: readonly string[]): string[] {
  return arguments_.map((argument) => (argument === '--local' ? `--local=${LOCAL_FOLDER}` : argument))
}

function folder(text: string): string {
  if (text === '') throw new InvalidArgumentError('Expected a folder, or --local alone.')
  return text
}

function percent(text: string): number {
  if (!/^([1-9]\d?|100)$/.test(text)) throw new InvalidArgumentError('Expected a percentage from 1 to 100.')
  return Number(text)
}

function octets(text: string): number {
  const [, count, unit = ''] = /^([1-9]\d{0,9})([kM]?)$/.exec(text) ?? []
  if (count === undefined) throw new InvalidArgumentError('Expected octets: 75000, 75k or 1M.')
  return Number(count) * { '': 1, k: 1000, M: 1_000_000 }[unit as '' | 'k' | 'M']
}

function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError('Expected a port: 1 to 65535, or 0 for any that is free.')
  return Number(text)
}

function seconds(text: string): number {
  if (!/^(1?\d|20)$/.test(text)) throw new InvalidArgumentError('Expected seconds from 0 to 20.')
  return Number(text)
}

function processTerminal(): Terminal {
  // A reader that has seen enough (head) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return { stdout: process.stdout, stderr: process.stderr, stdin: process.stdin, environment: process.env }
}
