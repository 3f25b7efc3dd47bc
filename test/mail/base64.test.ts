import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { decodePieces } from '../support/decode.ts'
import { cutAt, everyCut, octetsInPieces, singleOctets } from '../support/pieces.ts'

function decode(encoded: string): string {
  return decodePieces('base64', [Buffer.from(encoded, 'latin1')]).toString('latin1')
}

describe('base64', () => {
  const DECODED: readonly (readonly [string, string, string])[] = [
    ['nothing', '', ''],
    ['three octets', 'YWJj', 'abc'],
    ['two octets', 'YWI=', 'ab'],
    ['one octet', 'YQ==', 'a'],
    ['lines', 'YWJj\r\nZGVm\r\n', 'abcdef'],
    ['lines that are cut within a group', 'YW\r\nJjZG\nVm', 'abcdef'],
    ['without padding', 'YWI', 'ab'],
    ['one sextet too many', 'YWJjY', 'abc'],
    ['octets outside the alphabet', 'Y*W-J_j \xff\x00', 'abc'],
    ['padding cut by a line end', 'YQ=\r\n=', 'a'],
    ['one padding too few', 'YQ=', 'a'],
    ['padding that stands for nothing', '====YWJj', 'abc'],
    ['encoded pieces put together', 'YQ==YWI=YWJj', 'aababc'],
    ['slash and plus', '//++', '\xff\xff\xbe'],
  ]
  for (const [what, encoded, decoded] of DECODED)
    test(`is decoded: ${what}`, () => {
      assert.equal(decode(encoded), decoded)
    })

  test('gives the same however it is cut', () => {
    const encoded = Buffer.from('YWJj\r\nZGVmZw==\r\nYWI=YQ* \r\n==Zm9v\xff', 'latin1')
    const whole = decodePieces('base64', [encoded])

    for (const pieces of everyCut(encoded)) assert.deepEqual(decodePieces('base64', pieces), whole)
  })

  test('that a mailer wrote decodes to what was encoded, in lines of any length and in any pieces', () => {
    const octets = fc.uint8Array({ maxLength: 300 }).map((all) => Buffer.from(all))

    fc.assert(
      fc.property(
        octets,
        fc.integer({ min: 1, max: 80 }),
        fc.constantFrom('\n', '\r\n'),
        fc.array(fc.nat(600)),
        (all, width, lineEnd, cuts) => {
          const encoded = Buffer.from(
            all.toString('base64').replace(new RegExp(`.{${width}}`, 'g'), `$&${lineEnd}`),
          )
          const offsets = cuts.map((cut) => cut % (encoded.length + 1))

          assert.deepEqual(decodePieces('base64', cutAt(encoded, offsets)), all)
        },
      ),
    )
  })

  test('of any octets never throws, and decodes what Buffer decodes where there is no padding', () => {
    const octets = fc
      .array(fc.constantFrom(...'YWJjZ+/09 -_*\r\n\xff\0'.split('')), { maxLength: 60 })
      .map((characters) => Buffer.from(characters.join(''), 'latin1'))

    fc.assert(
      fc.property(octetsInPieces(octets), ([encoded, offsets]) => {
        // Buffer knows a second alphabet, which has no place in mail.
        const expected = Buffer.from(encoded.toString('latin1').replace(/[^A-Za-z0-9+/]/g, ''), 'base64')

        assert.deepEqual(decodePieces('base64', cutAt(encoded, offsets)), expected)
      }),
      { numRuns: 500 },
    )
  })

  test('of any octets in any pieces is the same as whole, padding and all', () => {
    const octets = fc
      .array(fc.constantFrom(...'YQ== \r\n*'.split('')), { maxLength: 40 })
      .map((characters) => Buffer.from(characters.join('')))

    fc.assert(
      fc.property(octetsInPieces(octets), ([encoded, offsets]) => {
        assert.deepEqual(decodePieces('base64', cutAt(encoded, offsets)), decodePieces('base64', [encoded]))
      }),
      { numRuns: 500 },
    )
  })

  describe('in lines of one length, which are decoded together', () => {
    const LINES = Buffer.from('QUJD'.repeat(19 * 40)).toString()
    /** Forty lines, of which one or two are changed. */
    const lines = (lineEnd: string, changes: Readonly<Record<number, (line: string) => string>>): Buffer =>
      Buffer.from(
        Array.from({ length: 40 }, (_, number) => {
          const line = LINES.slice(number * 76, (number + 1) * 76) + lineEnd
          return changes[number]?.(line) ?? line
        }).join(''),
        'latin1',
      )
    const CHANGED: readonly (readonly [string, Readonly<Record<number, (line: string) => string>>])[] = [
      ['nothing', {}],
      ['a dash in place of a digit', { 20: (line) => `-${line.slice(1)}` }],
      ['an underscore in place of a digit', { 20: (line) => `_${line.slice(1)}` }],
      ['another octet in place of a digit', { 20: (line) => `\xff${line.slice(1)}` }],
      ['padding within a line', { 20: (line) => line.replace('QUJDQ', 'QQ==Q') }],
      ['padding at the end of a line', { 20: (line) => line.replace(/JD(?=\r?\n)/, '==') }],
      ['a digit in place of a CR', { 20: (line) => line.replace('\r', 'Q') }],
      [
        'a digit in place of a CR, and more behind the lines',
        { 20: (line) => line.replace('\r', 'Q'), 39: (line) => line.slice(40) },
      ],
      [
        'a digit in place of a CR, and one that is missing',
        { 20: (line) => line.replace('\r', 'Q'), 30: (line) => `*${line.slice(1)}` },
      ],
      ['a line that is longer by four digits', { 20: (line) => `QUJD${line}` }],
      ['a line that is longer by one digit', { 20: (line) => `Q${line}` }],
      ['a last line that is shorter', { 39: (line) => line.slice(40) }],
      ['a start within a group', { 0: (line) => line.slice(3) }],
    ]
    for (const lineEnd of ['\r\n', '\n'])
      for (const [what, changes] of CHANGED)
        test(`gives what single octets give: ${what}, ${lineEnd === '\n' ? 'LF' : 'CRLF'}`, () => {
          const encoded = lines(lineEnd, changes)

          assert.deepEqual(decodePieces('base64', [encoded]), decodePieces('base64', singleOctets(encoded)))
        })

    test('of a megabyte is what was encoded, whatever the width', () => {
      const octets = Buffer.from(Array.from({ length: 1024 * 1024 }, (_, at) => (at * 7919) >> 5))
      for (const width of [4, 60, 64, 72, 75, 76, 128])
        assert.deepEqual(
          decodePieces('base64', [
            Buffer.from(octets.toString('base64').replace(new RegExp(`.{${width}}`, 'g'), '$&\r\n')),
          ]),
          octets,
        )
    })
  })
})
