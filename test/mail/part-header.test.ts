import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import libmime from 'libmime'
import { PARSER } from '../../shared/limits.ts'
import { Bounds } from '../../shared/mail/clean-text.ts'
import { readHeaderFields } from '../../shared/mail/header-fields.ts'
import { readPartHeader } from '../../shared/mail/part-header.ts'

const FIRST = { path: '1', within: 'mixed', number: 1 }

function read(lines: readonly string[], place = FIRST, bounds = new Bounds()) {
  return readPartHeader(
    readHeaderFields(Buffer.from(lines.map((line) => `${line}\r\n`).join(''))),
    place,
    bounds,
  )
}

function nameOf(disposition: string): string | undefined {
  return read([`Content-Disposition: attachment; ${disposition}`]).name
}

describe('the media type of a part', () => {
  const TYPES: readonly (readonly [string, readonly string[], string])[] = [
    ['as declared, in lower case', ['Content-Type: Application/PDF; name=a.pdf'], 'application/pdf'],
    ['with a comment', ['Content-Type: text/html (the page); charset=utf-8'], 'text/html'],
    ['with white space around', ['Content-Type:   text/html  ;'], 'text/html'],
    [
      'without a semicolon before the parameters',
      ['Content-Type: multipart/mixed', '\tboundary="b"'],
      'multipart/mixed',
    ],
    ['text/plain by default', [], 'text/plain'],
    ['text/plain when it is no type', ['Content-Type: text'], 'text/plain'],
    ['text/plain when it is empty', ['Content-Type:'], 'text/plain'],
    [
      'a file when it is no type but has a name',
      ['Content-Type: application-x-gzip; name="a.gz"'],
      'application/octet-stream',
    ],
    [
      'a file when there is none but a file name',
      ['Content-Disposition: inline; filename=a.pdf'],
      'application/octet-stream',
    ],
    [
      'a file when there is none but a disposition',
      ['Content-Disposition: attachment'],
      'application/octet-stream',
    ],
    ['text/plain when the type is longer than any', [`Content-Type: text/${'x'.repeat(300)}`], 'text/plain'],
    ['the topmost of two', ['Content-Type: text/html', 'Content-Type: text/plain'], 'text/html'],
  ]
  for (const [what, lines, type] of TYPES)
    test(`is ${what}`, () => {
      assert.equal(read(lines).type, type)
    })

  test('is message/rfc822 in a digest (RFC 2046, 5.1.5), unless another is named', () => {
    const inDigest = { ...FIRST, within: 'digest' }

    assert.equal(read([], inDigest).type, 'message/rfc822')
    assert.equal(read(['Content-Type: text/plain'], inDigest).type, 'text/plain')
    assert.equal(read(['Content-Type: nonsense'], inDigest).type, 'text/plain')
  })
})

describe('parameters of a media type', () => {
  const PARAMETERS: readonly (readonly [string, string, string | undefined])[] = [
    ['a token', 'charset=utf-8', 'utf-8'],
    ['in quotes', 'charset="utf-8"', 'utf-8'],
    ['with a quoted pair', String.raw`charset="a\"b"`, 'a"b'],
    ['with a semicolon in quotes', 'charset="a;b"; x=y', 'a;b'],
    ['with white space around', 'charset = utf-8 ; x=y', 'utf-8'],
    ['in upper case', 'CHARSET=utf-8', 'utf-8'],
    ['with a comment', 'charset=utf-8 (a comment)', 'utf-8'],
    ['twice, of which the first counts', 'charset=a; charset=b', 'a'],
    ['quotes that never close', 'charset="utf-8', 'utf-8'],
    ['another alone', 'x=y', undefined],
  ]
  for (const [what, parameter, value] of PARAMETERS)
    test(`are read: ${what}`, () => {
      assert.equal(read([`Content-Type: text/plain; ${parameter}`]).parameter('charset'), value)
    })
})

