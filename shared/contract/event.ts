import * as z from 'zod'
import type { MailboxId, Sha256 } from './ids.ts'

// The event, version 1: one schema for validation, types and the JSON Schema that consumers get.
// Additions are optional fields; anything else is a version 2 beside it.

/** Where octets of lists were cut to keep the event small. */
const truncated = z
  .boolean()
  .describe('True when something was cut to bound the size of the event; the raw message has it all.')

export const addressSchema = z.object({
  name: z.string().optional().describe('Display name, decoded.'),
  address: z
    .string()
    .optional()
    .describe('Address (RFC 5322 addr-spec) as written; absent for an empty group.'),
  group: z.string().optional().describe('Name of the group that the address stands in.'),
  invalid: z.boolean().optional().describe('True when it does not follow RFC 5322; kept as it was written.'),
})

export const attachmentSchema = z.object({
  name: z
    .string()
    .optional()
    .describe('File name as declared, decoded, without path; not safe to use as a path unseen.'),
  contentType: z.string().describe('Declared media type, lower case.'),
  octets: z.number().int().nonnegative().describe('Octets after transfer decoding.'),
  sha256: z.string().describe('SHA-256 of the decoded octets.'),
  disposition: z
    .enum(['attachment', 'inline'])
    .describe('`inline` also for parts without Content-Disposition.'),
  contentId: z.string().optional().describe('Content-ID without angle brackets.'),
  partPath: z.string().describe('Position in the MIME tree as in IMAP: 1, 2.1 …'),
})

export const MESSAGE_CLASSES = [
  'ordinary',
  'bounce',
  'auto-reply',
  'calendar',
  'read-receipt',
  'complaint',
  'dmarc-report',
  'list',
  'encrypted',
] as const

export const rawSchema = z.object({
  uri: z.string().describe('s3://bucket/key or file:///path.'),
  bucket: z.string().optional(),
  key: z.string(),
  versionId: z.string().optional(),
  sha256: z.string().describe('SHA-256 of the octets: key, checksum and identity of the message.'),
  octets: z.number().int().nonnegative(),
  retainUntil: z.string().optional().describe('ISO 8601; the object cannot be deleted before it.'),
})

export const mailboxSchema = z.object({
  id: z.string(),
  protocol: z.enum(['imap', 'pop3']),
  folder: z.string(),
  uid: z.number().int().positive().optional().describe('IMAP.'),
  uidValidity: z.string().optional().describe('IMAP; decimal.'),
  uidl: z.string().optional().describe('POP3; absent when the server has no UIDL.'),
  internalDate: z.string().optional().describe('IMAP INTERNALDATE, ISO 8601 in UTC.'),
  flags: z.array(z.string()).optional(),
  gmailLabels: z.array(z.string()).optional(),
  gmailThreadId: z.string().optional(),
  emailId: z.string().optional().describe('RFC 8474.'),
  threadId: z.string().optional().describe('RFC 8474.'),
})

export const messageSchema = z.object({
  messageId: z
    .string()
    .optional()
    .describe("The sender's Message-ID without angle brackets; not an identity."),
  inReplyTo: z.array(z.string()),
  references: z.array(z.string()),
  threadKey: z.string().optional().describe('First of References, else In-Reply-To, else Message-ID.'),
  date: z.string().optional().describe("ISO 8601 with the sender's offset, from the Date field."),
  from: z.array(addressSchema),
  sender: z.array(addressSchema),
  replyTo: z.array(addressSchema),
  to: z.array(addressSchema),
  cc: z.array(addressSchema),
  bcc: z.array(addressSchema),
  deliveredTo: z.array(z.string()).describe('Delivered-To, X-Original-To and Envelope-To, as written.'),
  subject: z.string().optional(),
  headers: z
    .record(z.string(), z.array(z.string()))
    .describe('A chosen few fields by lower-case name, unfolded and decoded.'),
  truncated,
})

export const textSchema = z.object({
  preview: z.string().describe('Start of the text, white space folded.'),
  truncated,
  source: z.enum(['plain', 'html', 'none']),
})

export const parseSchema = z.object({
  status: z.enum(['parsed', 'partial', 'failed']),
  code: z.string().optional().describe('Why it is not `parsed`.'),
  version: z
    .string()
    .describe('Version of the parser: the same octets parse the same way under the same version.'),
})

export const archivedDataSchema = z.object({
  raw: rawSchema,
  mailbox: mailboxSchema,
  message: messageSchema,
  text: textSchema,
  attachments: z.array(attachmentSchema),
  attachmentsTruncated: z.boolean().optional(),
  class: z.enum(MESSAGE_CLASSES),
  authentication: z
    .array(z.string())
    .describe('Authentication-Results fields as received, topmost first; trust only your own server.'),
  parse: parseSchema,
})

