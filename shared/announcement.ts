import { createHash } from 'node:crypto'
import type { z } from 'zod'
import { asciiJson, boundedEvent, clip } from './bounded-event.ts'
import {
  type ArchivedEvent,
  type Attachment,
  type AuthenticatedData,
  archivedEventId,
  type Event,
  MAILBOX_RESET,
  MAILBOX_RESUMED,
  MAILBOX_SUSPENDED,
  type MailboxData,
  MESSAGE_ARCHIVED,
  MESSAGE_AUTHENTICATED,
  MESSAGE_QUARANTINED,
  type ResumedData,
  type rawSchema,
  type SuspendedData,
  type TrustedAuthentication,
} from './contract/event.ts'
import type { Epoch, MailboxId, Sha256 } from './contract/ids.ts'
import { QUEUE } from './limits.ts'
import type { ParsedMessage } from './mail/parsed-message.ts'
import { present } from './present.ts'

// Events as consumers get them. Their ids depend on nothing but what happened, so that they are equal on every attempt.

export type RawData = z.infer<typeof rawSchema>

/** A message is archived. */
export function archivedEvent(input: {
  readonly mailbox: MailboxId
  readonly time: Date
  readonly raw: RawData
  readonly server: MailboxData
  readonly parsed: ParsedMessage
  /** @default those that were parsed; extracted ones say where they are */
  readonly attachments?: readonly Attachment[]
  /** @default no server is trusted */
  readonly trustedAuthentication?: TrustedAuthentication | undefined
  readonly replay?: string | undefined
}): ArchivedEvent {
  const { mailbox, time, raw, server, parsed, replay } = input
  const { attachments = parsed.attachments, trustedAuthentication } = input
  const { message, text, attachmentsTruncated, labels, authentication, parse } = parsed
  const { bounce, calendar, receipt, complaint, dmarcReport } = parsed
  return {
    ...envelope(mailbox, time),
    type: MESSAGE_ARCHIVED,
    id: archivedEventId(mailbox, raw.sha256 as Sha256),
    subject: raw.key,
    ...(replay === undefined ? {} : { replay }),
    data: {
      raw,
      mailbox: server,
      message: { ...message, ...present({ threadKey: message.threadKey ?? providerThread(server) }) },
      text,
      attachments: [...attachments],
      ...(attachmentsTruncated ? { attachmentsTruncated } : {}),
      class: parsed.class,
      ...(labels.length > 0 ? { labels: [...labels] } : {}),
      ...present({ bounce, calendar, receipt, complaint, dmarcReport }),
      authentication: [...authentication],
      ...present({ trustedAuthentication }),
      parse,
    },
  }
}

/** A message without ids belongs to a thread by its provider alone. */
function providerThread({ gmailThreadId, threadId }: MailboxData): string | undefined {
  if (gmailThreadId !== undefined) return `gmail:${gmailThreadId}`
  return threadId === undefined ? undefined : `thread:${threadId}`
}

/** A message was verified. */
export function authenticatedEvent(mailbox: MailboxId, data: AuthenticatedData, time: Date): Event {
  return {
    ...envelope(mailbox, time),
    type: MESSAGE_AUTHENTICATED,
    id: eventId(mailbox, 'authenticated', [data.raw.sha256]),
    subject: data.raw.key,
    data,
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
  const { flags: _, gmailLabels: __, ...place } = server
  const { folder, uidValidity, uid, uidl } = place
  // Of a message on a POP3 server without UIDL nothing but its size is known.
  const size = uid === undefined && uidl === undefined ? [octets] : []
  return {
    ...envelope(mailbox, time),
    type: MESSAGE_QUARANTINED,
    id: eventId(mailbox, 'quarantined', [folder, uidValidity, uid, uidl, code, ...size]),
    data: {
      mailbox: place,
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
 * what is larger is cut and marked (`boundedEvent`); the raw message has it all. Never throws.
 */
export function encodeEvent(event: Event): string {
  return asciiJson(boundedEvent(event, QUEUE.eventOctets))
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
