import { once } from 'node:events'
import { type AddressObject, type AttachmentStream, type EmailAddress, MailParser } from 'mailparser'
import type { Address } from '../../shared/contract/event.ts'
import { PARSER } from '../../shared/limits.ts'
import { oneLine } from '../../shared/mail/clean-text.ts'
import { foldSpace } from '../../shared/mail/fold-space.ts'
import type { ParsedMessage } from '../../shared/mail/parsed-message.ts'

// A second opinion on a message: mailparser, in its streaming form and without what can hang it (text from HTML, links).

/** What two readers of one message can be compared by. */
export interface Reading {
  readonly subject: string
  /** `Name <address>`, groups flattened. */
  readonly from: readonly string[]
  readonly to: readonly string[]
  readonly cc: readonly string[]
  readonly replyTo: readonly string[]
  /** Milliseconds since 1970. */
  readonly date: number | undefined
  readonly messageId: string
  readonly references: readonly string[]
  /** `name octets sha256`, in order. */
  readonly attachments: readonly string[]
  /** White space folded; '' when the text is HTML. */
  readonly text: string
}

/** Rejects when mailparser gives the message up. */
export async function readWithMailparser(octets: Buffer): Promise<Reading> {
  const started = Date.now()
  const parser = new MailParser({
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipTextLinks: true,
    skipImageLinks: true,
    checksumAlgo: 'sha256',
    ignoreEmbedded: true,
    keepDeliveryStatus: true,
  })
  const attachments: string[] = []
  let text = ''
  parser.on('data', (data) => {
    if (data.type === 'attachment') void drainAttachment(data).then((told) => attachments.push(told))
    else text = foldSpace(data.text ?? '', PARSER.previewCharacters)
  })
  const ended = once(parser, 'end')
  parser.end(octets)
  await ended
  // A date that it cannot read is now.
  const date = parser.date?.getTime()
  return {
    subject: oneLine(parser.subject ?? ''),
    from: flatten(parser.from),
    to: flatten(parser.to),
    cc: flatten(parser.cc),
    replyTo: flatten(parser.replyTo),
    date: date !== undefined && date >= started && date <= Date.now() ? undefined : date,
    messageId: withoutBrackets(parser.messageId ?? ''),
    references: [parser.references ?? []].flat().map(withoutBrackets),
    attachments,
    text: text.trim(),
  }
}

/** The same of what we read. */
export function readingOf(parsed: ParsedMessage): Reading {
  const { message } = parsed
  return {
    subject: message.subject ?? '',
    from: message.from.flatMap(written),
    to: message.to.flatMap(written),
    cc: message.cc.flatMap(written),
    replyTo: message.replyTo.flatMap(written),
    date: message.date === undefined ? undefined : Date.parse(message.date),
    messageId: message.messageId ?? '',
    references: message.references,
    attachments: parsed.attachments.map(
      ({ name, declaredName = name, octets, sha256 }) => `${declaredName ?? ''} ${octets} ${sha256}`,
    ),
    text: parsed.text.source === 'plain' ? parsed.text.preview : '',
  }
}

function withoutBrackets(id: string): string {
  return id.replace(/^<|>$/g, '')
}

async function drainAttachment(attachment: AttachmentStream): Promise<string> {
  attachment.content.resume()
  await once(attachment.content, 'end')
  attachment.release?.()
  const { filename = '', size = 0, checksum = '' } = attachment
  return `${filename} ${size} ${checksum}`
}

function flatten(field: AddressObject | AddressObject[] | undefined): string[] {
  return [field ?? []]
    .flat()
    .flatMap(({ value }) => value.flatMap(members))
    .map(({ name, address }) => line(name, address))
}

function members(address: EmailAddress): EmailAddress[] {
  return address.group ? address.group.flatMap(members) : [address]
}

function written({ name, address, group }: Address): string[] {
  return name === undefined && address === undefined && group !== undefined ? [] : [line(name, address)]
}

function line(name = '', address = ''): string {
  return `${name} <${address}>`.trim()
}
