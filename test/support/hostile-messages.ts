// Messages that were made to hurt a parser: by their nesting, their numbers, their length or their ambiguity. All are
// generated, most are megabytes; each takes one weakness that mail parsers were found to have.

export interface HostileMessage {
  readonly name: string
  /** Made anew at each call, so that only one is in memory. */
  make(): Buffer
}

const MIB = 1024 * 1024

/** A message with these fields besides From and Subject, and this body. */
function message(fields: readonly string[], body: string | Buffer = 'text\r\n'): Buffer {
  const header = ['From: Mallory <mallory@example.net>', 'Subject: hostile', ...fields, '', ''].join('\r\n')
  return Buffer.concat([
    Buffer.from(header, 'latin1'),
    Buffer.isBuffer(body) ? body : Buffer.from(body, 'latin1'),
  ])
}

function field(name: string, value: string): Buffer {
  return message([`${name}: ${value}`])
}

function mixed(boundary: string): string {
  return `Content-Type: multipart/mixed; boundary="${boundary}"`
}

/** A message of one part. */
function part(fields: readonly string[], body: string | Buffer): Buffer {
  const start = Buffer.from(`--b\r\n${fields.join('\r\n')}\r\n\r\n`, 'latin1')
  return message([mixed('b')], Buffer.concat([start, Buffer.from(body), Buffer.from('\r\n--b--\r\n')]))
}

function html(body: string): Buffer {
  return message(['Content-Type: text/html; charset=utf-8'], body)
}

/** Multiparts in each other, each with a boundary of the same length. */
function nested(levels: number, innermost: string): Buffer {
  const name = (level: number): string => `b${String(level).padStart(5, '0')}`
  let body = ''
  for (let level = 0; level < levels; level++) body += `--${name(level)}\r\n${mixed(name(level + 1))}\r\n\r\n`
  return message([mixed(name(0))], body + innermost)
}

function numbered(count: number, line: (number: number) => string): string {
  return Array.from({ length: count }, (_, number) => line(number)).join('')
}

const STRUCTURE: Readonly<Record<string, () => Buffer>> = {
  'nothing at all': () => Buffer.alloc(0),
  'one line feed': () => Buffer.from('\n'),
  '10,000 nested multiparts': () => nested(10_000, 'core\r\n'),
  '20,000 parts': () =>
    message(
      [mixed('b')],
      `${numbered(20_000, (n) => `--b\r\nContent-Type: image/x-${n}\r\n\r\n${n}\r\n`)}--b--\r\n`,
    ),
  '20,000 empty parts': () => message([mixed('b')], '--b\r\n'.repeat(20_000)),
  'a boundary that never closes over 20 MB': () =>
    message([mixed('b')], `--b\r\n\r\n${'a line of text in the part\r\n'.repeat(20 * 26_214)}`),
  '20 MB of lines that begin with two dashes': () =>
    message([mixed('b')], `--b\r\n\r\n${'--zzz\r\n'.repeat((20 * MIB) / 7)}`),
  '20 MB of lines as long as the boundaries of 49 levels': () =>
    nested(49, `--b00049\r\n\r\n${'--b9999z\n'.repeat((20 * MIB) / 9)}`),
  '20 MB of delimiters of 49 levels': () =>
    nested(
      49,
      numbered(2 * MIB, (n) => `--b000${10 + (n % 39)}--\n`),
    ),
  'a boundary of two dashes': () =>
    message([mixed('--')], '----\r\n\r\none\r\n------\r\n--\r\n'.repeat(10_000)),
  'a boundary in no octets': () => message([mixed('')], '--\r\n\r\none\r\n----\r\n'),
  'boundaries that begin with each other': () =>
    message(
      [mixed('a')],
      `${numbered(49, (n) => `--${'a'.repeat(n + 1)}\r\n${mixed('a'.repeat(n + 2))}\r\n\r\n`)}${'--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa--\r\n'.repeat(10_000)}`,
    ),
  'one line of 20 MB in a part': () =>
    part(['Content-Type: application/x-line'], Buffer.alloc(20 * MIB, 0x2d)),
  '10 MB of empty lines': () => message([mixed('b')], `--b\r\n\r\n${'\r\n'.repeat(5 * MIB)}--b--`),
  '10 MB of bare CR': () => Buffer.alloc(10 * MIB, 0x0d),
  'a message in bare CR': () =>
    Buffer.from(nested(40, '').toString('latin1').replaceAll('\r\n', '\r'), 'latin1'),
  '10 MB of NUL': () => Buffer.alloc(10 * MIB),
  'NUL in everything': () =>
    part(
      [
        'Content-Type: application/\0pdf; name="a\0b.pdf"',
        'Content-Transfer-Encoding: base\x0064\0',
        'X-\0: \0',
      ],
      Buffer.from('\0=\0Q\0'.repeat(1000)),
    ),
}

