import * as z from 'zod'
import { ATTACHMENT_KINDS, LABELS, MESSAGE_CLASSES } from './event.ts'
import { extractSchema } from './extract.ts'
import { globsSchema } from './glob.ts'

// Routes, as they stand in mailsluice.yaml: conditions on a message, and the queues of those that meet them (docs/routes.md).

/** One of the values, or a list of which any will do. */
function oneOrSeveral<Value extends string>(values: readonly Value[]) {
  return z
    .union([z.enum(values), z.array(z.enum(values)).min(1)], {
      error: `expected one or a list of ${values.join(', ')}`,
    })
    .describe('One of these, or a list of which any will do.')
}

const attachmentSchema = z
  .union(
    [
      globsSchema,
      z.strictObject({
        type: globsSchema.optional().describe('Media type: declared, or told by the octets.'),
        name: globsSchema.optional().describe('File name, as the event has it.'),
        kind: oneOrSeveral(ATTACHMENT_KINDS).optional(),
        invoice: z.boolean().optional().describe('Whether it is an electronic invoice.'),
        minOctets: z.int().min(0).optional().describe('After transfer decoding.'),
        maxOctets: z.int().min(0).optional().describe('After transfer decoding.'),
      }),
    ],
    {
      error: 'expected a glob, a list of them, or some of type, name, kind, invoice, minOctets and maxOctets',
    },
  )
  .describe(
    'Media type of an attachment, declared or told by the octets; or what one and the same has to have.',
  )

/** A field name (RFC 5322, 2.2), of the characters that are in use. */
const FIELD_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/

const headerSchema = z
  .record(
    z.string().regex(FIELD_NAME, { error: 'expected the name of a header field: letters, digits, hyphens' }),
    globsSchema,
  )
  .describe(
    'Globs by field name; any field of the name may match. A field that is named here is in the event, too.',
  )

const authenticationSchema = z
  .strictObject({
    dmarc: globsSchema.optional(),
    dkim: globsSchema.optional(),
    spf: globsSchema.optional(),
    arc: globsSchema.optional(),
  })
  .describe(
    'Globs of results such as pass or fail, by method: what the server named by `authservId` of the mailbox found. Without one none holds.',
  )

const conditionsSchema = z
  .strictObject({
    mailbox: globsSchema.optional(),
    to: globsSchema
      .optional()
      .describe(
        'Any of To, Cc, Bcc, Delivered-To, X-Original-To, Envelope-To; as written, and without what stands after a + in it.',
      ),
    from: globsSchema.optional().describe('From or Sender.'),
    subject: globsSchema.optional(),
    class: oneOrSeveral(MESSAGE_CLASSES).optional(),
    label: oneOrSeveral(LABELS).optional(),
    attachment: attachmentSchema.optional(),
    authentication: authenticationSchema.optional(),
    header: headerSchema.optional(),
    get all() {
      return z.array(conditionsSchema).min(1).optional().describe('Each group must hold.')
    },
    get any() {
      return z.array(conditionsSchema).min(1).optional().describe('One group at least must hold.')
    },
    get not() {
      return conditionsSchema.optional().describe('This group must not hold.')
    },
  })
  .describe('All conditions named must hold.')

export const routeSchema = z.strictObject({
  queue: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)], {
      error: 'expected a name under queues or a list of them',
    })
    .describe('A name under `queues`, or several: the message is announced on each.'),
  when: conditionsSchema,
  continue: z
    .boolean()
    .optional()
    .describe('The routes below are looked at, too; those that match add their queues.'),
  extract: extractSchema.optional(),
})

export type Globs = z.infer<typeof globsSchema>
export type Conditions = z.infer<typeof conditionsSchema>
export type RouteConfig = z.infer<typeof routeSchema>

/** The queues of one route. */
export function queuesOf({ queue }: Pick<RouteConfig, 'queue'>): readonly string[] {
  return typeof queue === 'string' ? [queue] : queue
}

/** The header fields that routes look at, in lower case, each once. */
export function headerFieldsOf(routes: readonly Pick<RouteConfig, 'when'>[]): readonly string[] {
  const names = (when: Conditions): string[] => [
    ...Object.keys(when.header ?? {}).map((name) => name.toLowerCase()),
    ...[...(when.all ?? []), ...(when.any ?? []), ...(when.not ? [when.not] : [])].flatMap(names),
  ]
  return [...new Set(routes.flatMap(({ when }) => names(when)))]
}
