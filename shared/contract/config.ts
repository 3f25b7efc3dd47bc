import * as z from 'zod'
import { lineOf, linesOf, sayMistake } from './config-mistakes.ts'
import { configMistakes } from './config-rules.ts'
import { deploymentSchema } from './deployment.ts'
import { MAILBOX_ID_PATTERN, type MailboxId } from './ids.ts'
import { oauth2Schema } from './oauth2.ts'
import { withPreset } from './presets.ts'
import { PROVIDER_IDS } from './providers.ts'
import { routeSchema } from './routes.ts'
import { isGroup } from './written.ts'

// mailsluice.yaml, version 1: one schema for validation, types and the JSON Schema that editors use.

/** Text of a certain form: the same is expected whether it is of another one or missing. */
function formed(pattern: RegExp, expected: string) {
  const error = ({ input }: { readonly input?: unknown }): string =>
    input === undefined ? `missing; expected ${expected}` : `expected ${expected}`
  return z.string({ error }).regex(pattern, { error })
}

const retentionSchema = z.strictObject({
  mode: z
    .enum(['governance', 'compliance'])
    .default('governance')
    .describe(
      'governance: a records officer may lift it. compliance: nobody can, not even the account owner.',
    ),
  days: z.int().min(1).max(36_500),
})

/** `5m`, `1h`, `90s`, `1d`. */
const DURATION = /^([1-9]\d{0,5})(s|m|h|d)$/
const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

const durationSchema = formed(DURATION, 'a number and a unit: 90s, 5m, 1h or 1d').describe(
  'A duration: 90s, 5m, 1h, 1d.',
)

const CREDENTIAL = /^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|ssm:.+|secretsmanager:.+)$/

