import { createHash } from 'node:crypto'
import type { z } from 'zod'
import {
  type ArchivedData,
  archivedEventId,
  type Event,
  MAILBOX_RESET,
  MAILBOX_RESUMED,
  MAILBOX_SUSPENDED,
  type MailboxData,
  MESSAGE_ARCHIVED,
  MESSAGE_QUARANTINED,
  type ResumedData,
  type rawSchema,
  type SuspendedData,
} from './contract/event.ts'
import type { Epoch, MailboxId, Sha256 } from './contract/ids.ts'
import { PARSER, QUEUE } from './limits.ts'
import type { ParsedMessage } from './mail/parsed-message.ts'

// Events as consumers get them. Their ids depend on nothing but what happened, so that they are equal on every attempt.

export type RawData = z.infer<typeof rawSchema>

/** A message is archived. */
export function archivedEvent(input: {
  readonly mailbox: MailboxId
  readonly time: Date
  readonly raw: RawData
  readonly server: MailboxData
  readonly parsed: ParsedMessage
}): Event {
  const { mailbox, time, raw, server, parsed } = input
  const { message, text, attachments, attachmentsTruncated, authentication, parse } = parsed
  return {
    ...envelope(mailbox, time),
    type: MESSAGE_ARCHIVED,
    id: archivedEventId(mailbox, raw.sha256 as Sha256),
    subject: raw.key,
    data: {
      raw,
      mailbox: server,
      message,
      text,
      attachments: [...attachments],
      ...(attachmentsTruncated ? { attachmentsTruncated } : {}),
      class: parsed.class,
      authentication: [...authentication],
      parse,
    },
  }
}

/** A message is given up until somebody acts. */
export function quarantinedEvent(input: {
  readonly mailbox: MailboxId
  readonly time: Date
  readonly server: MailboxData
  readonly code: string
  readonly reason: string
  readonly attempts: number
  /** As announced by the server. */
  readonly octets?: number | undefined
}): Event {
  const { mailbox, time, server, code, reason, attempts, octets } = input
  const { folder, uidValidity, uid, uidl } = server
  return {
    ...envelope(mailbox, time),
    type: MESSAGE_QUARANTINED,
    id: eventId(mailbox, 'quarantined', [folder, uidValidity, uid, uidl, code]),
    data: {
      mailbox: server,
      code,
      reason: clip(reason),
      attempts,
      ...(octets === undefined ? {} : { octets }),
    },
  }
}

/** A folder was made anew: its UIDs mean something else now. */
export function resetEvent(input: {
  readonly mailbox: MailboxId
  readonly protocol: 'imap' | 'pop3'
  readonly folder: string
  readonly from: Epoch
  readonly to: Epoch
  readonly time: Date
}): Event {
  const { mailbox, protocol, folder, from, to, time } = input
  return {
    ...envelope(mailbox, time),
    type: MAILBOX_RESET,
    id: eventId(mailbox, 'reset', [folder, from, to]),
    data: { mailbox: { id: mailbox, protocol, folder }, from, to },
  }
}

/** A mailbox cannot be entered: its log-ins rest, and are tried again after pauses that grow. */
export function suspendedEvent(data: SuspendedData, time: Date): Event {
  const mailbox = data.mailbox.id as MailboxId
  return {
    ...envelope(mailbox, time),
    type: MAILBOX_SUSPENDED,
    id: eventId(mailbox, 'suspended', [data.since]),
    data: { ...data, reason: clip(data.reason) },
  }
}

/** It was entered again. */
export function resumedEvent(data: ResumedData, time: Date): Event {
  const mailbox = data.mailbox.id as MailboxId
  return {
    ...envelope(mailbox, time),
    type: MAILBOX_RESUMED,
    id: eventId(mailbox, 'resumed', [data.since]),
    data,
  }
}

