import * as z from 'zod'

// What an event says of an archived message. Additions are optional fields, as everywhere in an event.

/** One of the values, or one that is added later: who has the schema of today reads the events of tomorrow. */
export function growing<Value extends string>(values: readonly Value[]) {
  return z.union([z.enum(values), z.string()]) as z.ZodType<Value | (string & {})>
}

/** Where octets of lists were cut to keep the event small. */
const truncated = z
  .boolean()
  .describe(
    'True when something was cut to bound the size of the event; `metadata` or the raw message has it all.',
  )

export const addressSchema = z.object({
  name: z.string().optional().describe('Display name, decoded.'),
  address: z
    .string()
    .optional()
    .describe('Address (RFC 5322 addr-spec) as written; absent for an empty group.'),
  group: z.string().optional().describe('Name of the group that the address stands in.'),
  invalid: z.boolean().optional().describe('True when it does not follow RFC 5322; kept as it was written.'),
})

export const INVOICE_SYNTAXES = ['ubl-invoice', 'ubl-credit-note', 'cii', 'zugferd-1'] as const

export const invoiceSchema = z
  .object({
    syntax: growing(INVOICE_SYNTAXES)
      .optional()
      .describe('`cii`: UN/CEFACT Cross Industry Invoice. Absent for a PDF that names its profile alone.'),
    profile: z
      .string()
      .optional()
      .describe(
        'xrechnung, peppol-bis-3, en16931, extended, basic, basic-wl, minimum or comfort, when it is one of these.',
      ),
    guideline: z
      .string()
      .optional()
      .describe('As written: CustomizationID (UBL), GuidelineSpecifiedDocumentContextParameter (CII).'),
    embedded: z.boolean().describe('True for a PDF that holds the invoice as XML: ZUGFeRD, Factur-X.'),
  })
  .describe('An electronic invoice, by what the file says of itself. It is recognised and not validated.')

export const ATTACHMENT_KINDS = [
  'file',
  'inline-image',
  'message',
  'archive',
  'tnef',
  'calendar',
  'signature',
  'report',
] as const

export const attachmentSchema = z.object({
  name: z
    .string()
    .optional()
    .describe(
      'File name, decoded and made safe: no path, no controls, no marks that hide or turn characters, nothing that a file system refuses. Two attachments of a message may have the same.',
    ),
  declaredName: z
    .string()
    .optional()
    .describe('File name as declared, decoded, where `name` is another. Never a path to write to.'),
  contentType: z.string().describe('Declared media type, lower case.'),
  detectedType: z
    .string()
    .optional()
    .describe('Media type by the first octets; absent when they tell nothing.'),
  typeMismatch: z
    .boolean()
    .optional()
    .describe(
      'True when the octets are of another type than what is declared, or than the ending of the name says.',
    ),
  kind: growing(ATTACHMENT_KINDS)
    .optional()
    .describe(
      '`inline-image`: shown within the text, such as a logo. `archive`: ZIP and the like. `tnef`: winmail.dat. `report`: the parts of a bounce, receipt or complaint. `file`: everything else, documents above all.',
    ),
  encrypted: z.boolean().optional().describe('True for a ZIP or PDF that needs a password.'),
  invoice: invoiceSchema.optional(),
  key: z
    .string()
    .optional()
    .describe(
      'Object in the derived bucket with the decoded octets; only when a route extracts it. It expires.',
    ),
  uri: z.string().optional().describe('s3://bucket/key or file:///path of that object.'),
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

/** What a message may be called at the same time; those that `class` can be, and traits beside them. */
export const LABELS = [
  ...MESSAGE_CLASSES.filter((name) => name !== 'ordinary'),
  'bulk',
  'signed',
  'tnef',
] as const

export const labelSchema = z.object({
  label: growing(LABELS),
  evidence: z
    .array(z.string())
    .describe('What it rests on: `field: value` of a header, `part: type` of a body part.'),
})

export const bounceSchema = z.object({
  recipients: z
    .array(
      z.object({
        recipient: z.string().describe('Final-Recipient without its type.'),
        originalRecipient: z.string().optional(),
        action: z
          .string()
          .optional()
          .describe('failed, delayed, delivered, relayed, expanded (RFC 3464, 2.3.3).'),
        status: z.string().optional().describe('Enhanced status code (RFC 3463), such as 5.1.1.'),
        diagnostic: z.string().optional(),
        remoteMta: z.string().optional(),
      }),
    )
    .describe('From message/delivery-status, else from X-Failed-Recipients.'),
  reportingMta: z.string().optional(),
  originalMessageId: z
    .string()
    .optional()
    .describe(
      'Message-ID of the message that came back, from the part that returns it, without angle brackets.',
    ),
})

export const calendarSchema = z.object({
  method: z.string().optional().describe('REQUEST, REPLY, CANCEL … (RFC 5546), upper case.'),
  uid: z.string().optional(),
  summary: z.string().optional(),
  start: z
    .string()
    .optional()
    .describe('DTSTART as written: 20261130T090000Z, or local to `startZone`, or a date.'),
  startZone: z.string().optional().describe('TZID of `start`.'),
  end: z.string().optional(),
  endZone: z.string().optional(),
  recurs: z.boolean().optional(),
})

export const receiptSchema = z.object({
  disposition: z
    .string()
    .optional()
    .describe('As written (RFC 8098, 3.2.6), such as `manual-action/…; displayed`.'),
  finalRecipient: z.string().optional(),
  originalMessageId: z.string().optional(),
})

export const complaintSchema = z.object({
  feedbackType: z.string().optional().describe('abuse, fraud, not-spam … (RFC 5965, 7.3).'),
  originalRecipient: z.string().optional(),
  originalMessageId: z.string().optional(),
  sourceIp: z.string().optional(),
})

export const dmarcReportSchema = z.object({
  submitter: z.string().optional().describe('Domain of who reports.'),
  domain: z.string().optional().describe('Domain that the report is about.'),
  begin: z.string().optional().describe('ISO 8601.'),
  end: z.string().optional().describe('ISO 8601.'),
  reportId: z.string().optional(),
})

export const authenticationResultSchema = z.object({
  method: z.string().describe('spf, dkim, dmarc, arc … lower case (RFC 8601, 2.7).'),
  result: z.string().describe('pass, fail, none … lower case.'),
  reason: z.string().optional(),
  properties: z
    .record(z.string(), z.string())
    .describe('By `type.name`, as in `header.from` or `smtp.mailfrom`.'),
})

export const trustedAuthenticationSchema = z.object({
  authservId: z.string().describe('The configured id; empty when the server writes none.'),
  results: z.array(authenticationResultSchema),
})

export const metadataSchema = z
  .object({
    uri: z.string().describe('s3://bucket/key or file:///path.'),
    bucket: z.string().optional(),
    key: z.string(),
    sha256: z.string(),
    octets: z.number().int().nonnegative(),
  })
  .describe(
    'Object in the derived bucket with `data` of this event as it was before it was cut: JSON. It expires.',
  )

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
  threadKey: z
    .string()
    .optional()
    .describe(
      'First of References, else In-Reply-To, else Message-ID; without any of them the thread of the provider: gmail:ID or thread:ID (RFC 8474).',
    ),
  date: z.string().optional().describe("ISO 8601 with the sender's offset, from the Date field."),
  receivedAt: z
    .string()
    .optional()
    .describe(
      'ISO 8601, from the topmost Received field: when the server that we drain, or one before it, had it.',
    ),
  dateCredible: z
    .boolean()
    .optional()
    .describe(
      'False when `date` is missing, no date, more than a day after `receivedAt` or more than a week before it. Absent without `receivedAt`.',
    ),
  from: z.array(addressSchema),
  sender: z.array(addressSchema),
  replyTo: z.array(addressSchema),
  to: z.array(addressSchema),
  cc: z.array(addressSchema),
  bcc: z.array(addressSchema),
  deliveredTo: z.array(z.string()).describe('Delivered-To, X-Original-To and Envelope-To, as written.'),
  subject: z.string().optional(),
  priority: z
    .enum(['high', 'normal', 'low'])
    .optional()
    .describe(
      'From Importance, X-Priority, Priority or X-MSMail-Priority; absent when the sender says none.',
    ),
  receiptTo: z
    .array(addressSchema)
    .optional()
    .describe(
      'Whom the sender asks to send a read receipt to (Disposition-Notification-To and older fields).',
    ),
  headers: z
    .record(z.string(), z.array(z.string()))
    .describe('A chosen few fields by lower-case name, unfolded and decoded.'),
  truncated,
})

