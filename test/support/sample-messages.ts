// Messages that the project made itself, for the demo and for tests: the same octets every time.

export interface SampleMessage {
  readonly name: string
  readonly octets: Buffer
}

/** Lines with CRLF, in UTF-8 unless they are octets already. */
function lines(...all: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(
    all.flatMap((line) => [Buffer.isBuffer(line) ? line : Buffer.from(line, 'utf8'), Buffer.from('\r\n')]),
  )
}

function base64(octets: Buffer): string {
  return octets.toString('base64').replace(/.{76}(?=.)/g, '$&\r\n')
}

function header(number: number, from: string, to: string, subject: string): string[] {
  return [
    `Return-Path: <${/<?([^<>\s]+@[^<>\s]+?)>?$/.exec(from)?.[1] ?? ''}>`,
    `Received: from mx.example.net (mx.example.net [192.0.2.${number}]) by mail.example.com;`,
    `\tTue, 03 Mar 2026 09:${String(number).padStart(2, '0')}:00 +0100`,
    `Date: Tue, 3 Mar 2026 09:${String(number).padStart(2, '0')}:00 +0100`,
    `From: ${from}`,
    `To: ${to}`,
    `Subject: ${subject}`,
    `Message-ID: <sample-${number}@example.net>`,
    'MIME-Version: 1.0',
  ]
}

const PDF = Buffer.from(
  '%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n',
)
const PIXEL = Buffer.from('R0lGODlhAQABAIAAAP8AAP///yH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64')
const INVOICE_XML =
  '<?xml version="1.0" encoding="UTF-8"?>\n<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"><ID>2026-0042</ID><PayableAmount currencyID="EUR">119.00</PayableAmount></Invoice>\n'

/** ISO-2022-JP for 日本語: ESC $ B, three characters of two octets, ESC ( B. */
const JAPANESE = Buffer.from([0x1b, 0x24, 0x42, 0x46, 0x7c, 0x4b, 0x5c, 0x38, 0x6c, 0x1b, 0x28, 0x42])
/** KOI8-R for Привет. */
const RUSSIAN = Buffer.from([0xf0, 0xd2, 0xc9, 0xd7, 0xc5, 0xd4])

function plain(): Buffer {
  return lines(
    ...header(1, 'Ada Example <ada@example.net>', 'orders@example.com', 'Order 1001'),
    'Content-Type: text/plain; charset=us-ascii',
    '',
    'Dear colleagues,',
    '',
    'please deliver ten boxes.',
    '.a line that begins with a dot',
    'Ada',
  )
}

function html(): Buffer {
  return lines(
    ...header(2, '"Bob, Ltd." <bob@example.net>', 'orders@example.com', 'Our new catalogue'),
    'Content-Type: multipart/related; boundary="rel"',
    '',
    '--rel',
    'Content-Type: multipart/alternative; boundary="alt"',
    '',
    '--alt',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    'Caf=C3=A9 and r=C3=A9sum=C3=A9: see the picture.',
    '--alt',
    'Content-Type: text/html; charset=utf-8',
    '',
    '<html><body><p>Caf&eacute; and <b>r&#233;sum&eacute;</b>: see <img src="cid:pixel@example.net"></p></body></html>',
    '--alt--',
    '--rel',
    'Content-Type: image/gif; name="pixel.gif"',
    'Content-Transfer-Encoding: base64',
    'Content-ID: <pixel@example.net>',
    'Content-Disposition: inline; filename="pixel.gif"',
    '',
    base64(PIXEL),
    '--rel--',
  )
}

function invoice(): Buffer {
  return lines(
    ...header(
      3,
      'Billing <billing@supplier.example>',
      'invoices@example.com',
      '=?UTF-8?Q?Rechnung_2026-0042_=E2=82=AC_119?=',
    ),
    'Cc: Accounting: anna@example.com, Ben <ben@example.com>;',
    'Content-Type: multipart/mixed; boundary="mix"',
    '',
    '--mix',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'Anbei die Rechnung.',
    '--mix',
    'Content-Type: application/pdf',
    'Content-Transfer-Encoding: base64',
    "Content-Disposition: attachment; filename*0*=UTF-8''Rechnung%20; filename*1*=M%C3%A4rz.pdf",
    '',
    base64(PDF),
    '--mix',
    'Content-Type: application/xml; name="invoice.xml"',
    'Content-Transfer-Encoding: base64',
    'Content-Disposition: attachment; filename="invoice.xml"',
    '',
    base64(Buffer.from(INVOICE_XML)),
    '--mix--',
  )
}

function charsets(): SampleMessage[] {
  const text = (number: number, charset: string, subject: string, body: Buffer, encoding = '8bit'): Buffer =>
    lines(
      ...header(number, 'Charsets <charsets@example.net>', 'orders@example.com', subject),
      `Content-Type: text/plain; charset=${charset}`,
      `Content-Transfer-Encoding: ${encoding}`,
      '',
      body,
    )
  return [
    {
      name: 'latin-1',
      octets: text(4, 'iso-8859-1', '=?iso-8859-1?Q?Gr=FC=DFe?=', Buffer.from('Schöne Grüße', 'latin1')),
    },
    {
      name: 'iso-2022-jp',
      octets: text(5, 'iso-2022-jp', `=?ISO-2022-JP?B?${JAPANESE.toString('base64')}?=`, JAPANESE, '7bit'),
    },
    { name: 'koi8-r', octets: text(6, 'koi8-r', `=?koi8-r?B?${RUSSIAN.toString('base64')}?=`, RUSSIAN) },
    {
      name: 'utf-8',
      octets: text(
        7,
        'utf-8',
        '=?UTF-8?B?4pyJ77iPIPCfk6Y=?= Paket',
        Buffer.from('Ihr Paket 📦 ist da – bitte abholen.'),
      ),
    },
  ]
}

