import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { PARSER } from '../../shared/limits.ts'
import { MimeScanner, type Place, type ScanHandler } from '../../shared/mail/mime-scanner.ts'
import type { ParseCode } from '../../shared/mail/parse-code.ts'
import { cutAt, everyCut, octetsInPieces, singleOctets } from '../support/pieces.ts'

interface Scanned {
  /** `path type of the multipart around it: header | body`, of leaves, in order. */
  readonly parts: readonly string[]
  readonly problems: readonly ParseCode[]
}

/** Scans a message whose parts say `m:BOUNDARY` on a line of their header when they are multiparts. */
function scan(pieces: readonly Buffer[]): Scanned {
  const parts: string[] = []
  const problems = new Set<ParseCode>()
  let open = false
  const handler: ScanHandler = {
    open(header: Buffer, place: Place) {
      assert.equal(open, false, 'a part is closed before the next one opens')
      const boundary = /^m:([^\r\n]*)/m.exec(header.toString('latin1'))?.[1]
      if (boundary !== undefined)
        return { boundary: Buffer.from(boundary, 'latin1'), subtype: `of ${boundary}` }
      open = true
      parts.push(`${place.path} ${place.within}: ${header.toString('latin1')}|`)
      return {}
    },
    body(octets) {
      assert.equal(open, true, 'a body belongs to an open part')
      parts.push(`${parts.pop()}${octets.toString('latin1')}`)
    },
    close() {
      assert.equal(open, true, 'a part is closed once')
      open = false
    },
    preamble() {},
    noDelimiter() {},
    problem(code) {
      problems.add(code)
    },
  }
  const scanner = new MimeScanner(handler)
  for (const piece of pieces) scanner.write(piece)
  scanner.end()
  assert.equal(open, false, 'the last part is closed')
  return { parts, problems: [...problems] }
}

function whole(message: string): Scanned {
  return scan([Buffer.from(message, 'latin1')])
}

