import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { MailParser } from 'mailparser'
import { parseMessage } from '../../shared/mail/parse-message.ts'

// How fast one thread reads mail, and how many times as fast as mailparser's streaming parser beside it in the same run:
// `npm run bench:parse [seconds]`. The mail is generated, the same each time.

const SECONDS = Number(process.argv[2] ?? 3)

/** Octets that do not compress, the same each time. */
function noise(octets: number, seed: string): Buffer {
  const blocks: Buffer[] = []
  for (let at = 0; at * 32 < octets; at++) blocks.push(createHash('sha256').update(`${seed} ${at}`).digest())
  return Buffer.concat(blocks).subarray(0, octets)
}

function base64Lines(octets: Buffer): string {
  return octets.toString('base64').replace(/.{76}(?=.)/g, '$&\r\n')
}

const WORDS = 'the order of twelve boxes arrived on Monday, für Zürich, and two were damaged'.split(' ')

function prose(characters: number): string {
  let text = ''
  for (let at = 0; text.length < characters; at++)
    text += `${WORDS[(at * 7) % WORDS.length]}${at % 13 === 12 ? '\r\n' : ' '}`
  return text.slice(0, characters)
}

function quotedPrintable(text: string): string {
  const encoded = Buffer.from(text)
    .toString('latin1')
    .replace(
      /[=\x80-\xff]/g,
      (octet) => `=${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )
  return encoded.replace(/[^\r\n]{73}(?<!=.?)(?=[^\r\n])/g, '$&=\r\n')
}

function header(number: number): string {
  return [
    `Return-Path: <sender-${number}@example.net>`,
    ...Array.from({ length: 5 }, (_, hop) =>
      [
        `Received: from mx${hop}.example.net (mx${hop}.example.net [192.0.2.${hop}])`,
        `\tby mail.example.com with ESMTPS id ${number}${hop}; Tue, 3 Mar 2026 09:00:0${hop} +0100`,
      ].join('\r\n'),
    ),
    `DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s1; bh=${noise(32, `${number}`).toString('base64')};`,
    `\tb=${noise(128, `${number} b`).toString('base64')}`,
    'Authentication-Results: mail.example.com; spf=pass smtp.mailfrom=example.net; dkim=pass; dmarc=pass',
    'Date: Tue, 3 Mar 2026 09:00:00 +0100',
    `From: =?UTF-8?Q?J=C3=BCrgen_M=C3=BCller?= <sender-${number}@example.net>`,
    'To: Orders <orders@example.com>, "Accounting, Zurich" <accounting@example.com>',
    `Subject: =?UTF-8?B?${Buffer.from(`Bestellung ${number} für Zürich`).toString('base64')}?=`,
    `Message-ID: <${number}@example.net>`,
    `References: <${number - 2}@example.net> <${number - 1}@example.net>`,
    'MIME-Version: 1.0',
  ].join('\r\n')
}

function alternative(number: number): Buffer {
  const text = prose(1200)
  return Buffer.from(
    [
      header(number),
      'Content-Type: multipart/alternative; boundary="alt"',
      '',
      '--alt',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      quotedPrintable(text),
      '--alt',
      'Content-Type: text/html; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      quotedPrintable(
        `<html><body><table><tr><td><p>${text.replaceAll('\r\n', '</p><p>')}</p></td></tr></table></body></html>`,
      ),
      '--alt--',
      '',
    ].join('\r\n'),
  )
}

function single(number: number, type: string, characters: number): Buffer {
  return Buffer.from(
    [
      header(number),
      `Content-Type: ${type}; charset=utf-8`,
      'Content-Transfer-Encoding: quoted-printable',
      '',
      quotedPrintable(
        type === 'text/html' ? `<p>${prose(characters).replaceAll(',', '</p><p>')}` : prose(characters),
      ),
      '',
    ].join('\r\n'),
  )
}

function withAttachment(number: number, octets: number): Buffer {
  return Buffer.from(
    [
      header(number),
      'Content-Type: multipart/mixed; boundary="mix"',
      '',
      '--mix',
      'Content-Type: text/plain; charset=utf-8',
      '',
      prose(800),
      '--mix',
      'Content-Type: application/pdf; name="invoice.pdf"',
      'Content-Transfer-Encoding: base64',
      'Content-Disposition: attachment; filename="invoice.pdf"',
      '',
      base64Lines(Buffer.concat([Buffer.from('%PDF-1.7\n'), noise(octets, `${number}`)])),
      '--mix--',
      '',
    ].join('\r\n'),
  )
}

function many(count: number, make: (number: number) => Buffer): Buffer[] {
  return Array.from({ length: count }, (_, number) => make(number))
}

const SMALL = many(300, alternative)
/** A tenth of a mailbox: as many messages of each kind as in a measured one, most octets in attachments. */
const MIXED = [
  ...many(30, alternative),
  ...many(20, (number) => single(number, 'text/plain', 20_000)),
  ...many(10, (number) => single(number, 'text/html', 100_000)),
  ...many(5, (number) => withAttachment(number, 200_000)),
  ...many(2, (number) => withAttachment(number, 1_000_000)),
  ...many(1, (number) => withAttachment(number, 5_000_000)),
]

async function readWithMailparser(octets: Buffer): Promise<void> {
  const parser = new MailParser({
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipTextLinks: true,
    skipImageLinks: true,
    checksumAlgo: 'sha256',
  })
  parser.on('data', (data) => {
    if (data.type !== 'attachment') return
    data.content.resume()
    data.content.once('end', () => data.release?.())
  })
  const ended = once(parser, 'end')
  // In pieces, as from a socket: one write of everything is slower.
  for (let at = 0; at < octets.length; at += 64 * 1024)
    if (!parser.write(octets.subarray(at, at + 64 * 1024))) await once(parser, 'drain')
  parser.end()
  await ended
}

interface Rate {
  readonly messages: number
  readonly megabytes: number
}

/** Time that this thread was given by a processor: what others do on the machine meanwhile does not count. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** Messages and megabytes a second; reads all of them until the time is over, at least once. */
async function rate(messages: readonly Buffer[], read: (octets: Buffer) => Promise<unknown>): Promise<Rate> {
  for (const octets of messages.slice(0, 50)) await read(octets)
  const startedMs = threadMs()
  let count = 0
  let octetsRead = 0
  while (threadMs() - startedMs < SECONDS * 1000)
    for (const octets of messages) {
      await read(octets)
      count++
      octetsRead += octets.length
    }
  const seconds = (threadMs() - startedMs) / 1000
  return { messages: count / seconds, megabytes: octetsRead / 1e6 / seconds }
}

for (const [name, messages] of Object.entries({ small: SMALL, mixed: MIXED })) {
  const average = messages.reduce((sum, { length }) => sum + length, 0) / messages.length / 1000
  const ours = await rate(messages, parseMessage)
  const theirs = await rate(messages, readWithMailparser)
  const line = ({ messages, megabytes }: Rate): string =>
    `${messages.toFixed(0).padStart(6)} messages/s ${megabytes.toFixed(1).padStart(6)} MB/s`
  console.log(`${name} mail, ${average.toFixed(1)} kB on average`)
  console.log(`  mailsluice ${line(ours)}`)
  console.log(`  mailparser ${line(theirs)}`)
  console.log(`  ratio      ${(ours.megabytes / theirs.megabytes).toFixed(1)}`)
}
