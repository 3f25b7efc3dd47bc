import type { Address, Attachment, TrustedAuthentication } from './contract/event.ts'
import { matchesGlob } from './contract/glob.ts'
import type { MailboxId } from './contract/ids.ts'
import type { Conditions, Globs } from './contract/routes.ts'
import { withoutBrackets } from './mail/addresses.ts'
import type { ParsedMessage } from './mail/parsed-message.ts'

/** What routes look at. */
export interface RoutedMessage {
  readonly mailbox: MailboxId
  readonly parsed: ParsedMessage
  /** What the mailbox's own server found; undefined: no server is trusted, or it wrote nothing. */
  readonly trustedAuthentication?: TrustedAuthentication | undefined
}

/** Whether one condition of a route holds, and why. */
export interface Judgement {
  /** As it is named in the configuration: `to`, `header.list-id`, `any`, and `any[0]` for a group in it. */
  readonly condition: string
  readonly holds: boolean
  /** One of these had to match; absent of groups. */
  readonly wanted?: readonly string[]
  /** The first value that matched; where none did, all that were looked at. */
  readonly found?: readonly string[]
  /** Of a group: its conditions. */
  readonly parts?: readonly Judgement[]
}

/**
 * Judges the conditions that are named, one after the other as they are asked for. They look at what the parser read, at most `PARSER.addresses`
 * recipients and `PARSER.attachments` attachments; what is cut later to bound the event's size does not change them. Takes at most the product of
 * the lengths of globs and values.
 */
export function* judge(when: Conditions, routed: RoutedMessage): Generator<Judgement, void> {
  const { mailbox, parsed, trustedAuthentication } = routed
  const { from, sender, to, cc, bcc, deliveredTo, subject, headers } = parsed.message
  if (when.mailbox !== undefined) yield judgeValues('mailbox', when.mailbox, [mailbox])
  if (when.to !== undefined) {
    const written = [...addresses([...to, ...cc, ...bcc]), ...deliveredTo.map(withoutBrackets)]
    yield judgeValues('to', when.to, written.flatMap(withAndWithoutDetail))
  }
  if (when.from !== undefined) yield judgeValues('from', when.from, addresses([...from, ...sender]))
  if (when.subject !== undefined) yield judgeValues('subject', when.subject, [subject ?? ''])
  if (when.class !== undefined) yield judgeValues('class', when.class, [parsed.class])
  if (when.label !== undefined) {
    const labels = parsed.labels.map(({ label }) => label)
    yield judgeValues('label', when.label, labels)
  }
  if (when.attachment !== undefined) yield judgeAttachments(when.attachment, parsed.attachments)
  for (const [method, globs] of Object.entries(when.authentication ?? {}))
    if (globs !== undefined)
      yield judgeValues(`authentication.${method}`, globs, resultsOf(method, trustedAuthentication))
  for (const [written, globs] of Object.entries(when.header ?? {})) {
    const name = written.toLowerCase()
    yield judgeValues(`header.${name}`, globs, valuesOf(headers, name))
  }
  if (when.all) yield judgeGroups('all', when.all, routed)
  if (when.any) yield judgeGroups('any', when.any, routed)
  if (when.not) {
    const parts = [...judge(when.not, routed)]
    yield { condition: 'not', holds: !allHold(parts), parts }
  }
}

/** Whether every condition holds; of none, too. What comes after one that does not is not asked for. */
export function allHold(judgements: Iterable<Judgement>): boolean {
  for (const { holds } of judgements) if (!holds) return false
  return true
}

function judgeGroups(
  condition: 'all' | 'any',
  groups: readonly Conditions[],
  routed: RoutedMessage,
): Judgement {
  const parts = groups.map((group, index) => {
    const inner = [...judge(group, routed)]
    return { condition: `${condition}[${index}]`, holds: allHold(inner), parts: inner }
  })
  return { condition, holds: condition === 'all' ? allHold(parts) : parts.some(({ holds }) => holds), parts }
}

function judgeValues(condition: string, globs: Globs, values: readonly string[]): Judgement {
  const wanted = listOf(globs)
  const match = values.find((value) => wanted.some((glob) => matchesGlob(glob, value)))
  return { condition, holds: match !== undefined, wanted, found: match === undefined ? values : [match] }
}

function judgeAttachments(
  wish: NonNullable<Conditions['attachment']>,
  attachments: readonly Attachment[],
): Judgement {
  if (typeof wish === 'string' || Array.isArray(wish))
    return judgeValues('attachment', wish, attachments.flatMap(typesOf))
  const { type, name, kind, invoice, minOctets = 0, maxOctets = Number.POSITIVE_INFINITY } = wish
  const match = attachments.find(
    (attachment) =>
      typesOf(attachment).some((each) => matches(type, each)) &&
      matches(name, attachment.name ?? '') &&
      matches(kind, attachment.kind ?? '') &&
      (invoice === undefined || invoice === (attachment.invoice !== undefined)) &&
      attachment.octets >= minOctets &&
      attachment.octets <= maxOctets,
  )
  return {
    condition: 'attachment',
    holds: match !== undefined,
    wanted: [wishText(wish)],
    found: (match ? [match] : attachments).map(attachmentText),
  }
}

/** As declared, and as the octets tell. */
function typesOf({ contentType, detectedType = contentType }: Attachment): string[] {
  return contentType === detectedType ? [contentType] : [contentType, detectedType]
}

function matches(globs: Globs | undefined, value: string): boolean {
  return globs === undefined || listOf(globs).some((glob) => matchesGlob(glob, value))
}

function listOf(globs: Globs): readonly string[] {
  return typeof globs === 'string' ? [globs] : globs
}

/** What one attachment has to have. */
function wishText(wish: Readonly<Record<string, Globs | number | boolean | undefined>>): string {
  return Object.entries(wish)
    .map(([name, value]) => `${name} ${Array.isArray(value) ? value.join(' | ') : value}`)
    .join(', ')
}

function attachmentText(attachment: Attachment): string {
  const { name, octets } = attachment
  return `${typesOf(attachment).join(' or ')}${name === undefined ? '' : ` ${name}`}, ${octets} octets`
}

function resultsOf(method: string, trusted: TrustedAuthentication | undefined): string[] {
  return (trusted?.results ?? []).filter((each) => each.method === method).map(({ result }) => result)
}

/** Of a field that is not there: none, also when its name is one that every object has. */
function valuesOf(headers: Readonly<Record<string, readonly string[]>>, name: string): readonly string[] {
  return Object.hasOwn(headers, name) ? (headers[name] ?? []) : []
}

function addresses(list: readonly Address[]): string[] {
  return list.flatMap(({ address }) => address ?? [])
}

/** `invoices+2026@example.com` goes to the mailbox invoices@example.com as well (RFC 5233: user and detail). */
function withAndWithoutDetail(address: string): string[] {
  const plus = address.indexOf('+')
  const at = address.lastIndexOf('@')
  return plus > 0 && plus < at ? [address, address.slice(0, plus) + address.slice(at)] : [address]
}
