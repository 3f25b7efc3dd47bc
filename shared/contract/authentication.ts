import * as z from 'zod'
import { growing } from './archived-data.ts'

// What Mailsluice found itself of a message: in its event and in the evidence that is kept of it. Additions are optional fields, as everywhere.

/** RFC 8601, 2.7.1. */
export const DKIM_RESULTS = ['pass', 'fail', 'neutral', 'none', 'policy', 'temperror', 'permerror'] as const
/** RFC 8601, 2.7.2. */
export const SPF_RESULTS = [
  'pass',
  'fail',
  'softfail',
  'neutral',
  'none',
  'policy',
  'temperror',
  'permerror',
] as const
/** RFC 9989, 9.1. */
export const DMARC_RESULTS = ['pass', 'fail', 'none', 'temperror', 'permerror'] as const
/** RFC 8617, 10.1, and `temperror` while DNS does not tell a key. */
export const ARC_RESULTS = ['pass', 'fail', 'none', 'temperror'] as const

const reason = z.string().optional().describe('For people; its wording may change.')

export const verificationSchema = z.object({
  dkim: z
    .array(
      z.object({
        result: growing(DKIM_RESULTS),
        domain: z.string().optional().describe('The signer: `d=`.'),
        selector: z.string().optional(),
        algorithm: z.string().optional(),
        aligned: z
          .boolean()
          .optional()
          .describe('With the domain of From, as its DMARC record wants it; of a signature that passed.'),
        signedAt: z.string().optional().describe('ISO 8601: `t=`.'),
        expiresAt: z.string().optional().describe('ISO 8601: `x=`.'),
        unsignedOctets: z
          .number()
          .int()
          .positive()
          .optional()
          .describe(
            'At the end of the body, left out of the signature by `l=`: anybody may have written them.',
          ),
        reason,
      }),
    )
    .describe('One for each signature, topmost first; one `none` for a message without.'),
  spf: z.object({
    result: growing(SPF_RESULTS).describe(
      '`none` with a reason when the server named by `receivedBy` did not say whom it took the message from.',
    ),
    domain: z.string().optional().describe('Of the envelope sender; of HELO where the sender is empty.'),
    clientAddress: z.string().optional().describe('IP address of the sending server.'),
    helo: z.string().optional(),
    mailFrom: z.string().optional().describe('Envelope sender; empty for `<>`.'),
    reason,
  }),
  dmarc: z.object({
    result: growing(DMARC_RESULTS),
    domain: z.string().optional().describe('Of the address in From.'),
    policyDomain: z.string().optional().describe('Where the record was found.'),
    policy: z
      .string()
      .optional()
      .describe('What its owner asks for when it fails: none, quarantine or reject.'),
    reason,
  }),
  arc: z.object({
    result: growing(ARC_RESULTS).describe(
      'Whether the chain holds; whether its sealers are to be trusted is yours to say.',
    ),
    instance: z.number().int().positive().optional().describe('Of the latest seal.'),
    reason,
  }),
})

export type Verification = z.infer<typeof verificationSchema>

/** What DNS answered: `records` as in a zone file, text in one piece, or `failure`. */
export const dnsAnswerSchema = z.object({
  type: z.literal('answer'),
  name: z.string(),
  rrtype: z.enum(['A', 'AAAA', 'CNAME', 'MX', 'PTR', 'TXT']),
  /** ISO 8601. */
  at: z.string(),
  records: z.array(z.string()).optional(),
  /** As c-ares names it: ENOTFOUND, ENODATA, ESERVFAIL, ETIMEOUT … */
  failure: z.string().optional(),
})

export type DnsEvidence = z.infer<typeof dnsAnswerSchema>
export type RecordType = DnsEvidence['rrtype']