function bounce(): Buffer {
  return lines(
    ...header(
      8,
      'Mail Delivery System <MAILER-DAEMON@example.net>',
      'orders@example.com',
      'Undelivered Mail Returned to Sender',
    ),
    'Auto-Submitted: auto-replied',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="dsn"',
    '',
    '--dsn',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    'Your message could not be delivered.',
    '--dsn',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.example.net',
    '',
    'Final-Recipient: rfc822; nobody@example.org',
    'Action: failed',
    'Status: 5.1.1',
    'Diagnostic-Code: smtp; 550 5.1.1 user unknown',
    '--dsn',
    'Content-Type: text/rfc822-headers',
    '',
    'From: orders@example.com',
    'Subject: Your order',
    'Message-ID: <original-1@example.com>',
    '--dsn--',
  )
}

function invitation(): Buffer {
  return lines(
    ...header(9, 'Carla <carla@example.net>', 'orders@example.com', 'Invitation: delivery on Friday'),
    'Content-Type: text/calendar; method=REQUEST; charset=utf-8',
    '',
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//example//EN',
    'METHOD:REQUEST',
    'BEGIN:VEVENT',
    'UID:event-1@example.net',
    'DTSTAMP:20260303T080000Z',
    'DTSTART:20260306T090000Z',
    'SUMMARY:Delivery',
    'END:VEVENT',
    'END:VCALENDAR',
  )
}

function autoReply(): Buffer {
  return lines(
    ...header(10, 'dora@example.net', 'orders@example.com', 'Out of office'),
    'Auto-Submitted: auto-replied (vacation)',
    'In-Reply-To: <original-2@example.com>',
    'References: <original-1@example.com> <original-2@example.com>',
    'Content-Type: text/plain',
    '',
    'I am away until Monday.',
  )
}

function listMail(): Buffer {
  return lines(
    ...header(11, 'Eve <eve@example.net>', 'users@lists.example.net', '[users] Version 2 is out'),
    'List-Id: Users of the product <users.lists.example.net>',
    'List-Unsubscribe: <mailto:leave@lists.example.net>',
    'Precedence: list',
    'Content-Type: text/plain',
    '',
    'It is faster.',
  )
}

function forwarded(): Buffer {
  return lines(
    ...header(12, 'Frank <frank@example.net>', 'orders@example.com', 'Fwd: the complaint'),
    'Content-Type: multipart/mixed; boundary="fwd"',
    '',
    '--fwd',
    'Content-Type: text/plain',
    '',
    'See the message below.',
    '--fwd',
    'Content-Type: message/rfc822',
    'Content-Disposition: attachment; filename="complaint.eml"',
    '',
    'From: gina@example.org',
    'Subject: Complaint',
    'Content-Type: text/plain',
    '',
    'The box was empty.',
    '--fwd--',
  )
}

/** No Date, a header line that is none, a boundary that never comes, and no line end at the end. */
function malformed(): Buffer {
  const octets = lines(
    'From: =?unknown-charset?Q?H=E9l=E8ne?= <helene@example',
    'this line is no header field',
    'Subject: =?UTF-8?B?broken',
    'Content-Type: multipart/mixed; boundary="missing',
    '',
    'Some text \u0000 with NUL.',
    'The end',
  )
  return octets.subarray(0, octets.length - 2)
}

/** Small messages of many kinds, each once. */
export function sampleMessages(): readonly SampleMessage[] {
  return [
    { name: 'plain', octets: plain() },
    { name: 'html', octets: html() },
    { name: 'invoice', octets: invoice() },
    ...charsets(),
    { name: 'bounce', octets: bounce() },
    { name: 'calendar', octets: invitation() },
    { name: 'auto-reply', octets: autoReply() },
    { name: 'list', octets: listMail() },
    { name: 'forwarded', octets: forwarded() },
    { name: 'malformed', octets: malformed() },
  ]
}

/** One message of about this many octets, almost all of them an attachment in base64. */
export function largeMessage(octets: number): Buffer {
  const head = lines(
    ...header(13, 'Scanner <scanner@example.net>', 'orders@example.com', 'Scan of the contract'),
    'Content-Type: multipart/mixed; boundary="scan"',
    '',
    '--scan',
    'Content-Type: text/plain',
    '',
    'The scan is attached.',
    '--scan',
    'Content-Type: image/tiff; name="scan.tif"',
    'Content-Transfer-Encoding: base64',
    'Content-Disposition: attachment; filename="scan.tif"',
    '',
  )
  const tail = lines('--scan--')
  // 57 octets make a line of 76 characters; the pattern is longer than a line, so that lines differ.
  const pattern = Buffer.from(
    Array.from({ length: 57 * 251 }, (_, index) => (index * 167 + (index >> 8)) & 0xff),
  )
  const block = Buffer.from(`${base64(pattern)}\r\n`)
  const blocks = Math.max(1, Math.floor((octets - head.length - tail.length) / block.length))
  return Buffer.concat([head, ...Array.from({ length: blocks }, () => block), tail])
}
