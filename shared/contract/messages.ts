import * as z from 'zod'
import { MAILBOX_ID_PATTERN, type MailboxId } from './ids.ts'

// What the Lambdas are told: by the schedule, and by each other over SQS. Version 1.

/**
 * The input of the schedule, which fills in its own time: a tick that comes late, or a second time, picks the mailboxes of its minute.
 * Infra gives it to EventBridge Scheduler as it stands.
 */
export const TICK_INPUT = { v: 1, scheduledAt: '<aws.scheduler.scheduled-time>' } as const

const tickSchema = z.object({ v: z.literal(1).optional(), scheduledAt: z.iso.datetime().optional() })

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

/** What EventBridge tells of an object that was created in a bucket (Amazon S3 User Guide, "EventBridge event message structure"). */
const objectCreatedSchema = z.object({
  detail: z.object({ bucket: z.object({ name: z.string() }), object: z.object({ key: z.string() }) }),
})

/** `scheduledAt` is undefined when somebody called by hand. */
export interface Tick {
  readonly scheduledAt: Date | undefined
}

export type DrainRequest = Omit<z.infer<typeof drainRequestSchema>, 'mailbox'> & {
  readonly mailbox: MailboxId
}
export type ProbeRequest = Omit<z.infer<typeof probeRequestSchema>, 'mailboxes'> & {
  readonly mailboxes: readonly MailboxId[]
}

/** Throws a ZodError for a time that is none. */
export function parseTick(input: unknown): Tick {
  const { scheduledAt } = tickSchema.parse(input ?? {})
  return { scheduledAt: scheduledAt === undefined ? undefined : new Date(scheduledAt) }
}

/** Throws a ZodError for anything else. */
export function parseObjectCreated(body: string): { readonly bucket: string; readonly key: string } {
  const { detail } = objectCreatedSchema.parse(JSON.parse(body))
  return { bucket: detail.bucket.name, key: detail.object.key }
}

export function encodeDrainRequest(request: DrainRequest): string {
  return JSON.stringify(request)
}

export function encodeProbeRequest(request: ProbeRequest): string {
  return JSON.stringify(request)
}

/** Throws a ZodError for anything else: a defect of the sender, and the message goes to the dead-letter queue. */
export function parseDrainRequest(body: string): DrainRequest {
  return drainRequestSchema.parse(JSON.parse(body)) as unknown as DrainRequest
}

export function parseProbeRequest(body: string): ProbeRequest {
  return probeRequestSchema.parse(JSON.parse(body)) as unknown as ProbeRequest
}
