import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { PARSER } from '../../shared/limits.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import type { ParsedMessage } from '../../shared/mail/parsed-message.ts'
import { mimeOctets } from '../support/mime-octets.ts'
import { cutAt, octetsInPieces, singleOctets } from '../support/pieces.ts'
import { sampleMessages } from '../support/sample-messages.ts'

/** As a spool file is read: in one buffer, so that each piece overwrites the one before. */
async function* from(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(Math.max(0, ...pieces.map(({ length }) => length)))
  for (const piece of pieces) {
    piece.copy(buffer)
    yield buffer.subarray(0, piece.length)
    buffer.fill('-')
  }
}

function parsePieces(pieces: readonly Buffer[]): Promise<ParsedMessage> {
  return parseMessage(from(pieces))
}

describe('a message', () => {
  for (const { name, octets } of sampleMessages())
    test(`is read the same however it is cut: ${name}`, async () => {
      const whole = await parseMessage(octets)

      for (let at = 0; at <= octets.length; at++)
        assert.deepEqual(await parsePieces(cutAt(octets, [at])), whole, `${at}`)
      assert.deepEqual(await parsePieces(singleOctets(octets)), whole)
    })

  for (const { name, octets } of sampleMessages())
    test(`is read the same with LF and with CR for line ends: ${name}`, async () => {
      const text = octets.toString('latin1')
      const read = (message: string): Promise<ParsedMessage> => parseMessage(Buffer.from(message, 'latin1'))
      // Nested messages are octets, so their digests tell line ends apart.
      const comparable = ({ message, text, class: kind, attachments }: ParsedMessage) => ({
        message,
        text,
        kind,
        attachments: attachments.map(({ name, contentType, partPath }) => ({ name, contentType, partPath })),
      })

      const expected = comparable(await read(text))
      assert.deepEqual(comparable(await read(text.replaceAll('\r\n', '\n'))), expected)
      assert.deepEqual(comparable(await read(text.replaceAll('\r\n', '\r'))), expected)
    })

  test('cut off anywhere still has the header that came', async () => {
    const octets = sampleMessages()[0]?.octets ?? assert.fail('there are samples')
    const header = octets.indexOf('\r\n\r\n') + 2
    const { message } = await parseMessage(octets)

    for (let length = header; length <= octets.length; length++)
      assert.deepEqual((await parseMessage(octets.subarray(0, length))).message, message, `${length}`)
  })

  test('of any octets is read, the same in any pieces', async () => {
    await fc.assert(
      fc.asyncProperty(octetsInPieces(mimeOctets()), async ([octets, offsets]) => {
        const whole = await parseMessage(octets)
        assert.match(whole.parse.status, /^(?:parsed|partial)$/)
        assert.deepEqual(await parsePieces(cutAt(octets, offsets)), whole)
        assert.deepEqual(await parsePieces(singleOctets(octets)), whole)
      }),
      { numRuns: 2000 },
    )
  })

  test('is not read further than it can change anything', async () => {
    let read = 0
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.from('Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n')
      for (; read < 100; read++) yield Buffer.from('epilogue\n')
    }

    const { parse, text } = await parseMessage(source())

    assert.equal(parse.status, 'parsed')
    assert.equal(text.preview, 'one')
    assert.ok(read < 3, `${read}`)
  })

  test('whose octets cannot be had fails with what the source fails with', async () => {
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.from('Subject: x\n')
      throw new Error('the disk is gone')
    }

    await assert.rejects(parseMessage(source()), /the disk is gone/)
  })

  test('with multiparts in each other is read down to the limit, and the rest is one attachment', async () => {
    const nested = (levels: number): Buffer => {
      const type = (level: number): string => `Content-Type: multipart/mixed; boundary=b${level}`
      const open = Array.from(
        { length: levels - 1 },
        (_, level) => `--b${level}\n${type(level + 1)}\n\n`,
      ).join('')
      const close = Array.from({ length: levels }, (_, level) => `--b${levels - 1 - level}--\n`).join('')
      return Buffer.from(`${type(0)}\n\n${open}--b${levels - 1}\n\ncore\n${close}`)
    }

    const fitting = await parseMessage(nested(PARSER.mimeDepth))
    assert.equal(fitting.parse.status, 'parsed')
    assert.equal(fitting.text.preview, 'core')

    const tooDeep = await parseMessage(nested(PARSER.mimeDepth + 1))
    assert.equal(tooDeep.parse.code, 'TOO_DEEP')
    assert.equal(tooDeep.text.source, 'none')
    assert.deepEqual(
      tooDeep.attachments.map(({ contentType }) => contentType),
      ['multipart/mixed'],
    )
  })

  test('with a multipart without a boundary has its text read all the same', async () => {
    for (const parameter of ['', '; boundary=""', '; boundary="   "', `; boundary=${'b'.repeat(5000)}`]) {
      const { parse, text } = await parseMessage(
        Buffer.from(`Content-Type: multipart/mixed${parameter}\n\nbody`),
      )
      assert.equal(parse.code, 'MISSING_BOUNDARY')
      assert.equal(text.preview, 'body')
    }
  })

  test('lets other work run while it is read from memory', async () => {
    let turns = 0
    const ticking = setInterval(() => turns++, 0)
    try {
      await parseMessage(Buffer.alloc(64 * 1024 * 1024, 'a line of text\n'))
    } finally {
      clearInterval(ticking)
    }

    assert.ok(turns > 0)
  })
})

describe('a multipart whose delimiter never comes', () => {
  const text = async (lines: readonly string[]) =>
    (await parseMessage(Buffer.from(lines.join('\r\n')))).text.reply
  const TYPE = 'Content-Type: multipart/mixed; boundary=never'

  test('is text, as far as it can be read, and partial', async () => {
    const { parse, text } = await parseMessage(Buffer.from(`${TYPE}\r\n\r\nSomebody wrote this.\r\n`))

    assert.equal(parse.code, 'MISSING_PARTS')
    assert.equal(text.preview, 'Somebody wrote this.')
    assert.equal(text.source, 'plain')
  })

  test('within another is text too, and nothing behind text that was there before', async () => {
    const outer = ['Content-Type: multipart/mixed; boundary=b', '', '--b', TYPE, '', 'inner', '--b--']

    assert.equal(await text(outer), 'inner')
    assert.equal(await text([...outer.slice(0, 2), '--b', '', 'before', ...outer.slice(2)]), 'before')
  })

  test('has no text of what stands before the first delimiter of another one', async () => {
    assert.equal(
      await text(['Content-Type: multipart/mixed; boundary=b', '', 'preamble', '--b', '', 'x', '--b--']),
      'x',
    )
    assert.equal(
      await text([
        'Content-Type: multipart/mixed; boundary=b',
        '',
        'preamble',
        '--b',
        'Content-Type: image/png',
        '',
        'x',
        '--b--',
      ]),
      undefined,
    )
  })
})
