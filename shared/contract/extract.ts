import * as z from 'zod'
import type { Attachment } from './archived-data.ts'
import { globsSchema, matchesAnyGlob } from './glob.ts'

// `extract` of a route: which attachments are stored in the derived bucket, each as an object of its own.

const typesSchema = globsSchema.describe(
  'Globs of media types, such as application/pdf or */xml: declared, or told by the octets.',
)

export const extractSchema = z
  .union(
    [
      typesSchema,
      z.strictObject({
        types: typesSchema,
        minOctets: z.int().min(0).optional().describe('After transfer decoding.'),
        maxOctets: z.int().min(0).optional().describe('After transfer decoding.'),
        inlineImages: z
          .boolean()
          .optional()
          .describe('Also pictures that are shown within the text, such as logos. Default false.'),
      }),
    ],
    { error: 'expected media types, or types with minOctets, maxOctets and inlineImages' },
  )
  .describe('Attachments to store in the derived bucket; the event names the object of each.')

export type ExtractRule = z.infer<typeof extractSchema>

/** Whether a rule wants this attachment. One without octets is never wanted. */
export function wantsAttachment(rule: ExtractRule, attachment: Attachment): boolean {
  const {
    types,
    minOctets = 1,
    maxOctets = Number.POSITIVE_INFINITY,
    inlineImages = false,
  } = typeof rule === 'string' || Array.isArray(rule) ? { types: rule } : rule
  const { octets, kind, contentType, detectedType = contentType } = attachment
  if (octets < Math.max(1, minOctets) || octets > maxOctets) return false
  if (kind === 'inline-image' && !inlineImages) return false
  return matchesAnyGlob(types, [contentType, detectedType])
}
