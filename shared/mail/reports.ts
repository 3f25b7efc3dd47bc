import type {
  BounceData,
  CalendarData,
  ComplaintData,
  DmarcReportData,
  ReceiptData,
} from '../contract/event.ts'
import { PARSER } from '../limits.ts'
import { readCalendar } from './calendar.ts'
import { type Bounds, oneLine } from './clean-text.ts'
import { withoutComments } from './comments.ts'
import { decodeUnicode } from './file-type.ts'
import { type HeaderFields, readHeaderFields } from './header-fields.ts'
import { dmarcFileOf, type PartSummary } from './message-class.ts'
import { messageIds } from './message-ids.ts'
import type { PartHeader } from './part-header.ts'

/** What the parts that programs write for programs say. */
export interface ReportData {
  readonly bounce?: BounceData
  readonly calendar?: CalendarData
  readonly receipt?: ReceiptData
  readonly complaint?: ComplaintData
  readonly dmarcReport?: DmarcReportData
}

/** Groups of fields in a part, and what a report returns of the message that it is about. */
const STATUS = /^message\/(?:global-)?delivery-status$/
const DISPOSITION = /^message\/(?:global-)?disposition-notification$/
const FEEDBACK = /^message\/feedback-report$/
const RETURNED = /^(?:message\/rfc822|message\/global|message\/global-headers|text\/rfc822-headers)$/
const CALENDAR = /^(?:text\/calendar|application\/ics)$/

/** Collects what the parts of one message report, the first of each kind; each part by its start. */
export class Reports {
  #status: readonly HeaderFields[] | undefined
  #disposition: HeaderFields | undefined
  #feedback: HeaderFields | undefined
  #returned: HeaderFields | undefined
  #calendar: CalendarData | undefined

  take(header: PartHeader, start: Buffer): void {
    const { type } = header
    if (STATUS.test(type)) this.#status ??= groupsOf(start)
    else if (DISPOSITION.test(type)) this.#disposition ??= merged(groupsOf(start))
    else if (FEEDBACK.test(type)) this.#feedback ??= merged(groupsOf(start))
    else if (RETURNED.test(type)) this.#returned ??= readHeaderFields(headerBlock(start))
    else if (CALENDAR.test(type))
      this.#calendar ??= readCalendar(decodeUnicode(start), header.parameter('method'))
  }

