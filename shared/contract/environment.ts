// What the stack tells each function: infra sets these variables (`satisfies …Environment`), an entry point reads them once, when it
// starts. Nothing else of the environment is ours; the AWS SDK reads its own (region, credentials, AWS_ENDPOINT_URL_…).

/** DEPLOYMENT: name of the stack, told apart in metrics and logs by it. */
type Common = 'DEPLOYMENT' | 'STATE_BUCKET'

/** functions/schedule-drains.lambda.ts. TICK_SECONDS: the rate of the schedule that calls it. */
export type ScheduleDrainsEnvironment = Readonly<Record<Common | 'PROBE_QUEUE_URL' | 'TICK_SECONDS', string>>

/** functions/probe-mailboxes.lambda.ts */
export type ProbeMailboxesEnvironment = Readonly<
  Record<Common | 'ARCHIVE_BUCKET' | 'DRAIN_QUEUE_URL', string>
>

/** functions/drain-mailbox.lambda.ts. It sends its continuations to the queue that it is called from. */
export type DrainMailboxEnvironment = Readonly<
  Record<Common | 'ARCHIVE_BUCKET' | 'DERIVED_BUCKET' | 'DRAIN_QUEUE_URL', string>
>

/** functions/hold-new-mail.lambda.ts */
export type HoldNewMailEnvironment = Readonly<Record<Common | 'ARCHIVE_BUCKET', string>>

/** functions/verify-authentication.lambda.ts */
export type VerifyAuthenticationEnvironment = HoldNewMailEnvironment

/** functions/seal-ledgers.lambda.ts. SEAL_KEY: ARN of the KMS key that signs. */
export type SealLedgersEnvironment = Readonly<Record<Common | 'ARCHIVE_BUCKET' | 'SEAL_KEY', string>>

/** The variables of a process, or what a test has in their place. */
export type Environment = Readonly<Record<string, string | undefined>>

interface CommonSettings {
  readonly deployment: string
  readonly stateBucket: string
}

export interface ScheduleDrainsSettings extends CommonSettings {
  readonly probeQueueUrl: string
  readonly tickMs: number
}

/** Of the functions that sign in to mailboxes. */
export interface MailboxFunctionSettings extends CommonSettings {
  readonly archiveBucket: string
  /** Of the drain alone. */
  readonly derivedBucket?: string
  readonly drainQueueUrl: string
}

/** Of functions/hold-new-mail.lambda.ts and functions/verify-authentication.lambda.ts. */
export interface HoldNewMailSettings extends CommonSettings {
  readonly archiveBucket: string
}

/** Of functions/seal-ledgers.lambda.ts. */
export interface SealLedgersSettings extends CommonSettings {
  readonly archiveBucket: string
  readonly sealKey: string
}

/** Of functions/idle-relay.task.ts; the variables are in idle-relay.ts. */
export interface IdleRelaySettings extends MailboxFunctionSettings {
  readonly shard: { readonly index: number; readonly count: number }
  readonly healthPort: number
  readonly heartbeatFile: string
}

const NAME = /^[a-z][a-z0-9-]{0,62}$/
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const QUEUE_URL = /^https?:\/\/[^/\s]+\/\S*[A-Za-z0-9_-]$/
const FIFO_QUEUE_URL = /^https?:\/\/[^/\s]+\/\S*[A-Za-z0-9_-]\.fifo$/

const KEY = /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/

const ARCHIVE_BUCKET = ['ARCHIVE_BUCKET', BUCKET, 'the name of an S3 bucket'] as const

/** EventBridge Scheduler counts in minutes; a tick longer than an hour would be late for everybody. */
const TICK_SECONDS = { least: 60, most: 3600 } as const

/** Far more than 10,000 mailboxes need. */
const SHARDS_MOST = 1000

/** Throws a TypeError that names every variable that is missing, empty or malformed. */
export function readScheduleDrainsEnvironment(environment: Environment): ScheduleDrainsSettings {
  const read = new Reader(environment)
  const settings = {
    ...readCommon(read),
    probeQueueUrl: read.matching('PROBE_QUEUE_URL', QUEUE_URL, 'the URL of an SQS queue'),
    tickMs: read.whole('TICK_SECONDS', TICK_SECONDS) * 1000,
  }
  return read.finish(settings)
}

