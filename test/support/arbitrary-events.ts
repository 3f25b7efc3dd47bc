import fc from 'fast-check'
import { type ArchivedData, MESSAGE_CLASSES } from '../../shared/contract/event.ts'
import { mailboxId, sha256 } from '../../shared/contract/ids.ts'
import type { ParsedMessage } from '../../shared/mail/parsed-message.ts'

// Events that no parser would make: every text field holds whatever `text` gives.

/** UTF-16 as it may come: lone surrogates, U+FFFE, NUL and other control characters, also characters beyond the BMP. */
export function anyText(maxLength: number): fc.Arbitrary<string> {
  const unit = fc.oneof(
    fc.integer({ min: 0, max: 0xffff }),
    fc.constantFrom(0, 0x1b, 0x7f, 0x85, 0x22, 0x5c, 0xd800, 0xdc00, 0xfffe, 0xffff, 0x2028, 0xfeff),
  )
  return fc.array(unit, { maxLength }).map((units) => String.fromCharCode(...units))
}

export interface Bounds {
  readonly text: fc.Arbitrary<string>
  /** Elements of each list. */
  readonly list: { readonly minLength?: number; readonly maxLength: number }
}

export function parsedMessages({ text, list }: Bounds): fc.Arbitrary<ParsedMessage> {
  const texts = fc.array(text, list)
  const addresses = fc.array(
    record({}, { name: text, address: text, group: text, invalid: fc.constant(true) }),
    list,
  )
  const cut = fc.constant(false)
  const attachment = record(
    {
      contentType: text,
      octets: fc.nat(),
      sha256: digests,
      disposition: fc.constantFrom('attachment' as const, 'inline' as const),
      partPath: fc.stringMatching(/^[1-9](\.[1-9]){0,50}$/),
    },
    { name: text, contentId: text },
  )
  return record({
    message: record(
      {
        inReplyTo: texts,
        references: texts,
        from: addresses,
        sender: addresses,
        replyTo: addresses,
        to: addresses,
        cc: addresses,
        bcc: addresses,
        deliveredTo: texts,
        headers: fc.dictionary(fc.stringMatching(/^[a-z-]{1,20}$/), texts, {
          maxKeys: 20,
          noNullPrototype: true,
        }),
        truncated: cut,
      },
      { messageId: text, threadKey: text, date: text, subject: text },
    ),
    text: record({
      preview: text,
      truncated: cut,
      source: fc.constantFrom('plain' as const, 'html' as const, 'none' as const),
    }),
    attachments: fc.array(attachment, list),
    attachmentsTruncated: cut,
    encoded: fc.constant({}),
    class: fc.constantFrom(...MESSAGE_CLASSES),
    labels: fc.constant([]),
    authentication: texts,
    parse: fc.constant({ status: 'parsed', version: '1' } as const),
  })
}

/** What the mail server says: it may be anybody's. */
export function serverData({ text, list }: Bounds): fc.Arbitrary<ArchivedData['mailbox']> {
  const texts = fc.array(text, list)
  return record(
    {
      id: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,62}$/).map(mailboxId),
      protocol: fc.constantFrom('imap' as const, 'pop3' as const),
      folder: text,
    },
    {
      uid: fc.integer({ min: 1, max: 0xffff_ffff }),
      uidValidity: fc.stringMatching(/^[1-9]\d{0,9}$/),
      uidl: text,
      internalDate: text,
      flags: texts,
      gmailLabels: texts,
      gmailThreadId: text,
      emailId: text,
      threadId: text,
    },
  )
}

const digests = fc.stringMatching(/^[0-9a-f]{64}$/).map(sha256)

/** As JSON has objects: what is not there is no field. */
function record<Required extends object, Optional extends object>(
  required: { [Name in keyof Required]: fc.Arbitrary<Required[Name]> },
  optional: { [Name in keyof Optional]: fc.Arbitrary<Optional[Name]> } = {} as never,
): fc.Arbitrary<Required & Partial<Optional>> {
  const requiredKeys = Object.keys(required)
  const both = { ...required, ...optional } as Record<string, fc.Arbitrary<unknown>>
  return fc.record(both, { requiredKeys, noNullPrototype: true }) as unknown as fc.Arbitrary<
    Required & Partial<Optional>
  >
}
