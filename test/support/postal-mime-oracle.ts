import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import PostalMime, { type Address } from 'postal-mime'
import { oneLine } from '../../shared/mail/clean-text.ts'
import { decodedPart } from '../../shared/mail/decoded-part.ts'
import type { ParsedMessage } from '../../shared/mail/parsed-message.ts'
import { type Reading, readingOf } from './mailparser-oracle.ts'

// A third opinion on a message, by other code: postal-mime.

/** `attachments`: `name sha256`, of the lines of each: postal-mime makes their ends LF in what is not encoded, and adds one. */
export type PostalMimeReading = Pick<
  Reading,
  'subject' | 'from' | 'to' | 'cc' | 'date' | 'messageId' | 'attachments'
>

/** Rejects when postal-mime gives the message up. */
export async function readWithPostalMime(octets: Buffer): Promise<PostalMimeReading> {
  const mail = await PostalMime.parse(octets, {
    attachmentEncoding: 'arraybuffer',
    forceRfc822Attachments: true,
  })
  const date = Date.parse(mail.date ?? '')
  return {
    subject: oneLine(mail.subject ?? ''),
    from: flatten(mail.from ? [mail.from] : []),
    to: flatten(mail.to ?? []),
    cc: flatten(mail.cc ?? []),
    date: Number.isNaN(date) ? undefined : date,
    messageId: (mail.messageId ?? '').replace(/^<|>$/g, ''),
    attachments: mail.attachments.map(({ filename, content }) =>
      told(filename ?? '', Buffer.from(content as ArrayBuffer)),
    ),
  }
}

/** The same of what we read, and of what would be extracted. */
export async function comparableReading(octets: Buffer, parsed: ParsedMessage): Promise<PostalMimeReading> {
  const { subject, from, to, cc, date, messageId } = readingOf(parsed)
  const attachments = parsed.attachments.map(async ({ name, declaredName = name, partPath }) => {
    const part = parsed.encoded[partPath] ?? { start: 0, octets: 0, encoding: '' }
    const body = Readable.from([octets.subarray(part.start, part.start + part.octets)])
    return told(declaredName ?? '', Buffer.concat(await Array.fromAsync(decodedPart(body, part))))
  })
  return { subject, from, to, cc, date, messageId, attachments: await Promise.all(attachments) }
}

function told(name: string, file: Buffer): string {
  const lines = file.toString('latin1').replace(/\r\n?/g, '\n').trimEnd()
  return `${name} ${createHash('sha256').update(lines, 'latin1').digest('hex')}`
}

function flatten(addresses: readonly Address[]): string[] {
  return addresses.flatMap(({ name, address, group }) =>
    group ? flatten(group) : [`${name} <${address ?? ''}>`.trim()],
  )
}
