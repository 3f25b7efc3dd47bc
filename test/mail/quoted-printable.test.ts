import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { decodePieces } from '../support/decode.ts'
import { cutAt, everyCut, octetsInPieces, singleOctets } from '../support/pieces.ts'

function decode(encoded: string): string {
  return decodePieces('quoted-printable', [Buffer.from(encoded, 'latin1')]).toString('latin1')
}

/** RFC 2045, 6.7, a line at a time and with everything in memory: easier to believe than what it judges. */
function reference(encoded: string): string {
  return encoded
    .split(/(?<=\n)/)
    .map((line) => {
      const [, content = '', lineEnd = ''] = /^([\s\S]*?)(\r?\n|\r?)$/.exec(line) ?? []
      const trimmed = content.replace(/[ \t]+$/, '')
      const soft = trimmed.endsWith('=')
      const decoded = (soft ? trimmed.slice(0, -1) : trimmed).replace(/=([0-9A-Fa-f]{2})/g, (_, digits) =>
        String.fromCharCode(Number.parseInt(digits, 16)),
      )
      return soft ? decoded : decoded + lineEnd
    })
    .join('')
}

describe('quoted-printable', () => {
  const DECODED: readonly (readonly [string, string, string])[] = [
    ['nothing', '', ''],
    ['plain text', 'abc\r\n', 'abc\r\n'],
    ['an escape', 'a=3Db', 'a=b'],
    ['escapes in lower case', '=c3=a9', '\xc3\xa9'],
    ['a soft line break', 'a=\r\nb', 'ab'],
    ['a soft line break with LF', 'a=\nb', 'ab'],
    ['a soft line break with white space behind it', 'a= \t\r\nb', 'ab'],
    ['a soft line break at the end', 'a=', 'a'],
    ['a soft line break with white space at the end', 'a= ', 'a'],
    ['a soft line break with CR at the end', 'a=\r', 'a'],
    ['white space at the end of a line', 'a \t\r\nb', 'a\r\nb'],
    ['white space at the very end', 'a  ', 'a'],
    ['white space within a line', 'a  b', 'a  b'],
    ['white space that is encoded at the end of a line', 'a=20\r\n', 'a \r\n'],
    ['white space before an escape', 'a =3D', 'a ='],
    ['white space before a soft line break', 'a =\r\nb', 'a b'],
    ['digits that are none', 'a=ZZb', 'a=ZZb'],
    ['one digit', 'a=4', 'a=4'],
    ['one digit and something else', 'a=4Gb', 'a=4Gb'],
    ['two equals signs', 'a==3D', 'a=='],
    ['an equals sign and white space', 'a= b', 'a= b'],
    ['octets above 127', '\xc3\xa9', '\xc3\xa9'],
    ['CR alone', 'a\rb', 'a\rb'],
    ['an equals sign and CR alone', 'a=\rb', 'a=\rb'],
    ['NUL', 'a\0b', 'a\0b'],
  ]
  for (const [what, encoded, decoded] of DECODED)
    test(`is decoded: ${what}`, () => {
      assert.equal(decode(encoded), decoded)
    })

  test('gives the same however it is cut', () => {
    const encoded = Buffer.from('caf=C3=A9 =\r\n and= \t\r\nmore \t \r\nx=4=ZZ==\r\n=3D\r \n end= ', 'latin1')
    const whole = decodePieces('quoted-printable', [encoded])

    for (const pieces of everyCut(encoded)) assert.deepEqual(decodePieces('quoted-printable', pieces), whole)
  })

  test('of any octets in any pieces is what the standard says', () => {
    const octets = fc
      .array(
        fc.constantFrom(
          '=',
          '==',
          ' ',
          '\t',
          '\n',
          '\r\n',
          'a',
          '3D',
          '4',
          '=C3',
          '=\r\n',
          'G',
          '\xff',
          '\0',
        ),
        { maxLength: 30 },
      )
      .map((pieces) => Buffer.from(pieces.join(''), 'latin1'))

    fc.assert(
      fc.property(octetsInPieces(octets), ([encoded, offsets]) => {
        const decoded = decodePieces('quoted-printable', cutAt(encoded, offsets))
        assert.equal(decoded.toString('latin1'), reference(encoded.toString('latin1')))
      }),
      { numRuns: 3000 },
    )
  })

  test('with a run of white space larger than any is the same in any pieces, and bounded', () => {
    const run = Buffer.concat([Buffer.from('a'), Buffer.alloc(200_000, ' '), Buffer.from('\r\nb')])

    const whole = decodePieces('quoted-printable', [run])

    assert.deepEqual(decodePieces('quoted-printable', singleOctets(run)), whole)
    assert.deepEqual(decodePieces('quoted-printable', cutAt(run, [65_536, 65_537, 131_072])), whole)
    assert.equal(whole.toString().trimEnd().at(-1), 'b')
    assert.ok(whole.length <= run.length)
  })
})
