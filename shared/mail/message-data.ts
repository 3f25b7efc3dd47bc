import type { MessageData } from '../contract/event.ts'
import { PARSER } from '../limits.ts'
import { parseAddresses } from './addresses.ts'
import { type Bounds, oneLine } from './clean-text.ts'
import { isoDate } from './dates.ts'
import { decodeEncodedWords } from './encoded-words.ts'
import type { HeaderFields } from './header-fields.ts'
import { boundIds, messageIds } from './message-ids.ts'

/** The fields that `headers` of the event carries when they are there, besides those that routes look at. */
export const CHOSEN_FIELDS = [
  'auto-submitted',
  'content-language',
  'disposition-notification-to',
  'feedback-id',
  'importance',
  'list-id',
  'list-post',
  'list-unsubscribe',
  'list-unsubscribe-post',
  // Of our own: see the canary of the relay.
  'mailsluice-canary',
  'organization',
  'precedence',
  'priority',
  'return-path',
  'user-agent',
  'x-auto-response-suppress',
  'x-failed-recipients',
  'x-mailer',
  'x-priority',
  'x-spam-flag',
] as const

const DELIVERED_TO = ['delivered-to', 'x-original-to', 'envelope-to']

/** What the header of a message says about it. Of fields that may stand once only, the topmost counts, as in mail clients. */
export function readMessageData(
  fields: HeaderFields,
  bounds: Bounds,
  furtherFields: readonly string[] = [],
): Omit<MessageData, 'truncated'> {
  const once = (name: string) => parseAddresses(fields.all(name).slice(0, 1), bounds)
  const every = (name: string) => parseAddresses(fields.all(name), bounds)
  const ids = (name: string) => boundIds(messageIds(fields.first(name) ?? ''), bounds)
  const [messageId] = ids('message-id')
  const inReplyTo = ids('in-reply-to')
  const references = ids('references')
  const threadKey = references[0] ?? inReplyTo[0] ?? messageId
  const date = isoDate(fields.first('date') ?? '')
  const receivedAt = receivedDate(fields.first('received') ?? '')
  const priority = readPriority(fields)
  const receiptTo = RECEIPT_FIELDS.map(once).find((addresses) => addresses.length > 0)
  const subject = fields.first('subject')
  return {
    ...(messageId !== undefined && { messageId }),
    inReplyTo,
    references,
    ...(threadKey !== undefined && { threadKey }),
    ...(date !== undefined && { date }),
    ...(receivedAt !== undefined && { receivedAt, dateCredible: isCredible(date, receivedAt) }),
    from: once('from'),
    sender: once('sender'),
    replyTo: once('reply-to'),
    to: every('to'),
    cc: every('cc'),
    bcc: every('bcc'),
    deliveredTo: [...bounds.list(DELIVERED_TO.flatMap(fields.all), PARSER.addresses)].map((value) =>
      text(value, bounds),
    ),
    ...(subject !== undefined && { subject: text(subject, bounds) }),
    ...(priority !== undefined && { priority }),
    ...(receiptTo !== undefined && { receiptTo }),
    headers: chosenFields(fields, bounds, furtherFields),
  }
}

/** Authentication-Results (RFC 8601), topmost first. */
export function readAuthentication(fields: HeaderFields, bounds: Bounds): string[] {
  return bounds
    .list(fields.all('authentication-results'), PARSER.headerValues)
    .map((value) => bounds.text(oneLine(value), PARSER.authenticationCharacters))
}

/** RFC 8098, 2.1, and what came before it. */
const RECEIPT_FIELDS = ['disposition-notification-to', 'x-confirm-reading-to', 'return-receipt-to']

/** A Received field ends in a semicolon and its date (RFC 5321, 4.4). */
function receivedDate(value: string): string | undefined {
  return isoDate(value.slice(value.lastIndexOf(';') + 1))
}

const DAY_MS = 24 * 60 * 60 * 1000

/** Sent at most a day after it was received, for clocks and zones are wrong, and a week before: servers try for five days (RFC 5321, 4.5.4.1). */
function isCredible(date: string | undefined, receivedAt: string): boolean {
  if (date === undefined) return false
  const laterMs = Date.parse(date) - Date.parse(receivedAt)
  return laterMs <= DAY_MS && laterMs >= -7 * DAY_MS
}

/** RFC 4021, 2.1.54 and 2.1.55, and `X-Priority` from 1, the highest, to 5. */
function readPriority(fields: HeaderFields): MessageData['priority'] {
  const said = ['importance', 'x-priority', 'priority', 'x-msmail-priority'].map((name) =>
    PRIORITIES.get((fields.first(name) ?? '').trim().toLowerCase().split(/[\s(]/, 1)[0] ?? ''),
  )
  return said.find((priority) => priority !== undefined)
}

const PRIORITIES: ReadonlyMap<string, NonNullable<MessageData['priority']>> = new Map([
  ...['1', '2', 'high', 'highest', 'urgent'].map((word) => [word, 'high'] as const),
  ...['3', 'normal', 'medium'].map((word) => [word, 'normal'] as const),
  ...['4', '5', 'low', 'lowest', 'non-urgent'].map((word) => [word, 'low'] as const),
])

function chosenFields(
  fields: HeaderFields,
  bounds: Bounds,
  furtherFields: readonly string[],
): Record<string, string[]> {
  const chosen: Record<string, string[]> = {}
  for (const name of [...CHOSEN_FIELDS, ...furtherFields]) {
    const values = valuesOf(fields, name, bounds)
    if (values.length > 0) chosen[name] = values
  }
  return chosen
}

function valuesOf(fields: HeaderFields, name: string, bounds: Bounds): string[] {
  const values = fields.all(name)
  return values.length === 0
    ? []
    : bounds.list(values, PARSER.headerValues).map((value) => text(value, bounds))
}

function text(value: string, bounds: Bounds): string {
  if (value.length > ENOUGH) bounds.exceeded = true
  return bounds.text(decodeEncodedWords(value))
}

/** decodeEncodedWords looks no further. */
const ENOUGH = 16 * PARSER.headerCharacters
