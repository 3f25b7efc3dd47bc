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

  test('an answer to SEARCH may be longer than any line, and comes in several then', () => {
    const limits = { lineOctets: 100_000, literalOctets: 300, responseOctets: 100_000 }
    const numbers = Array.from({ length: 100_000 }, (_, index) => 1_000_000 + index * 3)
    const octets = Buffer.from(`* search ${numbers.join(' ')}\r\nM1 OK done\r\n`)
    for (const size of [1, 4_099, 70_001]) {
      const pieces = []
      for (let at = 0; at < octets.length; at += size) pieces.push(octets.subarray(at, at + size))
      const { responses } = readResponses(pieces, limits)
      assert.deepEqual(responses.pop(), ['M1 OK done'])
      assert.ok(responses.length > 1 && responses.every(([text]) => /^\* SEARCH \d/i.test(text ?? '')))
      assert.deepEqual(
        responses.flatMap(([text = '']) => text.slice('* SEARCH '.length).trim().split(' ')).map(Number),
        numbers,
      )
    }
    // What stands behind a literal begins no response.
    const within = ['* 1 FETCH (X {1}', 'x', `* SEARCH ${'1 '.repeat(40_000)})`]
    const [first, literal, last] = within
    const response = Buffer.from(`${first}\r\n${literal}${last}\r\n`)
    const cut = [response.subarray(0, 70_000), response.subarray(70_000)]
    assert.deepEqual(readResponses(cut, limits).responses, [within])
    for (const endless of [`* SEARCH ${'1'.repeat(200_000)}`, `* SEARCHED ${'1 '.repeat(90_000)}`]) {
      const pieces = [0, 1, 2].map((at) => Buffer.from(endless.slice(at * 70_000, (at + 1) * 70_000)))
      assert.throws(() => readResponses(pieces, limits), /line of more than/)
    }
  })
})
