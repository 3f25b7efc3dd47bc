import * as z from 'zod'
import type { Config, RetentionConfig } from './config.ts'
import { parseSqsAddress } from './queue-address.ts'

// The optional section `aws` of mailsluice.yaml: what the stacks in infra/ are told and no drain needs to know. Everything has a default.

const ROLE = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/
const ROLE_PATTERN = /^arn:aws[a-z-]*:iam::(\d{12}|\*):role\/[\w+=,.@/*?-]+$/
const BUCKET = /^arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const KEY = /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/

/** The values that CloudWatch Logs takes. */
const LOG_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2557, 3653,
] as const

/** Fargate's sizes for small tasks: CPU units (1024 = 1 vCPU), and the MiB that each may have. */
export const RELAY_SIZES: Readonly<Record<number, readonly number[]>> = {
  256: [512, 1024, 2048],
  512: [1024, 2048, 3072, 4096],
  1024: [2048, 3072, 4096],
}

export const deploymentSchema = z.strictObject({
  stack: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,30}$/, 'expected lower-case letters, digits and hyphens, at most 31')
    .default('mailsluice')
    .describe('The stacks are NAME-archive and NAME-ingest; metrics and alarms carry the name.'),

  encryption: z
    .enum(['kms', 's3'])
    .default('kms')
    .describe(
      'kms: a key of your own (1 USD a month), without which nobody reads the mail. s3: keys that S3 owns, free.',
    ),
  complianceConfirmed: z
    .boolean()
    .default(false)
    .describe('Must be true before anything is kept in compliance mode: it is final for every message.'),
  eventHold: z
    .strictObject({ days: z.int().min(1).max(36_500) })
    .optional()
    .describe('New mail is held until its hold is released, and for this many days more.'),
  recordsOfficer: z
    .string()
    .regex(ROLE, 'expected the ARN of a role')
    .optional()
    .describe(
      'The only role that may delete or lift retention. Default: a role of the stack, with MFA to assume it.',
    ),
  deployers: z
    .array(z.string().regex(ROLE_PATTERN, 'expected the ARN of a role; * and ? may stand in it'))
    .min(1)
    .optional()
    .describe(
      "Who may change the archive bucket's settings. Default: the role with which CloudFormation deploys for the CDK.",
    ),
  retentionChange: z
    .boolean()
    .default(false)
    .describe(
      'Lets a deployment change archive.retention. Only for the deployments before and with the change.',
    ),
  coldStorage: z
    .union([
      z.literal(false),
      z.strictObject({
        afterDays: z.int().min(30).max(36_500).default(90),
        class: z.enum(['standard-ia', 'glacier-instant-retrieval']).default('glacier-instant-retrieval'),
        minimumOctets: z
          .int()
          .min(131_072)
          .max(5_000_000_000)
          .default(131_072)
          .describe('Colder classes bill 128 KiB for anything smaller.'),
      }),
    ])
    .default({ afterDays: 90, class: 'glacier-instant-retrieval', minimumOctets: 131_072 })
    .describe('Where large mail goes when it is old; both classes answer at once. false: it stays.'),
  replication: z
    .strictObject({
      bucket: z
        .string()
        .regex(BUCKET, 'expected the ARN of a bucket')
        .describe('With Object Lock and versions.'),
      region: z
        .string()
        .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'expected a region, such as eu-central-1')
        .optional(),
      account: z
        .string()
        .regex(/^\d{12}$/, 'expected an account id: 12 digits, in quotes')
        .optional()
        .describe("The bucket's owner, when it is another account."),
      key: z
        .string()
        .regex(KEY, 'expected the ARN of a KMS key')
        .optional()
        .describe('Encrypts there. Required when the archive is encrypted with kms.'),
    })
    .optional()
    .describe('A second copy with the same locks, in another region or account.'),
  derivedDays: z
    .int()
    .min(1)
    .max(36_500)
    .default(90)
    .describe('Extracted attachments and long metadata expire; they can be made again from the archive.'),
  accessLogDays: z
    .int()
    .min(90)
    .max(36_500)
    .default(400)
    .describe('Who read what: a year and a month, so that a yearly audit sees all of it.'),
  logDays: z
    .union(
      LOG_DAYS.map((days) => z.literal(days)),
      { error: `expected one of ${LOG_DAYS.join(', ')}` },
    )
    .default(90),

  alarms: z
    .strictObject({
      email: z.array(z.email()).default([]).describe('Each gets a mail that asks to confirm.'),
      missedIntervals: z
        .int()
        .min(1)
        .max(100)
        .default(3)
        .describe('Intervals without a successful look after which a mailbox counts as silent.'),
      queueAgeMinutes: z.int().min(5).max(1440).default(30),
    })
    .prefault({}),
  parameterPrefix: z
    .string()
    .regex(
      /^\/[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*\/$/,
      'expected a path with / at both ends, such as /mailsluice/',
    )
    .optional()
    .describe(
      'The functions may read every parameter under it, so that a new mailbox needs no deployment. Default: those that are named, each by its name.',
    ),
  keys: z
    .array(z.string().regex(KEY, 'expected the ARN of a KMS key'))
    .default([])
    .describe(
      'Keys of your own that encrypt parameters, secrets or queues named above: the functions may use them.',
    ),
  drains: z
    .strictObject({
      atOnce: z.int().min(2).max(1000).default(20).describe('Mailboxes drained at the same time, at most.'),
      reserved: z
        .boolean()
        .default(false)
        .describe('Takes them from the account’s concurrency for good; new accounts have 10 in all.'),
      memoryMib: z.int().min(512).max(10_240).default(1024),
    })
    .prefault({}),
  search: z
    .strictObject({
      gigabytes: z
        .int()
        .min(1)
        .max(100_000)
        .default(100)
        .describe(
          'What one search may scan; it is stopped above it. 100 are half a dollar, and the ledgers of 150 million messages.',
        ),
      answerDays: z
        .int()
        .min(1)
        .max(365)
        .default(1)
        .describe('Answers of searches name senders and subjects; they are read within the hour.'),
    })
    .prefault({})
    .describe('`archive search` in AWS, by Athena.'),
  probesAtOnce: z
    .int()
    .min(2)
    .max(1000)
    .default(10)
    .describe('Groups of 25 mailboxes probed at the same time.'),
  network: z
    .strictObject({
      staticAddress: z
        .boolean()
        .default(false)
        .describe(
          'Everything leaves by one IPv4 address of your own, for providers that want to know it: a VPC with a NAT gateway, 33 USD a month.',
        ),
    })
    .prefault({}),
  relay: z
    .strictObject({
      enabled: z.boolean().default(false),
      shards: z
        .int()
        .min(1)
        .max(50)
        .default(1)
        .describe('Tasks that share the mailboxes; one holds about 2,000.'),
      cpu: z.union([z.literal(256), z.literal(512), z.literal(1024)]).default(256),
      memoryMib: z.int().min(512).max(4096).default(512),
    })
    .prefault({}),
})

