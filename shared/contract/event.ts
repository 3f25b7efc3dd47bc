import * as z from 'zod'
import { archivedDataSchema, mailboxSchema, rawSchema } from './archived-data.ts'
import { verificationSchema } from './authentication.ts'
import type { MailboxId, Sha256 } from './ids.ts'

export * from './archived-data.ts'

// The event, version 1: one schema for validation, types, the JSON Schema, AsyncAPI document and docs/events.md that consumers get.
// Additions are optional fields, and values where `growing` says so; anything else is a version 2 beside it (docs/events.md, "What may change").

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

export const authenticatedDataSchema = z.object({
  raw: rawSchema,
  mailbox: z.object({ id: z.string() }),
  verifiedAt: z.string().describe('ISO 8601; when DNS was asked.'),
  ...verificationSchema.shape,
  evidence: z
    .object({
      uri: z.string().describe('s3://bucket/key or file:///path.'),
      bucket: z.string().optional(),
      key: z.string(),
    })
    .describe('The same, with everything that DNS answered; under lock in the archive.'),
})

/** The envelope (CloudEvents 1.0.2, 3.1). `title`: its name where types have one. `description`: what has happened. */
function cloudEvent<Type extends string, Data extends z.ZodType>(
  type: Type,
  data: Data,
  about: { readonly title: string; readonly description: string },
) {
  const envelope = z.object({
    specversion: z.literal('1.0'),
    type: z.literal(type),
    id: z.string().describe('The same on every attempt: consumers drop what they have seen.'),
    source: z.string().describe('mailsluice/<mailbox id>'),
    time: z.string().describe('ISO 8601; when it was announced first or again.'),
    datacontenttype: z.literal('application/json'),
    subject: z.string().optional().describe('Key of the raw object.'),
    replay: z
      .string()
      .optional()
      .describe('When an operator has announced it again: the name of that replay. The id is what it was.'),
    data,
  })
  return envelope.meta(about)
}

export const MESSAGE_ARCHIVED = 'mailsluice.message.archived.v1'
export const MESSAGE_AUTHENTICATED = 'mailsluice.message.authenticated.v1'
export const MESSAGE_QUARANTINED = 'mailsluice.message.quarantined.v1'
export const MAILBOX_RESET = 'mailsluice.mailbox.reset.v1'
export const MAILBOX_SUSPENDED = 'mailsluice.mailbox.suspended.v1'
export const MAILBOX_RESUMED = 'mailsluice.mailbox.resumed.v1'

export const eventSchema = z.discriminatedUnion('type', [
  cloudEvent(MESSAGE_ARCHIVED, archivedDataSchema, {
    title: 'MessageArchived',
    description: 'A message is in the archive, octet by octet. Goes to the queues of its routes.',
  }),
  cloudEvent(MESSAGE_AUTHENTICATED, authenticatedDataSchema, {
    title: 'MessageAuthenticated',
    description:
      'DKIM, SPF, DMARC and ARC of an archived message were verified, some seconds after it was archived. Goes to the queues of `authentication`; without that setting nothing is verified.',
  }),
  cloudEvent(MESSAGE_QUARANTINED, quarantinedDataSchema, {
    title: 'MessageQuarantined',
    description:
      'A message could not be fetched and is given up until somebody acts. Goes to the queue `default`.',
  }),
  cloudEvent(MAILBOX_RESET, resetDataSchema, {
    title: 'MailboxReset',
    description:
      'A folder was made anew, so that its UIDs mean something else now. Goes to the queue `default`.',
  }),
  cloudEvent(MAILBOX_SUSPENDED, suspendedDataSchema, {
    title: 'MailboxSuspended',
    description: 'A mailbox cannot be entered; its log-ins rest. Goes to the queue `default`.',
  }),
  cloudEvent(MAILBOX_RESUMED, resumedDataSchema, {
    title: 'MailboxResumed',
    description: 'A mailbox that was suspended was entered again. Goes to the queue `default`.',
  }),
])

export type AuthenticatedData = z.infer<typeof authenticatedDataSchema>
export type QuarantinedData = z.infer<typeof quarantinedDataSchema>
export type ResetData = z.infer<typeof resetDataSchema>
export type SuspendedData = z.infer<typeof suspendedDataSchema>
export type ResumedData = z.infer<typeof resumedDataSchema>
export type Event = z.infer<typeof eventSchema>
export type ArchivedEvent = Extract<Event, { readonly type: typeof MESSAGE_ARCHIVED }>

/** `<mailbox>/<sha256>`: at most 128 characters, what SQS allows as a MessageDeduplicationId. */
export function archivedEventId(mailbox: MailboxId, digest: Sha256): string {
  return `${mailbox}/${digest}`
}

/** The JSON Schema (2020-12) of every event, for consumers in other languages. Open to fields that are added later. */
export function eventJsonSchema(): object {
  // As output, zod closes objects against what it would strip.
  return { title: 'Events of Mailsluice', ...z.toJSONSchema(eventSchema, { io: 'input' }) }
}