/** Throws a TypeError that names every variable that is missing, empty or malformed. */
export function readProbeMailboxesEnvironment(environment: Environment): MailboxFunctionSettings {
  return readMailboxFunction(environment)
}

/** Throws a TypeError that names every variable that is missing, empty or malformed. */
export function readDrainMailboxEnvironment(environment: Environment): MailboxFunctionSettings {
  const read = new Reader(environment)
  return read.finish({
    ...readVisitor(read),
    derivedBucket: read.matching('DERIVED_BUCKET', BUCKET, 'the name of an S3 bucket'),
  })
}

/** Throws a TypeError that names every variable that is missing, empty or malformed. */
export function readHoldNewMailEnvironment(environment: Environment): HoldNewMailSettings {
  const read = new Reader(environment)
  return read.finish({ ...readCommon(read), archiveBucket: read.matching(...ARCHIVE_BUCKET) })
}

/** Throws a TypeError that names every variable that is missing, empty or malformed. */
export const readVerifyAuthenticationEnvironment: typeof readHoldNewMailEnvironment =
  readHoldNewMailEnvironment

/** Throws a TypeError that names every variable that is missing, empty or malformed. */
export function readSealLedgersEnvironment(environment: Environment): SealLedgersSettings {
  const read = new Reader(environment)
  return read.finish({
    ...readCommon(read),
    archiveBucket: read.matching(...ARCHIVE_BUCKET),
    sealKey: read.matching('SEAL_KEY', KEY, 'the ARN of a KMS key'),
  })
}

/** Throws a TypeError that names every variable that is missing, empty or malformed. */
export function readIdleRelayEnvironment(environment: Environment): IdleRelaySettings {
  const read = new Reader(environment)
  const count = read.whole('SHARD_COUNT', { least: 1, most: SHARDS_MOST })
  const index = read.whole('SHARD_INDEX', { least: 0, most: Math.max(1, count || SHARDS_MOST) - 1 })
  return read.finish({
    ...readVisitor(read),
    shard: { index, count },
    healthPort: read.whole('HEALTH_PORT', { least: 0, most: 65_535 }),
    heartbeatFile: read.matching('HEARTBEAT_FILE', /^\/./, 'an absolute path'),
  })
}

function readMailboxFunction(environment: Environment): MailboxFunctionSettings {
  const read = new Reader(environment)
  return read.finish(readVisitor(read))
}

function readVisitor(read: Reader): MailboxFunctionSettings {
  return {
    ...readCommon(read),
    archiveBucket: read.matching(...ARCHIVE_BUCKET),
    drainQueueUrl: read.matching('DRAIN_QUEUE_URL', FIFO_QUEUE_URL, 'the URL of an SQS FIFO queue'),
  }
}

function readCommon(read: Reader): CommonSettings {
  return {
    deployment: read.matching('DEPLOYMENT', NAME, 'the name of a stack: lower-case letters, digits, hyphens'),
    stateBucket: read.matching('STATE_BUCKET', BUCKET, 'the name of an S3 bucket'),
  }
}

/** Collects what is wrong, so that one deployment tells everything. */
class Reader {
  readonly #environment: Environment
  readonly #problems: string[] = []

  constructor(environment: Environment) {
    this.#environment = environment
  }

  matching(name: string, pattern: RegExp, expected: string): string {
    const value = this.#environment[name]
    if (value === undefined) this.#problems.push(`${name}: missing; expected ${expected}`)
    else if (value === '') this.#problems.push(`${name}: empty; expected ${expected}`)
    else if (!pattern.test(value)) this.#problems.push(`${name}: ${value} is not ${expected}`)
    return value ?? ''
  }

  whole(name: string, { least, most }: { readonly least: number; readonly most: number }): number {
    const expected = `a whole number from ${least} to ${most}`
    const problems = this.#problems.length
    const value = Number(this.matching(name, /^\d{1,9}$/, expected))
    if (this.#problems.length === problems && (value < least || value > most))
      this.#problems.push(`${name}: ${value} is not ${expected}`)
    return value
  }

  finish<Settings extends object>(settings: Settings): Readonly<Settings> {
    if (this.#problems.length > 0) throw new TypeError(`the environment: ${this.#problems.join('; ')}`)
    return Object.freeze(settings)
  }
}