const MESSAGES: readonly (readonly [
  what: string,
  message: string,
  parts: readonly string[],
  problems?: readonly ParseCode[],
])[] = [
  ['a body without parts', 'a: b\r\n\r\nbody\r\n', [' : a: b\r\n|body\r\n']],
  ['LF for line ends', 'a: b\n\nbody\n', [' : a: b\n|body\n']],
  ['a header alone', 'a: b\r\n', [' : a: b\r\n|']],
  ['a header without a line end', 'a: b', [' : a: b|']],
  ['an empty message', '', [' : |']],
  ['an empty header', '\r\nbody', [' : |body']],
  ['one part', 'm:x\r\n\r\n--x\r\na: b\r\n\r\nbody\r\n--x--\r\n', ['1 of x: a: b\r\n|body']],
  ['two parts', 'm:x\n\n--x\n\none\n--x\n\ntwo\n--x--\n', ['1 of x: |one', '2 of x: |two']],
  [
    'preamble and epilogue',
    'm:x\n\nseen by nobody\n--x\n\none\n--x--\nnor this\n--x\n\nthree\n',
    ['1 of x: |one'],
  ],
  ['a body that ends in an empty line', 'm:x\n\n--x\n\none\n\n--x--\n', ['1 of x: |one\n']],
  ['an empty body', 'm:x\n\n--x\na: b\n\n--x--\n', ['1 of x: a: b\n|']],
  ['a part that ends in its header', 'm:x\n\n--x\na: b\n--x--\n', ['1 of x: a: b\n|']],
  ['a part of nothing', 'm:x\n\n--x\n--x--\n', ['1 of x: |']],
  ['a delimiter right behind the header', 'm:x\n\n--x\n\none\n--x--', ['1 of x: |one']],
  ['white space behind delimiters', 'm:x\r\n\r\n--x \t\r\n\r\none\r\n--x-- \r\n', ['1 of x: |one']],
  ['CR CR LF behind a delimiter', 'm:x\r\n\r\n--x\r\r\n\r\none\r\n--x--\r\r\n', ['1 of x: |one']],
  ['mixed line ends', 'm:x\r\n\n--x\n\r\none\r\n--x\r\n\ntwo\n--x--', ['1 of x: |one', '2 of x: |two']],
  [
    'lines that look like delimiters',
    'm:x\n\n--x\n\n--xy\n--\n-x\n --x\n--x -\n---x\n--x--\n',
    ['1 of x: |--xy\n--\n-x\n --x\n--x -\n---x'],
  ],
  ['no last delimiter', 'm:x\n\n--x\n\none\n', ['1 of x: |one\n'], ['TRUNCATED_MULTIPART']],
  ['an end within the last delimiter', 'm:x\n\n--x\n\none\n--x', ['1 of x: |one'], ['TRUNCATED_MULTIPART']],
  [
    'an end within a line that is none',
    'm:x\n\n--x\n\none\n--y',
    ['1 of x: |one\n--y'],
    ['TRUNCATED_MULTIPART'],
  ],
  ['no delimiter at all', 'm:x\n\nbody\n', [], ['MISSING_PARTS']],
  ['a last delimiter alone', 'm:x\n\n--x--\nbody', [], ['MISSING_PARTS']],
  [
    'multiparts in each other',
    'm:x\n\n--x\nm:y\n\n--y\n\none\n--y\n\ntwo\n--y--\n--x\n\nthree\n--x--\n',
    ['1.1 of y: |one', '1.2 of y: |two', '2 of x: |three'],
  ],
  [
    'an inner one that never closes',
    'm:x\n\n--x\nm:y\n\n--y\n\none\n--x\n\ntwo\n--x--\n',
    ['1.1 of y: |one', '2 of x: |two'],
    ['TRUNCATED_MULTIPART'],
  ],
  [
    'an inner one without parts',
    'm:x\n\n--x\nm:y\n\nnothing\n--x\n\ntwo\n--x--\n',
    ['2 of x: |two'],
    ['MISSING_PARTS'],
  ],
  [
    'an outer one that closes all',
    'm:x\n\n--x\nm:y\n\n--y\n\none\n--x--\n--y\n\ntwo\n',
    ['1.1 of y: |one'],
    ['TRUNCATED_MULTIPART'],
  ],
  [
    'equal boundaries: the innermost counts',
    'm:x\n\n--x\nm:x\n\n--x\n\none\n--x--\n--x\n\ntwo\n--x--\n',
    ['1.1 of x: |one', '2 of x: |two'],
  ],
  [
    'a boundary that begins with another',
    'm:x\n\n--x\nm:xy\n\n--xy\n\none\n--xy--\n--x--\n',
    ['1.1 of xy: |one'],
  ],
  [
    'a boundary that another begins with',
    'm:xy\n\n--xy\nm:x\n\n--x\n\none\n--x--\n--xy--\n',
    ['1.1 of x: |one'],
  ],
  ['a boundary that ends in dashes', 'm:x--\n\n--x--\n\none\n--x----\n', ['1 of x--: |one']],
  [
    'a last delimiter that opens the inner one',
    'm:x\n\n--x\nm:x--\n\n--x--\n\none\n--x----\n--x--\n',
    ['1.1 of x--: |one'],
  ],
  ['a boundary of dashes', 'm:--\n\n----\n\none\n------\n', ['1 of --: |one']],
  ['octets above 127 in a boundary', 'm:\xff\n\n--\xff\n\none\n--\xff--\n', ['1 of \xff: |one']],
]