describe('the file name of a part', () => {
  const NAMES: readonly (readonly [string, string, string | undefined])[] = [
    ['a token', 'filename=a.pdf', 'a.pdf'],
    ['in quotes', 'filename="a b.pdf"', 'a b.pdf'],
    ['in UTF-8', 'filename="Rechnung März.pdf"', 'Rechnung März.pdf'],
    ['RFC 2231', "filename*=utf-8''M%C3%A4rz.pdf", 'März.pdf'],
    ['RFC 2231 with a language', "filename*=utf-8'de'M%C3%A4rz.pdf", 'März.pdf'],
    ['RFC 2231 in ISO 8859-1', "filename*=iso-8859-1''M%E4rz.pdf", 'März.pdf'],
    ['RFC 2231 in an unknown charset', "filename*=x-unknown''M%C3%A4rz.pdf", 'März.pdf'],
    ['RFC 2231 without charset', "filename*=''M%C3%A4rz.pdf", 'März.pdf'],
    ['continued', 'filename*0="a "; filename*1="b.pdf"', 'a b.pdf'],
    ['continued, out of order', 'filename*1="b.pdf"; filename*0="a "', 'a b.pdf'],
    [
      'continued in ten pieces and more',
      Array.from({ length: 12 }, (_, n) => `filename*${n}=${n}.`).join(';'),
      '0.1.2.3.4.5.6.7.8.9.10.11',
    ],
    ['continued and encoded', "filename*0*=utf-8''M%C3; filename*1*=%A4rz; filename*2=.pdf", 'März.pdf'],
    [
      'encoded beside plain, of which the encoded counts',
      'filename="Marz.pdf"; filename*=utf-8\'\'M%C3%A4rz.pdf',
      'März.pdf',
    ],
    ['encoded words in quotes, which no standard has', 'filename="=?utf-8?q?M=C3=A4rz.pdf?="', 'März.pdf'],
    ['encoded words across a fold', 'filename="=?utf-8?q?M=C3?=\r\n =?utf-8?q?=A4rz.pdf?="', 'März.pdf'],
    [
      'an encoded word in an encoded name, decoded once',
      "filename*=utf-8''%3D%3Futf-8%3Fq%3Fa%3F%3D",
      '=_utf-8_q_a_=',
    ],
    ['a path', 'filename="/etc/cron.d/a.pdf"', 'a.pdf'],
    ['a path of Windows', String.raw`filename="C:\\Temp\\a.pdf"`, 'a.pdf'],
    ['a path upwards', 'filename="../../a.pdf"', 'a.pdf'],
    ['a path in an encoded word', 'filename="=?utf-8?b?Li4vYS5wZGY=?="', 'a.pdf'],
    ['a path alone', 'filename="../"', undefined],
    ['dots alone', 'filename=".."', undefined],
    ['white space alone', 'filename="  "', undefined],
    ['empty', 'filename=""', undefined],
    ['a line break', "filename*=utf-8''a%0D%0ABcc%3A%20b.pdf", 'aBcc_ b.pdf'],
    ['NUL', "filename*=utf-8''a.pdf%00.exe", 'a.pdf.exe'],
    ['an escape sequence', "filename*=utf-8''%1B%5B2Ja%C2%9B.pdf", '[2Ja.pdf'],
    ['a mark that turns the direction', "filename*=utf-8''invoice%E2%80%AEfdp.exe", 'invoicefdp.exe'],
    ['characters without width', "filename*=utf-8''a%E2%80%8Bb%EF%BB%BF.pdf", 'ab.pdf'],
    ['dots and marks', "filename*=utf-8''.%E2%80%8B.", undefined],
  ]
  for (const [what, disposition, name] of NAMES)
    test(`is read and made harmless: ${what}`, () => {
      assert.equal(nameOf(disposition), name)
    })

  test('is that of the disposition, else that of the type', () => {
    const type = 'Content-Type: application/pdf; name="b.pdf"'

    assert.equal(read([type]).name, 'b.pdf')
    assert.equal(read([type, 'Content-Disposition: attachment; filename=a.pdf']).name, 'a.pdf')
    assert.equal(read([type, 'Content-Disposition: attachment']).name, 'b.pdf')
  })

  test('is there as declared too, on one line', () => {
    const { declaredName } = read([
      "Content-Disposition: attachment; filename*=utf-8''..%2F%E2%80%AEfdp%0D%0A.exe",
    ])

    assert.equal(declaredName, '../\u202efdp .exe')
  })

  test('is cut at the limit, which is said', () => {
    const bounds = new Bounds()

    const { name, declaredName } = read(
      [`Content-Disposition: attachment; filename=${'a'.repeat(5000)}`],
      FIRST,
      bounds,
    )

    assert.equal(name?.length, PARSER.fileNameOctets)
    assert.equal(declaredName?.length, PARSER.headerCharacters)
    assert.equal(bounds.exceeded, true)
  })

  test('never has a path, a control or a mark that deceives, whatever is declared', () => {
    const piece = fc.constantFrom(
      '..',
      '/',
      '\\\\',
      'a',
      '%2F',
      '%5C',
      '%00',
      '%0A',
      '%E2%80%AE',
      '=?utf-8?q?=2F?=',
      "utf-8''",
      '*',
      '"',
      ';',
      ' ',
    )
    const key = fc.constantFrom('filename', 'filename*', 'filename*0*', 'filename*0')

    fc.assert(
      fc.property(key, fc.array(piece, { maxLength: 16 }), (parameter, pieces) => {
        const name = nameOf(`${parameter}="${pieces.join('')}"`)
        if (name === undefined) return
        assert.doesNotMatch(name, /[/\\\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2028\u2029]/)
        assert.notEqual(name.trim(), '')
        assert.ok(name !== '.' && name !== '..')
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the disposition of a part', () => {
  const DISPOSITIONS: readonly (readonly [string, readonly string[], 'attachment' | 'inline'])[] = [
    ['attachment', ['Content-Disposition: ATTACHMENT; filename=a'], 'attachment'],
    ['inline', ['Content-Disposition: inline'], 'inline'],
    ['none', [], 'inline'],
    ['empty', ['Content-Disposition:'], 'inline'],
    ['parameters alone', ['Content-Disposition: ; filename=a'], 'inline'],
    [
      'unknown, which counts as attachment (RFC 2183, 2.8)',
      ['Content-Disposition: form-data; name=a'],
      'attachment',
    ],
  ]
  for (const [what, lines, disposition] of DISPOSITIONS)
    test(`is read: ${what}`, () => {
      assert.equal(read(lines).disposition, disposition)
    })
})

describe('the other fields of a part', () => {
  test('Content-ID comes without brackets, on one line, cut at the limit', () => {
    assert.equal(read(['Content-ID: <a@b>']).contentId, 'a@b')
    assert.equal(read(['Content-ID: a@b']).contentId, 'a@b')
    assert.equal(read(['Content-ID: <>']).contentId, undefined)
    assert.equal(read([]).contentId, undefined)
    assert.equal(read([`Content-ID: <${'a'.repeat(5000)}>`]).contentId?.length, PARSER.headerCharacters)
  })

  const ENCODINGS: readonly (readonly [string, string, string])[] = [
    ['a token', 'Base64', 'base64'],
    ['in quotes', '"quoted-printable"', 'quoted-printable'],
    ['with a parameter', 'base64;', 'base64'],
    ['with a comment', 'base64 (RFC 2045)', 'base64'],
    ['with words after it', '8bit really', '8bit'],
    ['empty', '', ''],
  ]
  for (const [what, value, encoding] of ENCODINGS)
    test(`Content-Transfer-Encoding is its token: ${what}`, () => {
      assert.equal(read([`Content-Transfer-Encoding: ${value}`]).encoding, encoding)
    })
})

describe('the parameters of a part', () => {
  test('are looked for in so many octets of their field, however it is written', () => {
    const behind = (octets: number, written: string) =>
      read([
        `Content-Type: text/plain${written}; x="${'y'.repeat(900)}"${'; a=b'.repeat((octets - 1000) / 5)}; charset=utf-8`,
      ]).parameter('charset')

    for (const written of ['', ' (a comment)']) {
      assert.equal(behind(PARSER.partHeaderOctets - 100, written), 'utf-8')
      assert.equal(behind(PARSER.partHeaderOctets + 1000, written), undefined)
    }
  })

  test('are those that libmime reads, whether they are written as most are or not', () => {
    const names = ['boundary', 'charset', 'name', 'x', 'constructor', '__proto__']
    const piece = fc.constantFrom(
      ...['; ', ';', ' ', '=', '"', '"a b"', 'text/plain', 'é', '(c)', '\\', '*', "utf-8''%C3%BC", '"\\""'],
      ...names.map((name) => `; ${name}=x`),
      ...names.map((name) => `; ${name}="y z"`),
      ...names.map((name) => String.raw`; ${name}="y\" z\\"`),
      ...names.map((name) => `; ${name}*=utf-8''%C3%BC`),
      ...names.map((name) => String.raw`; ${name}="y\z"`),
      ...names.map((name) => `; ${name}*=y`),
      ...names.map((name) => `; ${name}=(c)b (d)`),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const value = `multipart/mixed${pieces.join('')}`
        const field = readHeaderFields(Buffer.from(`Content-Type: ${value}\r\n`)).first('content-type') ?? ''
        const { parameter } = read([`Content-Type: ${value}`])
        const { params } = libmime.parseHeaderValue(field, { stripComments: true })

        for (const name of names)
          if (Object.hasOwn(params, name)) assert.equal(parameter(name), params[name], value)
      }),
      { numRuns: 1000 },
    )
  })
})