export type Deployment = z.infer<typeof deploymentSchema>

/** The section with every default filled in, also when there is none. */
export function deploymentOf(config: Pick<Config, 'aws'>): Deployment {
  return config.aws ?? deploymentSchema.parse({})
}

export function archiveStackName({ stack }: Pick<Deployment, 'stack'>): string {
  return `${stack}-archive`
}

export function ingestStackName({ stack }: Pick<Deployment, 'stack'>): string {
  return `${stack}-ingest`
}

/** Outputs of the stacks by which `--stack` finds what was deployed. */
export const OUTPUTS = {
  archive: {
    archiveBucket: 'ArchiveBucket',
    stateBucket: 'StateBucket',
    derivedBucket: 'DerivedBucket',
    recordsOfficer: 'RecordsOfficerRole',
    archiveKey: 'ArchiveKey',
    sealKey: 'SealKey',
    replicationRole: 'ReplicationRole',
    searchWorkgroup: 'SearchWorkgroup',
    searchDatabase: 'SearchDatabase',
    searcherPolicy: 'SearcherPolicy',
  },
  ingest: {
    drainRequestsUrl: 'DrainRequestsQueueUrl',
    alarmTopic: 'AlarmTopic',
    dashboard: 'Dashboard',
    drainRole: 'DrainRole',
    staticAddress: 'StaticAddress',
  },
} as const

/** Output with the URL of an event queue, by its name under `queues`. Output names take letters and digits alone. */
export function eventQueueOutput(queue: string): string {
  const words = queue.split('-').map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  return `EventQueueUrl${words.join('')}`
}

/** A parameter of Parameter Store or a secret, as its `credential` names it. */
export interface SecretReference {
  readonly kind: 'ssm' | 'secretsmanager'
  readonly name: string
}

/** Undefined for a credential on a machine: no Lambda can read that. */
export function secretReference(credential: string): SecretReference | undefined {
  const [, kind, name] = /^(ssm|secretsmanager):(.+)$/.exec(credential) ?? []
  return kind && name ? { kind: kind as SecretReference['kind'], name } : undefined
}