/**
 * JSON in ASCII alone: SQS refuses some characters ("SendMessage", valid characters) and emulators refuse more. At most `QUEUE.eventOctets`:
 * in an event that is larger the list, map or preview that takes most is halved until it fits, and `truncated` or
 * `attachmentsTruncated` says so; the raw message has it all. Never throws.
 */
export function encodeEvent(event: Event): string {
  const encoded = encode(event)
  if (encoded.length <= QUEUE.eventOctets || event.type !== MESSAGE_ARCHIVED) return encoded
  const data = structuredClone(event.data)
  clipStrings(data)
  let fitting = encode({ ...event, data })
  while (fitting.length > QUEUE.eventOctets && halveLargest(data)) fitting = encode({ ...event, data })
  return fitting
}

function envelope(mailbox: MailboxId, time: Date) {
  return {
    specversion: '1.0' as const,
    source: `mailsluice/${mailbox}`,
    time: time.toISOString(),
    datacontenttype: 'application/json' as const,
  }
}

/** At most 128 characters, what SQS allows as a MessageDeduplicationId: 63 + 1 + 11 + 1 + 32. */
function eventId(mailbox: MailboxId, what: string, identity: readonly unknown[]): string {
  const digest = createHash('sha256').update(JSON.stringify(identity)).digest('hex')
  return `${mailbox}/${what}/${digest.slice(0, 32)}`
}

function encode(event: Event): string {
  return JSON.stringify(event).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** One part that can be made smaller. */
interface Part {
  readonly size: number
  halve(): void
}

/** False when nothing is left to halve. */
function halveLargest(data: ArchivedData): boolean {
  const { message, text, mailbox } = data
  const messageCut = (): void => {
    message.truncated = true
  }
  const lists: unknown[][] = [
    message.references,
    message.inReplyTo,
    message.from,
    message.sender,
    message.replyTo,
    message.to,
    message.cc,
    message.bcc,
    message.deliveredTo,
    data.authentication,
    mailbox.flags ?? [],
    mailbox.gmailLabels ?? [],
  ]
  const parts: Part[] = [
    ...lists.map((list) => partOf(list, messageCut)),
    partOf(data.attachments, () => {
      data.attachmentsTruncated = true
    }),
    {
      size: sizeOf(message.headers, Object.keys(message.headers).length),
      halve() {
        const names = Object.keys(message.headers)
        for (const name of names.slice(Math.floor(names.length / 2))) delete message.headers[name]
        messageCut()
      },
    },
    {
      size: sizeOf(text.preview, text.preview.length),
      halve() {
        text.preview = text.preview.slice(0, Math.floor(text.preview.length / 2)).toWellFormed()
        text.truncated = true
      },
    },
  ]
  const largest = parts.reduce((most, part) => (part.size > most.size ? part : most))
  if (largest.size === 0) return false
  largest.halve()
  return true
}

function partOf(list: unknown[], cut: () => void): Part {
  return {
    size: sizeOf(list, list.length),
    halve() {
      list.length = Math.floor(list.length / 2)
      cut()
    },
  }
}

/** 0 when there is nothing in it. */
function sizeOf(value: unknown, count: number): number {
  return count === 0 ? 0 : JSON.stringify(value).length
}

function clip(text: string): string {
  return text.length <= PARSER.headerCharacters ? text : text.slice(0, PARSER.headerCharacters).toWellFormed()
}

/** Single values that no list bounds: the parser keeps them short, so this meets only what is not the parser's. */
function clipStrings({ message, attachments }: ArchivedData): void {
  for (const name of ['messageId', 'threadKey', 'subject', 'date'] as const) {
    const value = message[name]
    if (value === undefined || value.length <= PARSER.headerCharacters) continue
    message[name] = clip(value)
    message.truncated = true
  }
  for (const attachment of attachments) {
    attachment.contentType = clip(attachment.contentType)
    if (attachment.name !== undefined) attachment.name = clip(attachment.name)
    if (attachment.contentId !== undefined) attachment.contentId = clip(attachment.contentId)
  }
}
