import * as z from 'zod'
import { MESSAGE_CLASSES } from '../contract/event.ts'
import { MAILBOX_ID_PATTERN } from '../contract/ids.ts'

// Which archived messages are meant: one query for search, export, hold, retention and replay. It is plain JSON, for cases keep it.

const globs = z.array(z.string().min(1)).min(1)
/** A day (its start in UTC) or a time with its zone. */
export const timeSchema = z.iso.date().or(z.iso.datetime({ offset: true }))

/** Fields are joined by AND, the values of one by OR, the words of `subject` by AND. A query without fields means every message. */
export const querySchema = z.strictObject({
  mailboxes: z.array(z.string().regex(MAILBOX_ID_PATTERN)).min(1).optional(),
  /** Globs, as in routes. Any of From, To, Cc, Bcc and Delivered-To. */
  address: globs.optional(),
  from: globs.optional(),
  /** Any of To, Cc, Bcc and Delivered-To. */
  to: globs.optional(),
  /**
   * From then on, and before then. The message's own times count: Date, which a sender may forge, and those of servers that had it (INTERNALDATE,
   * Received): one of them in the range is enough. Without any of them it is when the message was archived.
   */
  since: timeSchema.optional(),
  before: timeSchema.optional(),
  /** By when the message was archived. */
  archivedSince: timeSchema.optional(),
  archivedBefore: timeSchema.optional(),
  /** Each has to occur; case does not count, `*` and `?` stand for what is between. */
  subject: globs.optional(),
  class: z.array(z.enum(MESSAGE_CLASSES)).min(1).optional(),
  /** Without angle brackets. */
  messageId: z.array(z.string().min(1)).min(1).optional(),
  /** SHA-256, or the id of an event: `<mailbox>/<sha256>`. */
  ids: z
    .array(z.string().regex(/^([a-z0-9][a-z0-9-]{0,62}\/)?[0-9a-f]{64}$/))
    .min(1)
    .optional(),
  /** Globs on file names. */
  attachment: globs.optional(),
})

export type MessageQuery = z.infer<typeof querySchema>
