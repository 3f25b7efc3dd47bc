import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ImapWire, type ImapWireLimits } from '../../shared/mailbox/imap-wire.ts'

const LIMITS: ImapWireLimits = { lineOctets: 200, literalOctets: 300, responseOctets: 400 }

/** Feeds a recorded conversation in these pieces. A response is its lines and literals by turns. */
function readResponses(
  pieces: readonly Buffer[],
  limits = LIMITS,
): { responses: string[][]; wire: ImapWire } {
  const wire = new ImapWire(limits)
  const responses: string[][] = []
  let response: string[] = []
  let left = 0
  for (const octets of pieces) {
    wire.push(Buffer.from(octets))
    for (let piece = wire.next(); piece; piece = wire.next())
      if (piece.kind === 'literal') {
        assert.ok(piece.octets.length > 0 && piece.octets.length <= left)
        left -= piece.octets.length
        response[response.length - 1] += piece.octets.toString('latin1')
      } else {
        assert.equal(left, 0, 'a literal is complete before a line goes on')
        response.push(piece.text)
        if (piece.literalOctets === undefined) {
          responses.push(response)
          response = []
        } else {
          left = piece.literalOctets
          response.push('')
        }
      }
  }
  return { responses, wire }
}

const RESPONSES = [
  ['* 1 FETCH (UID 1 BODY[] {5}', 'hello', ')'],
  ['* 2 FETCH (UID 2 BODY[] {0}', '', ')'],
  ['* 3 FETCH (UID 3 BODY[] {12}', '\r\nM1 OK\r\n{3}', ' X-GM-LABELS ({4}', 'a\nb\r', '))'],
  ['* OK [ALERT] braces {x} and { 5} and 5}'],
  ['* 4 FETCH (BINARY[1] ~{3}', '\0\xff\r', ')'],
  ['{2}', '\r\n', ''],
  [''],
  ['M1 OK done'],
]
const OCTETS = Buffer.from(
  RESPONSES.map((parts) =>
    parts.map((part, index) => (index % 2 === 0 ? `${part}\r\n` : part)).join(''),
  ).join(''),
  'latin1',
)

describe('IMAP responses', () => {
  test('are lines and literals, wherever the network cuts them', () => {
    assert.deepEqual(readResponses([OCTETS]).responses, RESPONSES)
    for (let cut = 1; cut < OCTETS.length; cut++)
      assert.deepEqual(
        readResponses([OCTETS.subarray(0, cut), OCTETS.subarray(cut)]).responses,
        RESPONSES,
        `cut at ${cut}`,
      )
  })

  test('are the same octet by octet', () => {
    assert.deepEqual(readResponses(Array.from(OCTETS, (octet) => Buffer.of(octet))).responses, RESPONSES)
  })

  test('of any octets in their literals come out as they went in, in any pieces', () => {
    const literal = fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets).toString('latin1'))
    fc.assert(
      fc.property(fc.array(literal, { maxLength: 4 }), fc.integer({ min: 1, max: 50 }), (literals, size) => {
        const expected = [...literals.flatMap((octets) => [`* x {${octets.length}}`, octets]), '* end']
        const octets = Buffer.from(
          expected.map((part, index) => (index % 2 === 0 ? `${part}\r\n` : part)).join(''),
          'latin1',
        )
        const pieces: Buffer[] = []
        for (let at = 0; at < octets.length; at += size) pieces.push(octets.subarray(at, at + size))
        assert.deepEqual(readResponses(pieces).responses, [expected])
      }),
    )
  })

  test('end with LF alone, too', () => {
    assert.deepEqual(readResponses([Buffer.from('* a\n* b {1}\nx c\n')]).responses, [
      ['* a'],
      ['* b {1}', 'x', ' c'],
    ])
  })

  test('announce a length with zeros before it', () => {
    assert.deepEqual(readResponses([Buffer.from(`* {${'0'.repeat(30)}2}\r\nab\r\n`)]).responses[0]?.[1], 'ab')
  })

  test('hand back what has not been taken, and nothing in the middle of a response', () => {
    const { wire } = readResponses([Buffer.from('* a\r\n* 5 EX'), Buffer.from('IST')])
    assert.equal(wire.rest().toString(), '* 5 EXIST')
    assert.throws(() => readResponses([Buffer.from('* b {3}\r\nx')]).wire.rest(), TypeError)
  })
})

describe('IMAP responses that are too long', () => {
  const refused = (text: string, message: RegExp, limits = LIMITS): void => {
    for (const pieces of [[Buffer.from(text)], Array.from(Buffer.from(text), (octet) => Buffer.of(octet))])
      assert.throws(() => readResponses(pieces, limits), { code: 'PROTOCOL_VIOLATION', message })
  }

  test('are refused for a line, before its end, and not for one of just the length', () => {
    refused('x'.repeat(201), /line of more than 200 octets/)
    refused(`${'x'.repeat(199)}\r\n`, /line of more than 200 octets/)
    assert.equal(readResponses([Buffer.from(`${'x'.repeat(198)}\r\n`)]).responses.length, 1)
  })

  test('are refused for a literal before any of its octets, of whatever many digits', () => {
    for (const digits of ['301', '9'.repeat(15), '9'.repeat(16), '9'.repeat(100)])
      refused(`* {${digits}}\r\n`, /literal of (301|9+|Infinity) octets, more than 300/)
    assert.equal(readResponses([Buffer.from(`* {300}\r\n${'x'.repeat(300)}\r\n`)]).responses.length, 1)
  })

  test('are refused for many short lines and literals of one response', () => {
    refused('* {0}\r\n'.repeat(100), /response of more than 400 octets/)
    refused(`* {250}\r\n${'x'.repeat(250)} {250}\r\n`, /response of more than 400 octets/)
    assert.equal(readResponses([Buffer.from('* a\r\n'.repeat(500))]).responses.length, 500)
  })
})
