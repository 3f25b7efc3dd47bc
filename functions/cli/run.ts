import type { Custody } from '../../shared/archive/custody.ts'
import type { MailboxConfig } from '../../shared/contract/config.ts'
import type { Credentials } from '../../shared/credentials/credentials.ts'
import { openCredentials } from '../../shared/credentials/open.ts'
import type { MailboxSession } from '../../shared/mailbox/mailbox.ts'
import type { MailboxToCheck } from '../../shared/operations/check.ts'
import type { Perishable } from '../../shared/operations/expiry.ts'
import { mailboxOpener } from '../compose.ts'
import { openLocalCustody, openLocalStores } from '../local-stores.ts'
import type { Stores } from '../stores.ts'
import { type Buckets, findBuckets } from './buckets.ts'
import { Output, printable, type Terminal } from './output.ts'
import { readSettings, type Settings } from './settings.ts'

type AwsStores = typeof import('../aws-stores.ts')

/** Options that every command takes. */
export interface CommonOptions {
  readonly config: string
  readonly json?: boolean
  /** Folder of the archive and queues on this machine. */
  readonly local?: string
  /** Name of what was deployed, whose stacks tell the buckets. */
  readonly stack?: string
  readonly debug?: boolean
}

/** One run of a command: its settings, what it says, and the stores once it needs them. */
export class Run {
  readonly settings: Settings
  readonly output: Output
  readonly options: CommonOptions
  /** Undefined with --local. */
  readonly buckets: Buckets | undefined
  readonly #terminal: Terminal
  /** Undefined with --local. */
  readonly #aws: AwsStores | undefined
  readonly #ended: AbortController = new AbortController()
  #stores: Stores | undefined
  /** One for all mailboxes: what they share is asked for once. */
  #credentials: Credentials | undefined

  private constructor(
    options: CommonOptions,
    terminal: Terminal,
    settings: Settings,
    buckets: Buckets | undefined,
    aws: AwsStores | undefined,
  ) {
    this.options = options
    this.#terminal = terminal
    this.output = new Output(terminal, options.json ?? false)
    this.settings = settings
    this.buckets = buckets
    this.#aws = aws
  }

  /** Rejects with a ConfigurationError, and with STACK_UNREADABLE where a stack is to tell the buckets. */
  static async open(options: CommonOptions, terminal: Terminal): Promise<Run> {
    const { config: file, local, stack } = options
    const settings = readSettings(file)
    const buckets =
      local === undefined ? await findBuckets(file, settings.config, stack, terminal.environment) : undefined
    const aws = local === undefined ? await import('../aws-stores.ts') : undefined
    return new Run(options, terminal, settings, buckets, aws)
  }

  /** Opened on first use. */
  get stores(): Stores {
    this.#stores ??= this.#openStores()
    return this.#stores
  }

  /** What the records officer may do with what is archived. Whoever opens it closes it. */
  openCustody(): Custody & { close(): void } {
    if (this.buckets && this.#aws)
      return this.#aws.openAwsCustody(this.buckets.archive, this.#terminal.environment)
    return { ...openLocalCustody(this.options.local as string), close() {} }
  }

  get environment(): Terminal['environment'] {
    return this.#terminal.environment
  }

  /** Aborted when the operator wants an orderly end. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** `authorities`: PEM by path, when the configuration was read anew. `signal` drops the session, or the connection that is being made. */
  opener(
    mailbox: MailboxConfig,
    authorities: Settings['authorities'] = this.settings.authorities,
    signal?: AbortSignal,
  ): () => Promise<MailboxSession> {
    const { credentials } = this
    const transcript = this.transcript(mailbox.id)
    return mailboxOpener(mailbox, { credentials, authorities, transcript, signal })
  }

  /** Where the conversations with a mailbox's server go; undefined without --debug. */
  transcript(mailbox: MailboxConfig['id']): ((line: string) => void) | undefined {
    if (!this.options.debug) return undefined
    return (line) => this.output.note(`${mailbox} ${printable(line)}`)
  }

  toCheck(mailbox: MailboxConfig): MailboxToCheck {
    return { open: this.opener(mailbox), ...this.perishable(mailbox) }
  }

  perishable(
    mailbox: MailboxConfig,
    authorities: Settings['authorities'] = this.settings.authorities,
  ): Perishable {
    return {
      login: this.credentials.login(mailbox),
      authority: mailbox.ca === undefined ? undefined : authorities[mailbox.ca],
    }
  }

  get credentials(): Credentials {
    const { folder } = this.settings
    this.#credentials ??= openCredentials({ environment: this.environment, folder })
    return this.#credentials
  }

  /** An orderly end; the caller presses again to end at once. */
  stop(): void {
    this.#ended.abort()
  }

  async close(): Promise<void> {
    await this.#stores?.close()
  }

  #openStores(): Stores {
    const { config } = this.settings
    const { buckets } = this
    if (!buckets || !this.#aws) return openLocalStores(config, this.options.local as string)
    return this.#aws.openAwsStores(
      {
        bucket: buckets.archive,
        stateBucket: buckets.state,
        derivedBucket: buckets.derived,
        queues: config.queues,
      },
      this.#terminal.environment,
    )
  }
}
