import { parseDocument } from 'yaml'
import { z } from 'zod'
import { deploymentSchema } from './deployment.ts'
import { MAILBOX_ID_PATTERN, type MailboxId } from './ids.ts'

// mailsluice.yaml, version 1: one schema for validation, types and the JSON Schema that editors use.

const DAY = /^\d{4}-\d{2}-\d{2}$/

const retentionSchema = z.strictObject({
  mode: z
    .enum(['governance', 'compliance'])
    .default('governance')
    .describe(
      'governance: a records officer may lift it. compliance: nobody can, not even the account owner.',
    ),
  days: z.int().min(1).max(36_500),
})

const globsSchema = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
  .describe('A glob (`*` and `?`) or a list of them; any may match; case does not count.')

export const routeSchema = z.strictObject({
  queue: z.string().min(1).describe('A name under `queues`.'),
  when: z
    .strictObject({
      mailbox: globsSchema.optional(),
      to: globsSchema.optional().describe('Any of To, Cc, Bcc, Delivered-To, X-Original-To, Envelope-To.'),
      from: globsSchema.optional(),
      subject: globsSchema.optional(),
      attachment: globsSchema.optional().describe('Media type of an attachment.'),
    })
    .describe('All conditions named must hold.'),
  extract: z
    .array(z.string().min(1))
    .optional()
    .describe('Media types of attachments to store in the derived bucket.'),
})

/** `5m`, `1h`, `90s`, `1d`. */
const DURATION = /^(\d{1,6})(s|m|h|d)$/
const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

const durationSchema = z
  .string()
  .regex(DURATION, 'expected a number and a unit: 90s, 5m, 1h or 1d')
  .describe('A duration: 90s, 5m, 1h, 1d.')

const CREDENTIAL = /^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|ssm:.+|secretsmanager:.+)$/

const day = z.preprocess(
  (value) => (value instanceof Date ? value.toISOString().slice(0, 10) : value),
  z.string().regex(DAY, 'expected a date: YYYY-MM-DD'),
)

const afterArchiveSchema = z.union(
  [
    z.enum(['keep', 'seen', 'delete']),
    z.strictObject({
      flag: z.string().regex(/^[A-Za-z0-9$_.-]{1,64}$/, 'expected an IMAP keyword: letters, digits, $ _ . -'),
    }),
    z.strictObject({ move: z.string().min(1) }),
    z.strictObject({ deleteAfterDays: z.int().min(1).max(36_500) }),
  ],
  {
    error: 'expected keep, seen, delete, { flag: NAME }, { move: FOLDER } or { deleteAfterDays: 1 to 36500 }',
  },
)

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i

export const mailboxConfigSchema = z
  .strictObject({
    id: z
      .string()
      .regex(
        MAILBOX_ID_PATTERN,
        'expected lower-case letters, digits and hyphens, at most 63, beginning with a letter or digit',
      ),
    protocol: z.enum(['imap', 'pop3']),
    host: z.string().min(1),
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
    user: z.string().min(1),
    credential: z.string().regex(CREDENTIAL, 'expected env:NAME, file:PATH, ssm:NAME or secretsmanager:ID'),
    auth: z.enum(['password', 'oauth2']).default('password'),
    folders: z.array(z.string().min(1)).min(1).default(['INBOX']).describe('IMAP; globs (`*` and `?`).'),
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
    idle: z.boolean().default(false).describe('The relay watches it.'),
    retention: retentionSchema.optional().describe('Overrides archive.retention for this mailbox.'),
    limits: z
      .strictObject({
        messageOctets: z.int().min(1024).max(5_000_000_000).optional(),
        octetsPerDay: z.int().min(1024).optional().describe('Fetching stops for the day (UTC) above this.'),
      })
      .default({}),
  })
  .superRefine((mailbox, context) => {
    const problem = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message })
    if (mailbox.tls === 'none' && !LOOPBACK.test(mailbox.host))
      problem(
        'tls',
        `none would send the password in clear to ${mailbox.host}; allowed only for a loopback host: use implicit or starttls`,
      )
    if (mailbox.auth === 'oauth2') problem('auth', 'oauth2 is not there yet; expected password')
    if (mailbox.protocol === 'pop3') {
      if (mailbox.search) problem('search', 'POP3 has no search; remove it or use imap')
      if (mailbox.folders.length !== 1 || mailbox.folders[0] !== 'INBOX')
        problem('folders', 'POP3 has one folder, INBOX; remove it or use imap')
      const after = mailbox.afterArchive
      if (after === 'seen' || (typeof after === 'object' && ('flag' in after || 'move' in after)))
        problem(
          'afterArchive',
          'POP3 has neither flags nor folders; expected keep, delete or { deleteAfterDays: N }',
        )
      if (mailbox.idle) problem('idle', 'POP3 has no IDLE; expected false')
    }
  })

