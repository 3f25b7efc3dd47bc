import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { PARSER } from '../../shared/limits.ts'
import { parseHeaderOnly } from '../../shared/mail/message-header.ts'
import { PARSE_CODES, type ParseCode } from '../../shared/mail/parse-code.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { sampleMessages } from '../support/sample-messages.ts'

describe('a message whose parse had to be given up', () => {
  test('still has what its header says, the same as a whole parse finds in it', async () => {
    for (const { name, octets } of sampleMessages()) {
      const whole = await parseMessage(octets)
      const header = parseHeaderOnly(octets, 'TIMED_OUT')

      assert.deepEqual(header.message, whole.message, name)
      assert.deepEqual(header.authentication, whole.authentication, name)
    }
  })

  test('has no text and no attachments, and says why', () => {
    const octets = Buffer.from('Subject: x\r\nContent-Type: application/pdf\r\n\r\nbody')

    for (const code of ['TIMED_OUT', 'OUT_OF_MEMORY', 'PARSER_FAILED'] as const) {
      const { text, attachments, attachmentsTruncated, parse } = parseHeaderOnly(octets, code)
      assert.deepEqual(text, { preview: '', truncated: false, source: 'none' })
      assert.deepEqual(attachments, [])
      assert.equal(attachmentsTruncated, false)
      assert.deepEqual(parse, { status: 'failed', code, version: parse.version })
    }
  })

  test('is called what its header makes it', () => {
    const header = (lines: string): string => parseHeaderOnly(Buffer.from(`${lines}\n\n`), 'TIMED_OUT').class

    assert.equal(header('Auto-Submitted: auto-replied'), 'auto-reply')
    assert.equal(header('Content-Type: multipart/report; report-type=delivery-status; boundary=b'), 'bounce')
    assert.equal(header('Subject: x'), 'ordinary')
  })

  const HEADERS: readonly (readonly [string, string])[] = [
    ['CRLF', 'Subject: x\r\n\r\nSubject: y\r\n'],
    ['LF', 'Subject: x\n\nSubject: y\n'],
    ['CR alone', 'Subject: x\r\rSubject: y\r'],
    ['mixed line ends', 'Subject: x\n\r\nSubject: y\r\n\r\n'],
    ['no end', 'Subject: x'],
    ['a From line of an mbox', 'From ada Tue Mar  3 09:00:00 2026\nSubject: x\n\n'],
  ]
  for (const [what, message] of HEADERS)
    test(`has its header read up to its end: ${what}`, () => {
      assert.equal(parseHeaderOnly(Buffer.from(message), 'TIMED_OUT').message.subject, 'x')
    })

  test('has no more read than the limit', () => {
    const late = Buffer.from(
      `${'X: y\r\n'.repeat(PARSER.headerOctets / 6)}${'X: y\r\n'}Subject: late\r\n\r\n`,
    )

    assert.equal(parseHeaderOnly(late, 'TIMED_OUT').message.subject, undefined)
  })

  test('does not make this fail, whatever its octets are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        assert.equal(parseHeaderOnly(Buffer.from(octets), 'PARSER_FAILED').parse.status, 'failed')
      }),
    )
  })
})

describe('parse codes', () => {
  test('come with failed when nothing but the header was read, else with partial', () => {
    const failed = (Object.keys(PARSE_CODES) as ParseCode[]).filter(
      (code) => parseHeaderOnly(Buffer.from('a: b\n\n'), code).parse.status === 'failed',
    )
    assert.deepEqual(failed, ['TIMED_OUT', 'OUT_OF_MEMORY', 'PARSER_FAILED'])
  })

  test('of a message with several are the worst', async () => {
    const unknownEncoding = 'Content-Transfer-Encoding: x-uuencode\n\nbody'
    const truncated = `Content-Type: multipart/mixed; boundary=b\n\n--b\n${unknownEncoding}`

    assert.equal((await parseMessage(Buffer.from(`a: b\n${unknownEncoding}`))).parse.code, 'UNKNOWN_ENCODING')
    assert.equal((await parseMessage(Buffer.from(truncated))).parse.code, 'TRUNCATED_MULTIPART')
    assert.equal((await parseMessage(Buffer.from(''))).parse.code, 'NO_HEADER')
    assert.equal((await parseMessage(Buffer.from('a: b\n\nbody'))).parse.code, undefined)
  })
})