  result(fields: HeaderFields, parts: readonly PartSummary[], bounds: Bounds): ReportData {
    const bounce = this.#bounce(fields, bounds)
    const receipt = this.#disposition && this.#receipt(this.#disposition, bounds)
    const complaint = this.#feedback && this.#complaint(this.#feedback, bounds)
    const dmarcReport = dmarcReportOf(parts, fields, bounds)
    return {
      ...(bounce && { bounce }),
      ...(this.#calendar && { calendar: this.#calendar }),
      ...(receipt && { receipt }),
      ...(complaint && { complaint }),
      ...(dmarcReport && { dmarcReport }),
    }
  }

  get #originalMessageId(): string | undefined {
    return messageIds(this.#returned?.first('message-id') ?? '')[0]
  }

  #bounce(fields: HeaderFields, bounds: Bounds): BounceData | undefined {
    const told = recipientsOf(this.#status ?? [], bounds)
    const failed = fields.all('x-failed-recipients').flatMap((value) => value.split(','))
    if (this.#status === undefined && failed.length === 0) return undefined
    const recipients = told.length > 0 ? told : failed.flatMap((one) => failedRecipient(one, bounds))
    const reportingMta = this.#status?.map((group) => typed(group, 'reporting-mta', bounds)).find(Boolean)
    return {
      recipients: [...bounds.list(recipients, PARSER.addresses)],
      ...(reportingMta && { reportingMta }),
      ...original(this.#originalMessageId, bounds),
    }
  }

  #receipt(told: HeaderFields, bounds: Bounds): ReceiptData {
    const [id] = messageIds(told.first('original-message-id') ?? '')
    return {
      ...named({ disposition: plain(told, 'disposition', bounds) }),
      ...named({ finalRecipient: typed(told, 'final-recipient', bounds) }),
      ...original(id ?? this.#originalMessageId, bounds),
    }
  }

  #complaint(told: HeaderFields, bounds: Bounds): ComplaintData {
    return {
      ...named({ feedbackType: plain(told, 'feedback-type', bounds)?.toLowerCase() }),
      ...named({ originalRecipient: address(plain(told, 'original-rcpt-to', bounds)) }),
      ...named({ sourceIp: plain(told, 'source-ip', bounds) }),
      ...original(this.#originalMessageId, bounds),
    }
  }
}

/** Per-message fields and then those of each recipient (RFC 3464, 2.1); some programs leave the empty line between them out. */
function groupsOf(octets: Buffer): readonly HeaderFields[] {
  return octets
    .toString('latin1')
    .split(/\n[ \t\r]*\n/)
    .map((group) => readHeaderFields(Buffer.from(group, 'latin1')))
    .filter(({ count }) => count > 0)
}

function merged(groups: readonly HeaderFields[]): HeaderFields {
  const all = (name: string) => groups.flatMap((group) => group.all(name))
  return {
    count: groups.reduce((sum, { count }) => sum + count, 0),
    first: (name) => all(name)[0],
    all,
  }
}

function headerBlock(octets: Buffer): Buffer {
  const end = octets.toString('latin1').search(/\n\r?\n/)
  return end < 0 ? octets : octets.subarray(0, end + 1)
}

function recipientsOf(groups: readonly HeaderFields[], bounds: Bounds): BounceData['recipients'] {
  return groups.flatMap((group) => {
    const recipient = typed(group, 'final-recipient', bounds) ?? typed(group, 'original-recipient', bounds)
    if (recipient === undefined) return []
    return [
      {
        recipient,
        ...named({ originalRecipient: typed(group, 'original-recipient', bounds) }),
        ...named({ action: plain(group, 'action', bounds)?.toLowerCase() }),
        ...named({ status: /\d\.\d{1,3}\.\d{1,3}/.exec(group.first('status') ?? '')?.[0] }),
        ...named({ diagnostic: typed(group, 'diagnostic-code', bounds) }),
        ...named({ remoteMta: typed(group, 'remote-mta', bounds) }),
      },
    ]
  })
}

function failedRecipient(written: string, bounds: Bounds): BounceData['recipients'] {
  const recipient = address(bounds.text(oneLine(written)))
  return recipient ? [{ recipient }] : []
}

/** The value of `type; value`, as in `rfc822; a@b.example` (RFC 3464, 2.1.2). */
function typed(fields: HeaderFields, name: string, bounds: Bounds): string | undefined {
  const value = plain(fields, name, bounds)
  return address(value?.replace(/^[\w-]{1,40}\s*;\s*/, ''))
}

function plain(fields: HeaderFields, name: string, bounds: Bounds): string | undefined {
  const value = fields.first(name)
  return value === undefined ? undefined : bounds.text(oneLine(withoutComments(value))) || undefined
}

/** Brackets around an address are not part of it. */
function address(value: string | undefined): string | undefined {
  return value?.trim().replace(/^<(.*)>$/, '$1') || undefined
}

function original(id: string | undefined, bounds: Bounds): { originalMessageId?: string } {
  return id === undefined ? {} : { originalMessageId: bounds.text(id) }
}

/** Nothing for what is undefined. */
function named<Name extends string>(
  value: Readonly<Record<Name, string | undefined>>,
): { [K in Name]?: string } {
  return Object.fromEntries(Object.entries(value).filter(([, text]) => text !== undefined)) as {
    [K in Name]?: string
  }
}

function dmarcReportOf(
  parts: readonly PartSummary[],
  fields: HeaderFields,
  bounds: Bounds,
): DmarcReportData | undefined {
  const [submitter, domain, begin, end, id] = dmarcFileOf(parts) ?? []
  if (submitter === undefined) return undefined
  const subject = oneLine((fields.first('subject') ?? '').slice(0, 1000))
  const reportId = id ?? /\breport-id:\s*<?([^\s<>]+)/i.exec(subject)?.[1]
  return {
    submitter: bounds.text(submitter),
    ...named({ domain: domain && bounds.text(domain) }),
    ...named({ begin: instant(begin), end: instant(end) }),
    ...named({ reportId: reportId && bounds.text(reportId) }),
  }
}

function instant(seconds: string | undefined): string | undefined {
  const date = new Date(Number(seconds) * 1000)
  return Number.isNaN(date.getTime()) ? undefined : `${date.toISOString().slice(0, 19)}Z`
}