const HEADERS: Readonly<Record<string, () => Buffer>> = {
  '100,000 fields': () => message([numbered(100_000, (n) => `X-Field-${n}: ${n}\r\n`)]),
  '100,000 times the same field': () =>
    message(['To: a@example.com\r\nReferences: <a@example.com>\r\n'.repeat(100_000)]),
  'a field of 10 MB in one line': () => field('X-Long', 'x'.repeat(10 * MIB)),
  'a Subject of 10 MB': () => field('Subject', 'x '.repeat(5 * MIB)),
  'a field name of 10 MB': () => message([`X${'y'.repeat(10 * MIB)}: z`]),
  '1 MB of folds': () => field('Subject', '\r\n '.repeat(340_000)),
  '1 MB of folds without a field': () => Buffer.from(' \r\n'.repeat(340_000)),
  'a header that never ends, in a part': () => message([mixed('b')], `--b\r\n${'X: y\r\n'.repeat(3 * MIB)}`),
  '1,000,000 addresses': () => message([`To: ${'a@example.com, '.repeat(1_000_000)}`]),
  '1,000,000 addresses in fields that fit': () =>
    message(['To', 'Cc', 'Bcc', 'Reply-To', 'Sender'].map((name) => `${name}: ${'a@b,'.repeat(30_000)}`)),
  'white space in angle brackets': () => everyAddressField(`<a${' '.repeat(120_000)}b>`),
  'white space around dots': () => everyAddressField(`<a${' . '.repeat(40_000)}@b>`),
  'colons after an at sign': () => everyAddressField(`${'x '.repeat(30_000)}a@b ${': '.repeat(30_000)}`),
  'nested comments': () => everyAddressField(`${'('.repeat(60_000)}${')'.repeat(60_000)} a@b`),
  'comments that never close': () => everyAddressField('a@b ('.repeat(24_000)),
  'quotes that never close': () => everyAddressField(`${'"'.repeat(120_001)}a@b`),
  'angle brackets that never close': () => everyAddressField('<a@b'.repeat(30_000)),
  backslashes: () => everyAddressField(`"${'\\'.repeat(120_001)}" <a@b>`),
  'encoded words that never end': () => everyAddressField('=?utf-8?q?a'.repeat(11_000)),
  '100,000 encoded words': () => field('Subject', '=?utf-8?q?a?= '.repeat(70_000)),
  'encoded words in charsets of their own': () =>
    field(
      'Subject',
      numbered(30_000, (n) => `=?c${n}?b?YQ==?= `),
    ),
  'questions and equals signs': () => field('Subject', '=?=?=?=?'.repeat(125_000)),
  'groups in groups': () => everyAddressField('a:b:;'.repeat(24_000)),
  '1 MB of < in Message-ID and References': () =>
    message([`Message-ID: ${'<'.repeat(400_000)}`, `References: ${'<>'.repeat(200_000)}`]),
  '40,000 References': () =>
    field(
      'References',
      numbered(40_000, (n) => `<${n}@example.com> `),
    ),
  'a Date of 1 MB': () => field('Date', 'Mon, '.repeat(200_000)),
  'a Date of comments': () => field('Date', `${'('.repeat(500_000)}1 Jan 2026 00:00`),
  'a DMARC subject that almost is one': () =>
    field('Subject', `Report Domain: ${'a submitter '.repeat(80_000)}`),
}