/** Secrets that one role can be given by name: its policies hold 10,240 characters, and an ARN takes up to 200 of them. */
export const NAMED_SECRETS_MOST = 30

/** Mailboxes with a retention of their own that the bucket policy can guard: it holds 20 KB, and each takes up to 2.4 KB. */
export const OWN_RETENTIONS_MOST = 7

/** What is wrong with a valid configuration for a deployment: each mistake a line `path: what is wrong; expected what`. */
export function deploymentProblems(config: Config): readonly string[] {
  const aws = deploymentOf(config)
  const problems: string[] = []
  const { retention } = config.archive
  if (!retention)
    problems.push(
      'archive.retention: missing; expected { days: N }: how long mail is kept is for a lawyer to say, so there is no default',
    )
  problems.push(...complianceProblems(config, aws))
  if (aws.replication && aws.encryption === 'kms' && !aws.replication.key)
    problems.push(
      'aws.replication.key: missing; expected the KMS key that encrypts the copy, for the archive has one',
    )
  if (aws.replication && aws.encryption === 's3' && aws.replication.key)
    problems.push(
      'aws.replication.key: the archive is encrypted with s3; remove it or use aws.encryption: kms',
    )
  const own = ownRetentions(config).length
  if (own > OWN_RETENTIONS_MOST)
    problems.push(
      `mailboxes: ${own} have a retention of their own, more than a bucket policy can guard; expected at most ${OWN_RETENTIONS_MOST}, or a stack for each retention`,
    )
  problems.push(...queueProblems(config.queues), ...secretProblems(config, aws))
  config.mailboxes.forEach((mailbox, index) => {
    if (mailbox.tls === 'none')
      problems.push(
        `mailboxes[${index}].tls: none is for a server on this machine; expected implicit or starttls`,
      )
  })
  return problems
}

function complianceProblems(config: Config, aws: Deployment): string[] {
  if (aws.complianceConfirmed) return []
  const final = (path: string): string =>
    `${path}: compliance is final: nobody, not even the account's root user, can delete such mail or shorten its retention; expected governance, or aws.complianceConfirmed: true beside it`
  return [
    ...(config.archive.retention?.mode === 'compliance' ? [final('archive.retention.mode')] : []),
    ...config.mailboxes.flatMap(({ retention }, index) =>
      retention?.mode === 'compliance' ? [final(`mailboxes[${index}].retention.mode`)] : [],
    ),
  ]
}

function queueProblems(queues: Config['queues']): string[] {
  return Object.entries(queues).flatMap(([name, text]) => {
    const address = parseSqsAddress(text)
    // A role is given the right to send by ARN, which takes the region.
    if (address?.url !== undefined && address.region === undefined)
      return [`queues.${name}: ${text} does not tell its region; expected its ARN`]
    return []
  })
}

function secretProblems({ mailboxes }: Config, { parameterPrefix }: Deployment): string[] {
  const problems: string[] = []
  /** What roles name: once to read it, and once to replace it. */
  const named = new Set<string>()
  mailboxes.forEach(({ credential, oauth2 }, index) => {
    const secret = secretReference(credential)
    const path = `mailboxes[${index}].credential`
    if (!secret) {
      problems.push(`${path}: ${credential} is on this machine; expected ssm:NAME or secretsmanager:ID`)
      return
    }
    if (secret.kind === 'ssm' && parameterPrefix !== undefined) {
      if (!secret.name.startsWith(parameterPrefix))
        problems.push(
          `${path}: ${secret.name} is not under aws.parameterPrefix; expected ${parameterPrefix}…`,
        )
    } else named.add(credential)
    if (oauth2?.grant === 'refresh-token') named.add(`replaced ${credential}`)
  })
  if (named.size > NAMED_SECRETS_MOST)
    problems.push(
      `mailboxes: ${named.size} credentials, those with a refresh token counted twice, do not fit into the policy of a role; expected at most ${NAMED_SECRETS_MOST}, or ssm: parameters under one aws.parameterPrefix`,
    )
  return problems
}

/** Mailboxes with a retention of their own, which asks for a right that a drain has not otherwise. */
export function ownRetentions({
  mailboxes,
}: Config): readonly { readonly mailbox: string; readonly retention: RetentionConfig }[] {
  return mailboxes.flatMap(({ id, retention }) => (retention ? [{ mailbox: id, retention }] : []))
}