/** A name without port or scheme, or an address; IPv6 also in brackets. */
const HOST = /^(\[[0-9a-f:.]+\]|[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*|[^\s:/@[\]]+)$/i

const day = z.iso.date({ error: 'expected a date: YYYY-MM-DD' })

const afterArchiveSchema = z.union(
  [
    z.enum(['keep', 'seen', 'delete']),
    z.strictObject({
      flag: formed(/^[A-Za-z0-9$_.-]{1,64}$/, 'an IMAP keyword: letters, digits, $ _ . -'),
    }),
    z.strictObject({ move: z.string().min(1) }),
    z.strictObject({ deleteAfterDays: z.int().min(1).max(36_500) }),
  ],
  {
    error: 'expected keep, seen, delete, { flag: NAME }, { move: FOLDER } or { deleteAfterDays: 1 to 36500 }',
  },
)

const mailboxSchema = z.strictObject({
  id: formed(
    MAILBOX_ID_PATTERN,
    'lower-case letters, digits and hyphens, at most 63, beginning with a letter or digit',
  ),
  provider: z
    .enum(PROVIDER_IDS)
    .optional()
    .describe('Fills in what is known of this provider; what is written here wins (docs/providers.md).'),
  protocol: z.enum(['imap', 'pop3']),
  host: formed(HOST, 'a host name or address alone; the port has a setting of its own'),
  port: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe('Default 993 and 995 (implicit), 143 and 110 (starttls, none).'),
  tls: z
    .enum(['implicit', 'starttls', 'none'])
    .default('implicit')
    .describe('`none` is refused unless the host is loopback.'),
  ca: z.string().min(1).optional().describe('File with a private CA (PEM), relative to this file.'),
  user: formed(/^[^\x00-\x1f\x7f]+$/, 'the name to sign in with'),
  credential: formed(
    CREDENTIAL,
    'where the secret is, and not the secret: env:NAME, file:PATH, ssm:NAME or secretsmanager:ID',
  ),
  auth: z.enum(['password', 'oauth2']).default('password'),
  oauth2: oauth2Schema.optional(),
  folders: z
    .array(z.string().min(1))
    .min(1)
    .default(['INBOX'])
    .describe(
      'IMAP; globs (`*` and `?`), or uses like \\All (RFC 6154), in whatever language the folder is named.',
    ),
  skipFolders: z
    .array(z.string().min(1))
    .optional()
    .describe('IMAP; what a wildcard in `folders` leaves out: globs, or uses like \\All (RFC 6154).'),
  search: z
    .strictObject({
      since: day.optional(),
      before: day.optional(),
      from: z.string().min(1).optional(),
      subject: z.string().min(1).optional(),
    })
    .optional()
    .describe(
      'IMAP; runs on the server. What it leaves out is recorded as filtered, and looked at again when it changes.',
    ),
  afterArchive: afterArchiveSchema.default('keep'),
  every: durationSchema.default('5m').describe('How often a drain is due.'),
  authservId: formed(
    /^[^\s;"()=]{1,255}$/,
    'the authserv-id that your server writes, or none if it writes no id',
  )
    .optional()
    .describe(
      'Whose Authentication-Results are trusted (RFC 8601): the id that the receiving server begins its own with. `none` for one that writes no id, as Microsoft 365.',
    ),
  receivedBy: formed(
    /^[^\s;()<>]{1,255}$/,
    'the name that the server writes behind `by` in its Received field, or a glob',
  )
    .optional()
    .describe(
      'With `authentication`: the server that takes mail from outside, by the name in its Received fields; a glob (`*` and `?`). SPF is evaluated of what its topmost field says.',
    ),
  idle: z.boolean().default(false).describe('The relay watches it.'),
  canary: z
    .strictObject({
      folder: z.string().min(1).describe('Of its own; it must be there, and among `folders`.'),
      every: durationSchema.default('15m'),
    })
    .optional()
    .describe(
      'IMAP, with idle: the relay puts a small message there, times its way to the queue and removes it. It is archived and announced like others.',
    ),
  retention: retentionSchema.optional().describe('Overrides archive.retention for this mailbox.'),
  limits: z
    .strictObject({
      messageOctets: z.int().min(1024).max(5_000_000_000).optional(),
      octetsPerDay: z.int().min(1024).optional().describe('Fetching stops for the day (UTC) above this.'),
      connections: z.int().min(1).max(1000).optional().describe('Sessions of this mailbox at the same time.'),
      idleRenewal: durationSchema
        .optional()
        .describe(
          'IMAP; the server ends an IDLE that is older. The relay renews it every four minutes in any case.',
        ),
    })
    .default({}),
})

const mailboxConfigSchema = z.preprocess(
  (written) => (isGroup(written) ? withPreset(written) : written),
  mailboxSchema,
)

const configSchema = z.strictObject({
  archive: z
    .strictObject({
      bucket: formed(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'an S3 bucket name')
        .optional()
        .describe('Required without --local.'),
      retention: retentionSchema
        .optional()
        .describe('Default retention of the bucket; the stack in infra/ sets it.'),
    })
    .default({}),
  state: z
    .strictObject({ bucket: z.string().min(3) })
    .optional()
    .describe('Bucket for snapshots and the mailbox list; without it every drain folds the whole ledger.'),
  derived: z
    .strictObject({
      bucket: formed(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'an S3 bucket name'),
    })
    .optional()
    .describe(
      'Bucket for extracted attachments and for metadata that is too long for an event; without it there are none, but with --local.',
    ),
  seal: z
    .strictObject({
      key: formed(/^(file:.+|kms:.+)$/, 'file:PATH or kms:KEY (ARN, id or alias/NAME)')
        .optional()
        .describe(
          'Signs the seals over the ledgers. Default: the key of the stack with --stack; a file of its own with --local.',
        ),
      timestamps: z
        .array(z.url({ protocol: /^https?$/ }))
        .max(5)
        .default([])
        .describe('Timestamp authorities (RFC 3161) that are asked to stamp each seal.'),
    })
    .default({ timestamps: [] }),
  queues: z
    .record(formed(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and hyphens'), z.string())
    .describe('Name, URL or ARN of each queue.'),
  routes: z
    .array(routeSchema)
    .default([])
    .describe('The first that matches wins, unless it continues; without a match: default.'),
  authentication: z
    .strictObject({
      queue: z
        .union([z.string(), z.array(z.string()).min(1)], {
          error: 'expected a name under queues, or a list of them',
        })
        .optional()
        .describe('Where the results are announced; without it they are kept as evidence alone.'),
      dnsServers: z
        .array(
          formed(
            /^((\d{1,3}\.){3}\d{1,3}|\[[0-9a-fA-F:]+\])(:\d{1,5})?$|^[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:]*$/,
            'an IP address, with a port if it is not 53: 192.0.2.53, [2001:db8::53]:5353',
          ),
        )
        .min(1)
        .optional()
        .describe('Default: those of the machine, or of Lambda.'),
    })
    .optional()
    .describe(
      'DKIM, SPF, DMARC and ARC of new mail are verified after it is archived (docs/authentication.md).',
    ),
  mailboxes: z.array(mailboxConfigSchema).min(1),
  aws: deploymentSchema.optional().describe('For the stacks in infra/; everything has a default.'),
})

export type RetentionConfig = z.infer<typeof retentionSchema>
export type MailboxConfig = Omit<z.infer<typeof mailboxConfigSchema>, 'id'> & { readonly id: MailboxId }
export type Config = Omit<z.infer<typeof configSchema>, 'mailboxes'> & {
  readonly mailboxes: readonly MailboxConfig[]
}
export type AfterArchive = MailboxConfig['afterArchive']

export type ConfigResult =
  | { readonly config: Config; readonly problems?: undefined }
  | { readonly config?: undefined; readonly problems: readonly string[] }

/** Mistakes in one mailbox stand together: `mailboxes[2]` before `mailboxes[10]`. */
const BY_PLACE = new Intl.Collator('en', { numeric: true })

/** What is written in mailsluice.yaml, as values. Never throws: every mistake is a line `path: what is wrong; expected what`. */
export function validateConfig(value: unknown): ConfigResult {
  const result = configSchema.safeParse(value, { error: sayMistake })
  const problems = [...linesOf(result.error?.issues ?? []), ...configMistakes(value).map(lineOf)]
  if (result.success && problems.length === 0) return { config: result.data as unknown as Config }
  return { problems: problems.sort(BY_PLACE.compare) }
}

/** What has no effect as things are: each a line `path: what does not happen`. To be told wherever it would be expected to act. */
export function settingsWithoutEffect(
  { routes }: Pick<Config, 'routes'>,
  derived: { readonly available: boolean },
): readonly string[] {
  if (derived.available) return []
  return routes.flatMap(({ extract }, index) =>
    extract === undefined
      ? []
      : [`routes[${index}].extract: derived.bucket is missing, so that no attachment is stored by itself`],
  )
}

/** The default port of a mailbox. */
export function portOf(mailbox: Pick<MailboxConfig, 'port' | 'protocol' | 'tls'>): number {
  if (mailbox.port !== undefined) return mailbox.port
  if (mailbox.tls === 'implicit') return mailbox.protocol === 'imap' ? 993 : 995
  return mailbox.protocol === 'imap' ? 143 : 110
}

export function durationMs(duration: string): number {
  const [, count, unit] = DURATION.exec(duration) ?? []
  if (!count || !unit) throw new TypeError(`not a duration: ${duration}`)
  return Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]
}

/** The JSON Schema of mailsluice.yaml, for editors. */
export function configJsonSchema(): object {
  return z.toJSONSchema(configSchema, {
    io: 'input',
    override({ zodSchema, jsonSchema }) {
      if (zodSchema !== mailboxSchema) return
      // Protocol and host come from the provider where there is one.
      jsonSchema.required = ['id', 'user', 'credential']
      jsonSchema.anyOf = [{ required: ['provider'] }, { required: ['protocol', 'host'] }]
    },
  })
}
