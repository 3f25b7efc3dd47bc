import { createHash } from 'node:crypto'

// Mail for measurements: no two messages alike, and the same ones each time.

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

/** Text and HTML, quoted-printable. */
export function alternative(number: number): Buffer {
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

/** One part, quoted-printable. */
export function single(number: number, type: string, characters: number): Buffer {
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

/** A text and a PDF of so many octets, base64. */
export function withAttachment(number: number, octets: number): Buffer {
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

export function many(count: number, make: (number: number) => Buffer): Buffer[] {
  return Array.from({ length: count }, (_, number) => make(number))
}

/** As in mailboxes of businesses: seven of ten are text and HTML, a quarter has a PDF of 50 to 400 KB, one of twenty a PDF of 1 to 5 MB. */
export function mixed(number: number): Buffer {
  const kind = number % 20
  if (kind === 19) return withAttachment(number, 1_000_000 + ((number * 7919) % 4_000_000))
  if (kind >= 14) return withAttachment(number, 50_000 + ((number * 7919) % 350_000))
  return kind % 3 === 0 ? single(number, 'text/html', 15_000) : alternative(number)
}