function everyAddressField(value: string): Buffer {
  return message(['To', 'Cc', 'Bcc', 'Reply-To', 'Sender', 'From'].map((name) => `${name}: ${value}`))
}

const PARTS: Readonly<Record<string, () => Buffer>> = {
  '40,000 parameters': () => message([`Content-Type: text/plain${numbered(40_000, (n) => `; p${n}=${n}`)}`]),
  '40,000 continuations of a file name': () =>
    part([`Content-Disposition: attachment${numbered(40_000, (n) => `; filename*${n}=x`)}`], 'x'),
  'continuations in a charset': () =>
    part(
      [
        `Content-Disposition: attachment; filename*0*=utf-7''+ADw-${numbered(3_000, (n) => `; filename*${n + 1}*=%FF`)}`,
      ],
      'x',
    ),
  'stars in a parameter': () => message([`Content-Type: text/plain; ${'*1'.repeat(30_000)}x=y`]),
  'comments in Content-Type': () =>
    message([`Content-Type: text/plain ${'('.repeat(60_000)}; charset=utf-8`]),
  'a media type of 60 kB': () => message([`Content-Type: ${'a'.repeat(30_000)}/${'b'.repeat(30_000)}`]),
  'header fields in a file name': () =>
    part(
      ['Content-Disposition: attachment; filename="a\\\r\n Bcc: victim@example.com\\\r\n\r\n <script>.pdf"'],
      'x',
    ),
  'a line break in an encoded file name': () =>
    part(["Content-Disposition: attachment; filename*=utf-8''a%0D%0ASubject%3A%20b%00%E2%80%AEfdp.exe"], 'x'),
  'a path in a file name': () =>
    part(['Content-Disposition: attachment; filename="..\\\\..\\\\etc/../../passwd"'], 'x'),
  'charsets that are none': () =>
    message(
      [
        mixed('b'),
        'Subject: =?base64?b?PHNjcmlwdD4=?= =?hex?q?ff?= =?__proto__?q?x?= =?constructor?b?eA==?=',
      ],
      numbered(
        400,
        (n) =>
          `--b\r\nContent-Type: text/plain; charset="${['__proto__', 'utf-7', 'hex', 'utf-16', '\xff', 'x'.repeat(5000)][n % 6]}"\r\n\r\n \xff\xfe+ADw-\r\n`,
      ),
    ),
  'lone surrogates': () =>
    message(
      ['Content-Type: text/plain; charset=utf-16le', 'Subject: =?utf-16le?b?ANgA3ADY?='],
      Buffer.alloc(300_000, Buffer.from([0x00, 0xd8, 0x41, 0x00])),
    ),
  'escapes of ISO-2022-JP': () =>
    message(['Content-Type: text/plain; charset=iso-2022-jp'], '\x1b$B\x1b(B\x1b$'.repeat(30_000)),
  '10 MB of base64 that is none': () =>
    part(
      ['Content-Type: application/pdf', 'Content-Transfer-Encoding: base64'],
      '=!-_~\xff=A'.repeat(1_300_000),
    ),
  '10 MB of base64 in padding': () =>
    part(['Content-Type: application/pdf', 'Content-Transfer-Encoding: base64'], 'QQ=='.repeat(2_600_000)),
  '10 MB of = in quoted-printable': () =>
    part(
      ['Content-Type: application/pdf', 'Content-Transfer-Encoding: quoted-printable'],
      '='.repeat(10 * MIB),
    ),
  '10 MB of white space in quoted-printable': () =>
    part(
      ['Content-Type: application/pdf', 'Content-Transfer-Encoding: quoted-printable'],
      ' '.repeat(10 * MIB),
    ),
  '10 MB of soft breaks with white space': () =>
    part(
      ['Content-Type: application/pdf', 'Content-Transfer-Encoding: quoted-printable'],
      '= \t '.repeat(2_600_000),
    ),
  'text of 20 MB in one word': () => message(['Content-Type: text/plain'], Buffer.alloc(20 * MIB, 0x61)),
  'text of 20 MB that nobody sees': () => message(['Content-Type: text/plain'], Buffer.alloc(20 * MIB, 0x20)),
}

