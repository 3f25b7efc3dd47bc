import type { MessageData } from '../contract/event.ts'
import { PARSER } from '../limits.ts'
import { parseAddresses } from './addresses.ts'
import type { Bounds } from './clean-text.ts'
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
  const subject = fields.first('subject')
  return {
    ...(messageId !== undefined && { messageId }),
    inReplyTo,
    references,
    ...(threadKey !== undefined && { threadKey }),
    ...(date !== undefined && { date }),
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
    headers: chosenFields(fields, bounds, furtherFields),
  }
}

/** Authentication-Results (RFC 8601), topmost first. */
export function readAuthentication(fields: HeaderFields, bounds: Bounds): string[] {
  return valuesOf(fields, 'authentication-results', bounds)
}

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
