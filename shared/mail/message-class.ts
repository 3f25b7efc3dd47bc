import { type LabelData, MESSAGE_CLASSES, type MessageClass } from '../contract/event.ts'
import { cut, oneLine } from './clean-text.ts'
import type { HeaderFields } from './header-fields.ts'

/** What the body parts say, of all parts in order, the message itself first. */
export interface PartSummary {
  readonly type: string
  readonly name: string | undefined
  readonly parameter: (name: string) => string | undefined
}

/** What a label rests on, as the event names it; nothing when it does not hold. */
type Evidence = (string | undefined)[]
type Rule = (fields: HeaderFields, parts: readonly PartSummary[], subject: string) => Evidence

/**
 * Conservative rules: a message is called special only for what a standard or a common practice makes it say of itself, never for words in
 * its text. Consumers use it to avoid loops, not to delete. The first that holds and is a class decides what the message is; else `ordinary`.
 */
const RULES: ReadonlyArray<readonly [LabelData['label'], Rule]> = [
  ['complaint', complaint],
  ['read-receipt', readReceipt],
  ['bounce', bounce],
  ['dmarc-report', dmarcReport],
  ['encrypted', encrypted],
  ['auto-reply', autoReply],
  ['calendar', (_, parts) => [partOf(parts.find(isCalendarMethod), 'method')]],
  ['list', list],
  ['bulk', bulk],
  ['signed', signed],
  ['tnef', (_, parts) => [partOf(parts.find(isTnef))]],
]

const CLASSES: ReadonlySet<string> = new Set(MESSAGE_CLASSES)

/** `subject`: as text. */
export function classify(
  fields: HeaderFields,
  parts: readonly PartSummary[],
  subject: string,
): { readonly class: MessageClass; readonly labels: LabelData[] } {
  const labels: LabelData[] = []
  for (const [label, rule] of RULES) {
    const evidence = rule(fields, parts, subject).filter((found) => found !== undefined)
    if (evidence.length > 0) labels.push({ label, evidence })
  }
  const deciding = labels.find(({ label }) => CLASSES.has(label))
  return { class: (deciding?.label as MessageClass | undefined) ?? 'ordinary', labels }
}

/** A field as evidence, when it is there and its value is one of these. */
function field(
  fields: HeaderFields,
  name: string,
  holds: (value: string) => boolean = () => true,
): string | undefined {
  const value = fields.first(name)
  return value !== undefined && holds(value)
    ? `${name}: ${cut(oneLine(value), EVIDENCE_CHARACTERS)}`.trimEnd()
    : undefined
}

/** A part as evidence, with a parameter of its type. */
function partOf(part: PartSummary | undefined, parameter?: string): string | undefined {
  if (!part) return undefined
  const value = parameter && part.parameter(parameter)
  return `part: ${part.type}${value ? `; ${parameter}=${cut(oneLine(value), EVIDENCE_CHARACTERS)}` : ''}`
}

const EVIDENCE_CHARACTERS = 100

function root(
  parts: readonly PartSummary[],
  type: string,
  parameter: string,
  value?: string,
): string | undefined {
  const [first] = parts
  if (first?.type !== type) return undefined
  if (value !== undefined && first.parameter(parameter)?.toLowerCase() !== value) return undefined
  return partOf(first, parameter)
}

function part(parts: readonly PartSummary[], ...types: readonly string[]): string | undefined {
  return partOf(parts.find(({ type }) => types.includes(type)))
}

/** RFC 5965: an abuse report. */
function complaint(_: HeaderFields, parts: readonly PartSummary[]): Evidence {
  const report = root(parts, 'multipart/report', 'report-type')
  if (!report) return []
  const told = root(parts, 'multipart/report', 'report-type', 'feedback-report')
  const feedback = part(parts, 'message/feedback-report')
  return told || feedback ? [report, feedback] : []
}

/** RFC 8098: a disposition notification. */
function readReceipt(_: HeaderFields, parts: readonly PartSummary[]): Evidence {
  const notification = part(parts, 'message/disposition-notification')
  const report = root(parts, 'multipart/report', 'report-type')
  return notification && report ? [report, notification] : []
}

const NULL_PATH = /^<\s*>$/

/**
 * RFC 3464 and 6533; the field of Exim and Google; or who sends: MAILER-DAEMON is nobody else, and postmaster is no person when the
 * return path is null (RFC 5321, 4.5.5) or MAILER-DAEMON.
 */
function bounce(fields: HeaderFields, parts: readonly PartSummary[]): Evidence {
  const failed = field(fields, 'x-failed-recipients')
  const status = part(parts, 'message/delivery-status', 'message/global-delivery-status')
  const report = root(parts, 'multipart/report', 'report-type')
  const told = root(parts, 'multipart/report', 'report-type', 'delivery-status')
  const nullPath = field(fields, 'return-path', (value) => NULL_PATH.test(value))
  const daemonPath = field(fields, 'return-path', isDaemon)
  const daemon = field(fields, 'from', isDaemon)
  const postmaster = field(fields, 'from', (value) => /(?:^|[<\s])postmaster@/i.test(value))
  if (told || (report && status)) return [report, status, failed]
  if (status && nullPath) return [status, nullPath, failed]
  if (daemon || daemonPath) return [daemon, daemonPath, failed]
  if (postmaster && nullPath) return [postmaster, nullPath, failed]
  return [failed]
}