const HTML: Readonly<Record<string, () => Buffer>> = {
  '5 MB of nested blockquotes': () => html(`${'<blockquote>'.repeat(200_000)}${'line<br>'.repeat(300_000)}`),
  '256 kB of nested lists': () => html('<ul><li>'.repeat(32_000)),
  '5 MB of table': () => html(`<table>${'<tr><td>a</td><td>b</td></tr>'.repeat(170_000)}</table>`),
  'tags that never close': () => html('<a b="'.repeat(43_000)),
  'attributes in both quotes': () => html(`<a b="'>${`<a b='">`.repeat(32_000)}`),
  'comments that never close, in HTML': () => html('<!--'.repeat(64_000)),
  'scripts that never close': () => html('<script><style>'.repeat(17_000)),
  'less-than signs': () => html('<'.repeat(256_000)),
  'less-than signs and space': () => html(' < '.repeat(85_000)),
  entities: () => html('&#x10ffff;&#xd800;&#99999999;&amp'.repeat(8_000)),
  'an entity that never ends': () => html(`&${'a'.repeat(256_000)}`),
  'tags without text': () => html('<b></b><p></p>'.repeat(18_000)),
  'one tag name of 256 kB': () => html(`<${'a'.repeat(256_000)}`),
}

/** What is looked into besides text: reports, calendars, invoices, quotations. */
const LOOKED_INTO: Readonly<Record<string, () => Buffer>> = {
  'a PDF of 10 MB of embedded files': () =>
    part(
      ['Content-Type: application/pdf'],
      `%PDF-1.7\n${'<</Type/EmbeddedFile/Filter/FlateDecode>>stream\nx '.repeat(200_000)}`,
    ),
  'a PDF of 10 MB of invoices': () =>
    part(
      ['Content-Type: application/pdf'],
      `%PDF-1.7\n${':pdfa:CrossIndustryDocument:invoice::ConformanceLevel='.repeat(200_000)}`,
    ),
  'an invoice that is all attributes': () =>
    part(
      ['Content-Type: text/xml'],
      `<?xml version="1.0"?><Invoice ${'xmlns="'.repeat(9_000)}>${'<CustomizationID'.repeat(9_000)}`,
    ),
  'an invoice that is all comments': () =>
    part(['Content-Type: text/xml'], `<?xml?>${'<!-- '.repeat(500_000)}`),
  'a ZIP of names': () =>
    part(['Content-Type: application/zip'], `PK\x03\x04${'word/[Content_Types].xml'.repeat(200_000)}`),
  'a report of 1,000,000 recipients': () =>
    part(['Content-Type: message/delivery-status'], 'Final-Recipient: rfc822; a@b\r\n\r\n'.repeat(300_000)),
  'X-Failed-Recipients of 1 MB': () => field('X-Failed-Recipients', 'a@b.example, '.repeat(80_000)),
  'a calendar of 5 MB': () =>
    part(
      ['Content-Type: text/calendar; method=REQUEST'],
      `BEGIN:VCALENDAR\r\n${'BEGIN:VEVENT\r\nDTSTART;A="\r\n '.repeat(180_000)}`,
    ),
  'an answer to 5 MB of quotations': () =>
    message(['Content-Type: text/plain'], 'a:\r\n> b\r\n'.repeat(500_000)),
  'separators that are none': () =>
    message(['Content-Type: text/plain'], '--- a ---- - _____'.repeat(280_000)),
  'Authentication-Results of 1 MB': () => field('Authentication-Results', 'a; (spf="=pass; '.repeat(60_000)),
  'a preamble of 20 MB': () => message([mixed('never')], 'x '.repeat(10 * MIB)),
}

export const HOSTILE_MESSAGES: readonly HostileMessage[] = [
  STRUCTURE,
  HEADERS,
  PARTS,
  HTML,
  LOOKED_INTO,
].flatMap((group) => Object.entries(group).map(([name, make]) => ({ name, make })))