export const textSchema = z.object({
  preview: z.string().describe('Start of the text, white space folded.'),
  reply: z
    .string()
    .optional()
    .describe(
      'Start of what the sender wrote, with its lines, without quotes of other messages and without signature.',
    ),
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
  class: growing(MESSAGE_CLASSES).describe(
    'What decides what to do with it; one of `labels`, else ordinary.',
  ),
  labels: z
    .array(labelSchema)
    .optional()
    .describe('Everything that the message says of itself, with the evidence.'),
  bounce: bounceSchema.optional(),
  calendar: calendarSchema.optional(),
  receipt: receiptSchema.optional(),
  complaint: complaintSchema.optional(),
  dmarcReport: dmarcReportSchema.optional(),
  authentication: z
    .array(z.string())
    .describe('Authentication-Results fields as received, topmost first; trust only your own server.'),
  trustedAuthentication: trustedAuthenticationSchema
    .optional()
    .describe(
      'What the server named by `authservId` of the mailbox recorded; fields of others are not looked at.',
    ),
  metadata: metadataSchema.optional(),
  parse: parseSchema,
})

export type Address = z.infer<typeof addressSchema>
export type Attachment = z.infer<typeof attachmentSchema>
export type AttachmentKind = (typeof ATTACHMENT_KINDS)[number]
export type InvoiceData = z.infer<typeof invoiceSchema>
export type MessageClass = (typeof MESSAGE_CLASSES)[number]
export type Label = (typeof LABELS)[number]
export type LabelData = z.infer<typeof labelSchema>
export type BounceData = z.infer<typeof bounceSchema>
export type CalendarData = z.infer<typeof calendarSchema>
export type ReceiptData = z.infer<typeof receiptSchema>
export type ComplaintData = z.infer<typeof complaintSchema>
export type DmarcReportData = z.infer<typeof dmarcReportSchema>
export type TrustedAuthentication = z.infer<typeof trustedAuthenticationSchema>
export type MetadataObject = z.infer<typeof metadataSchema>
export type MailboxData = z.infer<typeof mailboxSchema>
export type MessageData = z.infer<typeof messageSchema>
export type TextData = z.infer<typeof textSchema>
export type ParseData = z.infer<typeof parseSchema>
export type ArchivedData = z.infer<typeof archivedDataSchema>
