import { z } from 'zod'
import { MAILBOX_ID_PATTERN, type MailboxId } from './ids.ts'

// What the Lambdas say to each other over SQS, version 1.

const mailboxIdSchema = z.string().regex(MAILBOX_ID_PATTERN)

/** Asks for one drain of one mailbox; FIFO, MessageGroupId = mailbox id. */
export const drainRequestSchema = z.strictObject({
  v: z.literal(1),
  mailbox: mailboxIdSchema,
  reason: z.enum(['probe', 'idle', 'continuation', 'operator']),
})

/** Asks for a look at several mailboxes at once. */
export const probeRequestSchema = z.strictObject({
  v: z.literal(1),
  mailboxes: z.array(mailboxIdSchema).min(1),
})

export type DrainRequest = Omit<z.infer<typeof drainRequestSchema>, 'mailbox'> & {
  readonly mailbox: MailboxId
}
export type ProbeRequest = Omit<z.infer<typeof probeRequestSchema>, 'mailboxes'> & {
  readonly mailboxes: readonly MailboxId[]
}

/** Throws a ZodError for anything else: a defect of the sender, and the message goes to the dead-letter queue. */
export function parseDrainRequest(body: string): DrainRequest {
  return drainRequestSchema.parse(JSON.parse(body)) as unknown as DrainRequest
}

export function parseProbeRequest(body: string): ProbeRequest {
  return probeRequestSchema.parse(JSON.parse(body)) as unknown as ProbeRequest
}
