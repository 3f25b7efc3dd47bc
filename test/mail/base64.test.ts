import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { decodePieces } from '../support/decode.ts'
import { cutAt, everyCut, octetsInPieces } from '../support/pieces.ts'

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
})