export const configSchema = z
  .strictObject({
    archive: z
      .strictObject({
        bucket: z
          .string()
          .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'expected an S3 bucket name')
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
    queues: z
      .record(
        z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and hyphens'),
        z.string().min(1),
      )
      .refine((queues) => 'default' in queues, 'expected a queue named default')
      .describe('Name, URL or ARN of each queue.'),
    routes: z.array(routeSchema).default([]).describe('First match wins; without a match: default.'),
    mailboxes: z.array(mailboxConfigSchema).min(1),
    aws: deploymentSchema.optional().describe('For the stacks in infra/; everything has a default.'),
  })
  .superRefine((config, context) => {
    config.routes.forEach((route, index) => {
      if (!(route.queue in config.queues))
        context.addIssue({
          code: 'custom',
          path: ['routes', index, 'queue'],
          message: `${route.queue} is not under queues; expected ${Object.keys(config.queues).join(', ')}`,
        })
    })
    const first = new Map<string, number>()
    config.mailboxes.forEach((mailbox, index) => {
      const earlier = first.get(mailbox.id)
      if (earlier === undefined) first.set(mailbox.id, index)
      else
        context.addIssue({
          code: 'custom',
          path: ['mailboxes', index, 'id'],
          message: `${mailbox.id} is already mailboxes[${earlier}]`,
        })
    })
  })

export type RouteConfig = z.infer<typeof routeSchema>
export type RetentionConfig = z.infer<typeof retentionSchema>
export type MailboxConfig = Omit<z.infer<typeof mailboxConfigSchema>, 'id'> & { readonly id: MailboxId }
export type Config = Omit<z.infer<typeof configSchema>, 'mailboxes'> & {
  readonly mailboxes: readonly MailboxConfig[]
}
export type AfterArchive = MailboxConfig['afterArchive']

export type ConfigResult =
  | { readonly config: Config; readonly problems?: undefined }
  | { readonly config?: undefined; readonly problems: readonly string[] }

/** Reads mailsluice.yaml. Never throws: every mistake is a line `path: what is wrong; expected what`. */
export function parseConfig(text: string): ConfigResult {
  const document = parseDocument(text, { prettyErrors: true, schema: 'core', maxAliasCount: 100 } as never)
  if (document.errors.length > 0)
    return { problems: document.errors.map((error) => `not valid YAML: ${error.message.trim()}`) }
  return validateConfig(document.toJS())
}

export function validateConfig(value: unknown): ConfigResult {
  const result = configSchema.safeParse(value)
  if (result.success) return { config: result.data as unknown as Config }
  return { problems: result.error.issues.flatMap(describeIssue) }
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
  return z.toJSONSchema(configSchema, { io: 'input' })
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const path = pathOf(issue.path)
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(
      (key) => `${pathOf([...issue.path, key])}: unknown setting; remove it or correct its name`,
    )
  return [`${path}: ${issue.message}`]
}

function pathOf(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '(top level)'
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : index === 0 ? String(part) : `.${String(part)}`,
    )
    .join('')
}
