import type { MessageClass } from '../contract/event.ts'
import type { HeaderFields } from './header-fields.ts'

/** What the body parts say, of all parts in order, the message itself first. */
export interface PartSummary {
  readonly type: string
  readonly name: string | undefined
  readonly parameter: (name: string) => string | undefined
}

type Rule = (fields: HeaderFields, parts: readonly PartSummary[]) => boolean

/**
 * Conservative rules, the first that holds decides, else `ordinary`: a message is called special only for what a standard
 * or a common practice makes it say of itself, never for words in its text. Consumers use it to avoid loops, not to delete.
 */
const RULES: ReadonlyArray<readonly [MessageClass, Rule]> = [
  ['complaint', isComplaint],
  ['read-receipt', isReadReceipt],
  ['bounce', isBounce],
  ['dmarc-report', isDmarcReport],
  ['encrypted', isEncrypted],
  ['auto-reply', isAutoReply],
  ['calendar', (_, parts) => parts.some(isCalendarMethod)],
  ['list', (fields) => fields.first('list-id') !== undefined],
]

export function classify(fields: HeaderFields, parts: readonly PartSummary[]): MessageClass {
  return RULES.find(([, holds]) => holds(fields, parts))?.[0] ?? 'ordinary'
}

function rootIs(parts: readonly PartSummary[], type: string, parameter?: string, value?: string): boolean {
  const [root] = parts
  return root?.type === type && (!parameter || root.parameter(parameter)?.toLowerCase() === value)
}

function has(parts: readonly PartSummary[], type: string): boolean {
  return parts.some((part) => part.type === type)
}

/** RFC 5965: an abuse report. */
function isComplaint(_: HeaderFields, parts: readonly PartSummary[]): boolean {
  return (
    rootIs(parts, 'multipart/report') &&
    (rootIs(parts, 'multipart/report', 'report-type', 'feedback-report') ||
      has(parts, 'message/feedback-report'))
  )
}

/** RFC 8098: a disposition notification. */
function isReadReceipt(_: HeaderFields, parts: readonly PartSummary[]): boolean {
  return rootIs(parts, 'multipart/report') && has(parts, 'message/disposition-notification')
}

/** RFC 3464 and 6533, or the field of Exim and Google, or a null return path (RFC 5321, 4.5.5) with a status part in it. */
function isBounce(fields: HeaderFields, parts: readonly PartSummary[]): boolean {
  if (fields.first('x-failed-recipients') !== undefined) return true
  const status = has(parts, 'message/delivery-status') || has(parts, 'message/global-delivery-status')
  if (
    rootIs(parts, 'multipart/report') &&
    (status || rootIs(parts, 'multipart/report', 'report-type', 'delivery-status'))
  )
    return true
  return status && /^<\s*>$/.test(fields.first('return-path') ?? '')
}

/** RFC 7489, 7.2.1.1: the name of the file, or the subject. RFC 8460 reports of TLS are none. */
const REPORT_FILE = /^[^!\s]+![^!\s]+![0-9]{6,}![0-9]{6,}(?:![^!\s]+)?\.(?:xml|xml\.gz|zip|gz)$/i
const REPORT_SUBJECT = /^\s*report\s+domain:\s*\S+.*\bsubmitter:\s*\S+/i

function isDmarcReport(fields: HeaderFields, parts: readonly PartSummary[]): boolean {
  return (
    parts.some((part) => REPORT_FILE.test(part.name ?? '')) ||
    REPORT_SUBJECT.test((fields.first('subject') ?? '').slice(0, 1000))
  )
}

/** RFC 3156 and RFC 8551; a pkcs7-mime part without a type says itself encrypted by its old name alone. */
function isEncrypted(_: HeaderFields, parts: readonly PartSummary[]): boolean {
  if (rootIs(parts, 'multipart/encrypted')) return true
  const [root] = parts
  if (!root || !/^application\/(?:x-)?pkcs7-mime$/.test(root.type)) return false
  return /^(?:authenveloped|enveloped)-data$/i.test(root.parameter('smime-type') ?? 'enveloped-data')
}

/** RFC 3834, 5: anything but `no` (with `auto-generated` too: answering it is what causes loops), and older marks of responders. */
function isAutoReply(fields: HeaderFields): boolean {
  const submitted = fields.first('auto-submitted')?.split(/[;(]/, 1)[0]?.trim().toLowerCase()
  if (submitted !== undefined && submitted !== '' && submitted !== 'no') return true
  const precedence = fields.first('precedence')?.trim().toLowerCase()
  if (precedence === 'auto_reply' || precedence === 'auto-reply') return true
  return AUTO_RESPONDERS.some((name) => !/^(?:no|false)?$/i.test(fields.first(name)?.trim() ?? ''))
}

const AUTO_RESPONDERS = ['x-autoreply', 'x-autorespond', 'x-autoresponder', 'x-auto-reply', 'x-auto-response']

/** RFC 6047, 2.4: an invitation or an answer to one names its method. */
function isCalendarMethod(part: PartSummary): boolean {
  return part.type === 'text/calendar' && Boolean(part.parameter('method'))
}