export const quarantinedDataSchema = z.object({
  mailbox: mailboxSchema,
  code: z.string(),
  reason: z.string(),
  attempts: z.number().int().nonnegative(),
  octets: z.number().int().nonnegative().optional().describe('As announced by the server.'),
})

export const resetDataSchema = z.object({
  mailbox: z.object({ id: z.string(), protocol: z.enum(['imap', 'pop3']), folder: z.string() }),
  from: z.string().describe('UIDVALIDITY that the ledger knew.'),
  to: z
    .string()
    .describe('UIDVALIDITY of the server now. Messages that were archived before are not announced again.'),
})

export const suspendedDataSchema = z.object({
  mailbox: z.object({ id: z.string(), protocol: z.enum(['imap', 'pop3']) }),
  code: z.string().describe('Why the mailbox cannot be entered, such as AUTHENTICATION_FAILED.'),
  reason: z.string(),
  remedy: z.string().describe('What an operator can do about it.'),
  since: z.string().describe('ISO 8601; of the first attempt that failed.'),
  nextTryAt: z
    .string()
    .describe(
      'ISO 8601; the pauses grow. Earlier when the credential is changed or the mailbox is drained by hand.',
    ),
})

export const resumedDataSchema = z.object({
  mailbox: z.object({ id: z.string(), protocol: z.enum(['imap', 'pop3']) }),
  code: z.string().describe('Why it was suspended, at last.'),
  since: z.string().describe('ISO 8601; as in the event of the suspension.'),
  attempts: z.number().int().positive().describe('That failed.'),
})

function cloudEvent<Type extends string, Data extends z.ZodType>(type: Type, data: Data) {
  return z.object({
    specversion: z.literal('1.0'),
    type: z.literal(type),
    id: z.string().describe('The same on every attempt: consumers drop what they have seen.'),
    source: z.string().describe('mailsluice/<mailbox id>'),
    time: z.string().describe('ISO 8601; when it was announced first or again.'),
    datacontenttype: z.literal('application/json'),
    subject: z.string().optional().describe('Key of the raw object.'),
    data,
  })
}

export const MESSAGE_ARCHIVED = 'mailsluice.message.archived.v1'
export const MESSAGE_QUARANTINED = 'mailsluice.message.quarantined.v1'
export const MAILBOX_RESET = 'mailsluice.mailbox.reset.v1'
export const MAILBOX_SUSPENDED = 'mailsluice.mailbox.suspended.v1'
export const MAILBOX_RESUMED = 'mailsluice.mailbox.resumed.v1'

export const eventSchema = z.discriminatedUnion('type', [
  cloudEvent(MESSAGE_ARCHIVED, archivedDataSchema),
  cloudEvent(MESSAGE_QUARANTINED, quarantinedDataSchema),
  cloudEvent(MAILBOX_RESET, resetDataSchema),
  cloudEvent(MAILBOX_SUSPENDED, suspendedDataSchema),
  cloudEvent(MAILBOX_RESUMED, resumedDataSchema),
])

export type Address = z.infer<typeof addressSchema>
export type Attachment = z.infer<typeof attachmentSchema>
export type MessageClass = (typeof MESSAGE_CLASSES)[number]
export type MailboxData = z.infer<typeof mailboxSchema>
export type MessageData = z.infer<typeof messageSchema>
export type TextData = z.infer<typeof textSchema>
export type ParseData = z.infer<typeof parseSchema>
export type ArchivedData = z.infer<typeof archivedDataSchema>
export type QuarantinedData = z.infer<typeof quarantinedDataSchema>
export type ResetData = z.infer<typeof resetDataSchema>
export type SuspendedData = z.infer<typeof suspendedDataSchema>
export type ResumedData = z.infer<typeof resumedDataSchema>
export type Event = z.infer<typeof eventSchema>

/** `<mailbox>/<sha256>`: at most 128 characters, what SQS allows as a MessageDeduplicationId. */
export function archivedEventId(mailbox: MailboxId, digest: Sha256): string {
  return `${mailbox}/${digest}`
}

/** The JSON Schema (2020-12) of every event, for consumers in other languages. Open to fields that are added later. */
export function eventJsonSchema(): object {
  // As output, zod closes objects against what it would strip.
  return { title: 'Events of Mailsluice', ...z.toJSONSchema(eventSchema, { io: 'input' }) }
}
