import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { MESSAGE_CLASSES } from '../../shared/contract/event.ts'
import { parseRawKey } from '../../shared/contract/object-key.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import { type MessageQuery, querySchema } from '../../shared/query/query.ts'
import type { Run } from './run.ts'
import { chosenMailboxes } from './settings.ts'

// The query of the command line: the same options wherever messages are chosen.

export interface QueryOptions {
  readonly mailbox?: string[]
  readonly address?: string[]
  readonly from?: string[]
  readonly to?: string[]
  readonly since?: string
  readonly before?: string
  readonly archivedSince?: string
  readonly archivedBefore?: string
  readonly subject?: string[]
  readonly class?: string[]
  readonly messageId?: string[]
  readonly attachment?: string[]
  readonly id?: string[]
  readonly ids?: string
}

/** Adds them to a command. Those that may be repeated mean any of their values; words of --subject all have to occur. */
export function withQueryOptions(command: Command): Command {
  const times = 'YYYY-MM-DD (UTC), or a time with its zone'
  return command
    .option('--mailbox <id>', 'messages of this mailbox; may be repeated, like most of these', collect)
    .option('--address <glob>', 'sender or recipient: anna@example.com, *@example.com', collect)
    .option('--from <glob>', 'sender', collect)
    .option('--to <glob>', 'recipient: To, Cc, Bcc or Delivered-To', collect)
    .option('--since <time>', `sent or received from then on: ${times}`)
    .option('--before <time>', 'sent or received before then')
    .option('--archived-since <time>', 'archived from then on')
    .option('--archived-before <time>', 'archived before then')
    .option('--subject <words>', 'words that all occur in the subject', collectWords)
    .option('--class <name>', MESSAGE_CLASSES.join(', '), collect)
    .option('--message-id <id>', 'Message-ID, with or without angle brackets', collect)
    .option('--attachment <glob>', 'name of an attachment: *.pdf', collect)
    .option('--id <id>', 'SHA-256, <mailbox>/<sha256>, or a key', collect)
    .option('--ids <file>', 'ids from a file, one a line')
}

/** Throws a ConfigurationError with every mistake at once. */
export function readQuery(options: QueryOptions, { settings }: Pick<Run, 'settings'>): MessageQuery {
  const { mailbox, messageId, id, ids, address, from, to, subject, attachment } = options
  const listed = [...(id ?? []), ...(ids === undefined ? [] : idsIn(ids))]
  const written = {
    mailboxes: mailbox && chosenMailboxes(settings.config, mailbox).map((each) => each.id),
    address,
    from,
    to,
    since: options.since,
    before: options.before,
    archivedSince: options.archivedSince,
    archivedBefore: options.archivedBefore,
    subject,
    class: options.class,
    messageId: messageId?.map((each) => each.trim().replace(/^<(.*)>$/, '$1')),
    ids: id === undefined && ids === undefined ? undefined : listed.map(canonicalId),
    attachment,
  }
  const result = querySchema.safeParse(
    Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined)),
  )
  if (result.success) return result.data
  throw new ConfigurationError(
    'query',
    result.error.issues.map(({ path, message }) => {
      const [field, index] = path as [keyof typeof written, number | undefined]
      const value = written[field]
      const shown = typeof index === 'number' ? value?.[index] : value
      return `${OPTION_OF[field]}: ${JSON.stringify(shown)}: ${EXPECTED[field] ?? message}`
    }),
  )
}

const OPTION_OF: Readonly<Record<keyof MessageQuery, string>> = {
  mailboxes: '--mailbox',
  address: '--address',
  from: '--from',
  to: '--to',
  since: '--since',
  before: '--before',
  archivedSince: '--archived-since',
  archivedBefore: '--archived-before',
  subject: '--subject',
  class: '--class',
  messageId: '--message-id',
  ids: '--id',
  attachment: '--attachment',
}

const TIME = 'expected YYYY-MM-DD, or a time with its zone such as 2026-03-01T08:00:00Z'
const EXPECTED: Readonly<Partial<Record<keyof MessageQuery, string>>> = {
  since: TIME,
  before: TIME,
  archivedSince: TIME,
  archivedBefore: TIME,
  class: `expected one of ${MESSAGE_CLASSES.join(', ')}`,
  ids: 'expected a whole SHA-256, <mailbox>/<sha256>, or a key raw/…',
}

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value]
}

function collectWords(value: string, earlier: string[] = []): string[] {
  return [...earlier, ...value.split(/\s+/).filter((word) => word !== '')]
}

function canonicalId(id: string): string {
  const key = parseRawKey(id)
  return key ? `${key.mailbox}/${key.sha256}` : id.toLowerCase()
}

function idsIn(file: string): string[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigurationError('query', [
      `--ids ${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    ])
  }
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
}
