import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import libmime from 'libmime'
import { oneLine } from '../../shared/mail/clean-text.ts'
import { decodeCharset, decodeEncodedWords } from '../../shared/mail/encoded-words.ts'

describe('encoded words', () => {
  const DECODED: readonly (readonly [string, string, string])[] = [
    ['Q', '=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=', 'Grüße'],
    ['B', '=?utf-8?b?R3LDvMOfZQ==?=', 'Grüße'],
    ['an underscore is a space', '=?utf-8?q?a_b=5Fc?=', 'a b_c'],
    ['between other words', 'Re: =?utf-8?q?=C3=A9?= and more', 'Re: é and more'],
    ['white space between two of them goes', '=?utf-8?q?a?= =?utf-8?q?b?=', 'ab'],
    ['across a fold, unfolded', '=?utf-8?q?a?=   =?utf-8?b?Yg==?=', 'ab'],
    ['a character cut between two of them, B', '=?utf-8?b?w7zD?= =?utf-8?b?n2U=?=', 'üße'],
    ['a character cut between two of them, Q', '=?utf-8?q?=C3?= =?utf-8?q?=BC?=', 'ü'],
    ['different charsets side by side', '=?utf-8?q?=C3=BC?= =?iso-8859-1?q?=FC?=', 'üü'],
    ['without white space around', 'a=?utf-8?q?b?=c', 'abc'],
    ['a language (RFC 2231, 5)', '=?utf-8*de?q?=C3=BC?=', 'ü'],
    ['spaces in it, which are not allowed', '=?utf-8?q?a b?=', 'a b'],
    ['ISO 8859-1', '=?iso-8859-1?q?J=FCrgen?=', 'Jürgen'],
    ['windows-1252', '=?windows-1252?q?=80_100?=', '€ 100'],
    ['ISO-2022-JP', '=?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=', '日本語'],
    ['Shift_JIS', '=?shift_jis?b?k/qWe4zq?=', '日本語'],
    ['EUC-JP', '=?euc-jp?b?xvzL3Ljs?=', '日本語'],
    ['KOI8-R', '=?koi8-r?b?8NLJ18XU?=', 'Привет'],
    ['GB18030', '=?gb18030?b?xOO6ww==?=', '你好'],
    ['Big5', '=?big5?b?p0Gmbg==?=', '你好'],
    ['an unknown charset, read as UTF-8', '=?x-unknown?q?=C3=BC?=', 'ü'],
    ['UTF-7, which is not decoded', '=?utf-7?q?+ADw-script+AD4-?=', '+ADw-script+AD4-'],
    ['an encoding that is none', '=?utf-8?x?abc?=', '=?utf-8?x?abc?='],
    ['one that never ends', '=?utf-8?q?abc', '=?utf-8?q?abc'],
    ['broken base64', '=?utf-8?b?R3LDvMOfZ?=', 'Grüß'],
    ['broken escapes', '=?utf-8?q?a=b=ZZ=?=', 'a=b=ZZ='],
    ['an empty one', 'a =?utf-8?q??= b', 'a  b'],
    ['none', 'plain = text ? and more', 'plain = text ? and more'],
  ]
  for (const [what, value, text] of DECODED)
    test(`are decoded: ${what}`, () => {
      assert.equal(decodeEncodedWords(value), text)
    })

  test('cannot bring a line break, a control or half a character', () => {
    assert.equal(decodeEncodedWords('=?utf-8?q?a=0D=0ABcc:_b=00=1B[2J=7F?='), 'a Bcc: b[2J')
    assert.equal(decodeEncodedWords('=?utf-16le?b?ANgA3ADY?=').isWellFormed(), true)
  })

  test('in a field of a megabyte are decoded at its start, without more of it', () => {
    const decoded = decodeEncodedWords('=?utf-8?q?a?= '.repeat(80_000))

    assert.match(decoded, /^a{1000}/)
    assert.ok(decoded.length <= 16_000)
  })

  test('are what libmime makes of them, one or several, whole or broken', () => {
    const word = fc
      .tuple(
        fc.constantFrom('utf-8', 'UTF-8*en', 'iso-8859-1', 'x', ''),
        fc.constantFrom('q', 'Q', 'b', 'B', 'x'),
        fc.constantFrom('=C3=BC', 'w7w=', 'a_b', '', 'YQ', 'a b', '=FF', '?'),
      )
      .map(([charset, encoding, text]) => `=?${charset}?${encoding}?${text}?=`)
    const piece = fc.oneof(word, fc.constantFrom('a', ' ', 'ü ', '=?', '?='))
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 4 }), (pieces) => {
        const value = pieces.join('')
        assert.equal(decodeEncodedWords(value), oneLine(libmime.decodeWords(value)), value)
      }),
      { numRuns: 2000 },
    )
  })

  test('never throw, and always leave one clean line', () => {
    const piece = fc.constantFrom(
      '=?',
      '?=',
      '?',
      '=',
      'utf-8',
      'iso-2022-jp',
      'gbk',
      'b',
      'Q',
      'w7w',
      '=C3',
      ' ',
      '\t',
      '*',
      '\0',
      'ü',
    )

    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const decoded = decodeEncodedWords(pieces.join(''))
        assert.ok(decoded.isWellFormed())
        assert.doesNotMatch(decoded, /[\x00-\x1f\x7f-\x9f\u2028\u2029]/)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('text in a charset', () => {
  test('without charset, or in US-ASCII that is none, is UTF-8 where the octets are, else windows-1252', () => {
    for (const charset of ['', 'us-ascii', 'UTF-8', 'utf8', 'ascii']) {
      assert.equal(decodeCharset(Buffer.from('Grüße €'), charset), 'Grüße €')
      assert.equal(decodeCharset(Buffer.from('Grüße \x80', 'latin1'), charset), 'Grüße €')
    }
  })

  test('that was cut within a character is still UTF-8', () => {
    const octets = Buffer.from('Grüße 📦')
    for (let length = octets.length; length > octets.length - 4; length--)
      assert.match(decodeCharset(octets.subarray(0, length), 'utf-8'), /^Grüße /)
  })

  test('that is not UTF-8 is not taken for cut UTF-8', () => {
    assert.equal(decodeCharset(Buffer.from('caf\xe9', 'latin1'), 'utf-8').slice(0, 3), 'caf')
    assert.equal(decodeCharset(Buffer.from('\xe9t\xe9 ', 'latin1'), ''), 'été ')
  })

  const CHARSETS: readonly (readonly [string, string, string])[] = [
    ['iso-8859-1', 'é', 'e9'],
    ['ISO-8859-15', '€', 'a4'],
    ['windows-1251', 'Да', 'c4e0'],
    ['iso-8859-8-i', 'ש', 'f9'],
    ['utf-16be', 'aé', '006100e9'],
    ['ks_c_5601-1987', '한', 'c7d1'],
    ['gbk', '你', 'c4e3'],
    ['x-sjis', 'ア', '8341'],
  ]
  for (const [charset, text, octets] of CHARSETS)
    test(`is decoded from ${charset}`, () => {
      assert.equal(decodeCharset(Buffer.from(octets, 'hex'), charset), text)
    })

  test('that nobody knows is read as UTF-8, as are transfer encodings and UTF-7 posing as one', () => {
    for (const charset of ['x-unknown', 'base64', 'hex', 'utf-7', '__proto__', 'constructor', '\u0000'])
      assert.equal(decodeCharset(Buffer.from('YQ== +ADw- é'), charset), 'YQ== +ADw- é')
  })
})

describe('octets without a charset, or with one that is a lie', () => {
  const CASES: readonly (readonly [what: string, hex: string, text: string])[] = [
    ['UTF-8', '61c3bc62', 'aüb'],
    ['UTF-8 that is cut within its last character', 'c3bcc3', 'ü\ufffd'],
    ['windows-1252, its last letter alone beyond ASCII', '636166e9', 'café'],
    ['windows-1252, near the end', '61fc62', 'aüb'],
    ['windows-1252, before what may be a cut character', '61fcc3', 'aüÃ'],
  ]
  for (const [what, hex, text] of CASES)
    test(`are read as ${what}`, () => {
      for (const charset of ['', 'utf-8', 'us-ascii'])
        assert.equal(decodeCharset(Buffer.from(hex, 'hex'), charset), text)
    })
})