describe('the MIME scanner', () => {
  for (const [what, message, parts, problems = []] of MESSAGES)
    test(`finds the parts of a message with ${what}`, () => {
      assert.deepEqual(whole(message), { parts, problems })
    })

  test('finds the same however the message is cut, each offset and one octet at a time', () => {
    for (const [what, message] of MESSAGES) {
      const expected = whole(message)
      for (const pieces of everyCut(Buffer.from(message, 'latin1')))
        assert.deepEqual(scan(pieces), expected, what)
    }
  })

  test('finds the same in any message of delimiters and line ends, in any pieces', () => {
    const piece = fc.constantFrom(
      '--x',
      '--y',
      '--xy',
      '--x--',
      '--',
      '-',
      '\n',
      '\r\n',
      '\r',
      ' ',
      'm:x',
      'm:y',
      'm:xy',
      'a',
      '\n\n',
      '\n--x\n\n',
      '\n--y\n\n',
    )
    const message = fc
      .array(piece, { maxLength: 40 })
      .map((pieces) => Buffer.from(`m:x\n\n--x\n${pieces.join('')}`))

    fc.assert(
      fc.property(octetsInPieces(message), ([octets, offsets]) => {
        const expected = scan([octets])
        assert.deepEqual(scan(cutAt(octets, offsets)), expected)
        assert.deepEqual(scan(singleOctets(octets)), expected)
      }),
      { numRuns: 2000 },
    )
  })

  test('loses no octet of a body, whatever it is made of', () => {
    const piece = fc.constantFrom('--', '-', '--xx', '--y\n', '\r', '\n', '\r\n', 'a', '--x', ' ')
    // A body that holds a line of the boundary would be two.
    const body = fc
      .array(piece, { maxLength: 40 })
      .map((pieces) => pieces.join(''))
      .filter((text) => !/^--x(?:--)?[ \t]*\r*$/m.test(text.replaceAll('\r', '\n')))

    fc.assert(
      fc.property(body, fc.array(fc.nat(200), { maxLength: 8 }), (text, cuts) => {
        const octets = Buffer.from(`m:x\n\n--x\n\n${text}\r\n--x--\r\n`)
        const { parts } = scan(
          cutAt(
            octets,
            cuts.map((cut) => cut % (octets.length + 1)),
          ),
        )
        assert.deepEqual(parts, [`1 of x: |${text}`])
      }),
      { numRuns: 2000 },
    )
  })

  test('takes a line longer than any delimiter for content, in any pieces', () => {
    for (const length of [
      PARSER.delimiterOctets - 2,
      PARSER.delimiterOctets - 1,
      PARSER.delimiterOctets,
      3 * PARSER.delimiterOctets,
    ]) {
      const boundary = 'y'.repeat(length)
      const octets = Buffer.from(`m:${boundary}\n\n--${boundary}\n\none\n--${boundary}--\n`)
      const expected = scan([octets])
      assert.equal(expected.parts.length, length + 4 <= PARSER.delimiterOctets + 2 ? 1 : 0, `${length}`)
      for (const pieces of [singleOctets(octets), cutAt(octets, [length, length + 8, length + 9])])
        assert.deepEqual(scan(pieces), expected, `${length}`)
    }
  })

  test('cuts a header at its limit, says so, and goes on behind it', () => {
    const message = `m:x\n\n--x\na: ${'y'.repeat(PARSER.partHeaderOctets)}\n\none\n--x--\n`

    for (const pieces of [[Buffer.from(message)], singleOctets(Buffer.from(message))]) {
      const { parts, problems } = scan(pieces)
      assert.deepEqual(problems, ['HEADER_TOO_LARGE'])
      assert.equal(parts.length, 1)
      assert.equal(parts[0]?.length, '1 of x: |one'.length + PARSER.partHeaderOctets)
      assert.match(parts[0] ?? '', /^1 of x: a: y+\|one$/)
    }
  })

  test('allows the header of the message itself more than that of a part', () => {
    const line = `a: ${'y'.repeat(100)}\n`
    const fits = line.repeat(Math.floor(PARSER.headerOctets / line.length))

    assert.deepEqual(whole(`${fits}\nbody`).problems, [])
    assert.deepEqual(whole(`${fits}${line}\nbody`).problems, ['HEADER_TOO_LARGE'])
    assert.match(whole(`${fits}${line}\nbody`).parts[0] ?? '', /\|body$/)
  })

  test('stops at the limit of parts, and wants no more octets then', () => {
    let opened = 0
    const problems: ParseCode[] = []
    const scanner = new MimeScanner({
      open: (header) => {
        opened++
        return header.includes('m:') ? { boundary: Buffer.from('x'), subtype: 'mixed' } : {}
      },
      body: () => {},
      close: () => {},
      preamble: () => {},
      noDelimiter: () => {},
      problem: (code) => problems.push(code),
    })

    scanner.write(Buffer.from('m:x\n\n'))
    scanner.write(Buffer.from('--x\n\none\n'.repeat(PARSER.mimeNodes - 1)))
    assert.equal(scanner.done, false)
    assert.equal(opened, PARSER.mimeNodes, 'the message itself counts')
    scanner.write(Buffer.from('--x\n\none\n'.repeat(10)))

    assert.equal(scanner.done, true)
    assert.deepEqual(problems, ['TOO_MANY_PARTS'])
    scanner.end()
    assert.equal(opened, PARSER.mimeNodes)
  })

  test('wants no more octets once the outermost multipart has closed', () => {
    const scanner = new MimeScanner({
      open: (header) => (header.includes('m:') ? { boundary: Buffer.from('x'), subtype: 'mixed' } : {}),
      body: () => {},
      close: () => {},
      preamble: () => {},
      noDelimiter: () => {},
      problem: () => assert.fail('no problem'),
    })

    scanner.write(Buffer.from('m:x\n\n--x\n\none\n--x--\n'))
    scanner.write(Buffer.from('epilogue'))

    assert.equal(scanner.done, true)
  })
})