function isDaemon(value: string): boolean {
  return /(?:^|[<\s])mailer-daemon(?:@|>|\s|$)/i.test(value)
}

/** RFC 7489, 7.2.1.1: the name of the file, or the subject. RFC 8460 reports of TLS are none. */
const REPORT_FILE =
  /^([^!\s]+)!([^!\s]+)!([0-9]{6,12})!([0-9]{6,12})(?:!([^!\s]+))?\.(?:xml|xml\.gz|zip|gz)$/i
const REPORT_SUBJECT = /^\s*report\s+domain:\s*\S+.*\bsubmitter:\s*\S+/i

/** Submitter, domain, begin and end in seconds, and perhaps an id, of the name of a report's file. */
export function dmarcFileOf(parts: readonly PartSummary[]): readonly string[] | undefined {
  for (const { name } of parts) {
    const [, ...found] = REPORT_FILE.exec(name ?? '') ?? []
    if (found.length > 0) return found
  }
  return undefined
}

function dmarcReport(fields: HeaderFields, parts: readonly PartSummary[], subject: string): Evidence {
  const file = parts.find(({ name }) => name !== undefined && REPORT_FILE.test(name))
  const told = REPORT_SUBJECT.test(subject) ? field(fields, 'subject') : undefined
  return [file && `part: ${file.type}; name=${file.name}`, told]
}

/** RFC 3156 and RFC 8551; a pkcs7-mime part without a type says itself encrypted by its old name alone. */
function encrypted(_: HeaderFields, parts: readonly PartSummary[]): Evidence {
  const smime = smimeTypeOf(parts[0])
  return [
    root(parts, 'multipart/encrypted', 'protocol'),
    smime !== undefined && /^(?:authenveloped|enveloped)-data$/i.test(smime)
      ? partOf(parts[0], 'smime-type')
      : undefined,
  ]
}

/** RFC 1847 and RFC 8551, also within what a list put around it. What is forwarded is not looked into. */
function signed(_: HeaderFields, parts: readonly PartSummary[]): Evidence {
  const opaque = parts.find((candidate) => /^signed-data$/i.test(smimeTypeOf(candidate) ?? ''))
  return [
    partOf(
      parts.find(({ type }) => type === 'multipart/signed'),
      'protocol',
    ),
    partOf(opaque, 'smime-type'),
  ]
}

function smimeTypeOf(candidate: PartSummary | undefined): string | undefined {
  if (!candidate || !/^application\/(?:x-)?pkcs7-mime$/.test(candidate.type)) return undefined
  return candidate.parameter('smime-type') ?? 'enveloped-data'
}

/** RFC 3834, 5: anything but `no` (with `auto-generated` too: answering it is what causes loops), and older marks of responders. */
function autoReply(fields: HeaderFields): Evidence {
  return [
    field(fields, 'auto-submitted', (value) => !/^(?:no)?$/i.test(value.split(/[;(]/, 1)[0]?.trim() ?? '')),
    field(fields, 'precedence', (value) => /^auto[_-]reply$/i.test(value.trim())),
    ...AUTO_RESPONDERS.map((name) => field(fields, name, (value) => !/^(?:no|false)?$/i.test(value.trim()))),
    // Exchange, for what a rule of a mailbox answers, and iCloud.
    field(fields, 'x-ms-exchange-inbox-rules-loop'),
    field(fields, 'x-apple-action', (value) => /^vacation$/i.test(value.trim())),
  ]
}

const AUTO_RESPONDERS = [
  'x-autoreply',
  'x-autorespond',
  'x-autoresponder',
  'x-auto-reply',
  'x-auto-response',
] as const

/** RFC 6047, 2.4: an invitation or an answer to one names its method. */
function isCalendarMethod(candidate: PartSummary): boolean {
  return candidate.type === 'text/calendar' && Boolean(candidate.parameter('method'))
}

/** RFC 2919, or RFC 2369 by lists that are older. */
function list(fields: HeaderFields): Evidence {
  return [field(fields, 'list-id'), field(fields, 'list-post', (value) => /<\s*mailto:/i.test(value))]
}

/** Sent to many, by what providers ask of those who do so. */
function bulk(fields: HeaderFields): Evidence {
  return [
    field(fields, 'precedence', (value) => /^(?:bulk|junk)$/i.test(value.trim())),
    field(fields, 'list-unsubscribe'),
    field(fields, 'feedback-id'),
  ]
}

function isTnef({ type, name }: PartSummary): boolean {
  return /^application\/(?:vnd\.)?ms-tnef$/.test(type) || /^winmail\.dat$/i.test(name ?? '')
}
