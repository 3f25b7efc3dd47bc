import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  commandLine,
  END_OF_BODY,
  Pop3Wire,
  parseCapabilities,
  parseRows,
  parseStatus,
} from '../../shared/mailbox/pop3-wire.ts'
import { multiline } from '../support/pop3-server.ts'

interface Answer {
  readonly status: string
  readonly body: string
}

/** Feeds a recorded conversation in these pieces and reads answers that each have a body. */
function readAnswers(pieces: readonly Buffer[]): Answer[] {
  const wire = new Pop3Wire(512)
  const answers: Answer[] = []
  let status: string | undefined
  let body: Buffer[] = []
  for (const piece of pieces) {
    wire.push(Buffer.from(piece))
    while (true) {
      if (status === undefined) {
        status = wire.line()
        if (status === undefined) break
        wire.beginBody()
      }
      const octets = wire.body()
      if (octets === undefined) break
      if (octets === END_OF_BODY) {
        answers.push({ status, body: Buffer.concat(body).toString('latin1') })
        status = undefined
        body = []
      } else body.push(octets)
    }
  }
  assert.equal(status, undefined, 'the conversation ends with an answer')
  return answers
}

const BODIES = [
  'plain\r\n',
  '',
  '.\r\n',
  '..\r\n.a\r\n',
  'bare\nfeed\n.\nand\r.\rreturn\r\n',
  '\r\n\r\n.\r\n\r\n',
  'a\r\n.\r\nb\r\n',
  '\r\r\n\r\n',
  'ends in a dot.\r\n',
]
const CONVERSATION = Buffer.concat(BODIES.map((body) => multiline(Buffer.from(body, 'latin1'))))

describe('POP3 bodies', () => {
  test('are read octet by octet as the server has them, dots and all', () => {
    assert.deepEqual(
      readAnswers([CONVERSATION]).map(({ body }) => body),
      BODIES,
    )
  })

  test('are the same wherever the network cuts them in two', () => {
    for (let cut = 0; cut <= CONVERSATION.length; cut++)
      assert.deepEqual(
        readAnswers([CONVERSATION.subarray(0, cut), CONVERSATION.subarray(cut)]).map(({ body }) => body),
        BODIES,
        `cut at ${cut}`,
      )
  })

  test('are the same when they come one octet at a time', () => {
    const pieces = Array.from(CONVERSATION, (octet) => Buffer.of(octet))
    assert.deepEqual(
      readAnswers(pieces).map(({ body }) => body),
      BODIES,
    )
  })

  test('whatever octets they have, and however they are cut', () => {
    const body = fc.array(fc.constantFrom('.', '\r', '\n', '\r\n', '\r\n.', '\0', 'é', 'x'), {
      maxLength: 20,
    })
    fc.assert(
      fc.property(
        fc.array(body, { minLength: 1, maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (parts, sizes) => {
          const bodies = parts.map((each) => {
            const text = each.join('')
            return text === '' || text.endsWith('\r\n') ? text : `${text}\r\n`
          })
          const sent = Buffer.concat(bodies.map((each) => multiline(Buffer.from(each, 'latin1'))))
          const pieces: Buffer[] = []
          for (let at = 0, turn = 0; at < sent.length; turn++) {
            const size = sizes[turn % sizes.length] as number
            pieces.push(sent.subarray(at, at + size))
            at += size
          }
          assert.deepEqual(
            readAnswers(pieces).map((answer) => answer.body),
            bodies,
          )
        },
      ),
      { numRuns: 500 },
    )
  })

  test('a dot that a careless server did not double loses its first dot, as the standard says', () => {
    assert.deepEqual(readAnswers([Buffer.from('+OK\r\n.careless\r\n.\r\n')])[0]?.body, 'careless\r\n')
  })

  test('a dot on a line of its own after a bare line feed does not end the message', () => {
    assert.deepEqual(readAnswers([Buffer.from('+OK\r\na\n.\r\nb\r\n.\r\n')])[0]?.body, 'a\n.\r\nb\r\n')
  })
})

describe('POP3 lines', () => {
  test('a status line longer than allowed is refused, also before its end has come', () => {
    for (const line of ['x'.repeat(600), `${'x'.repeat(600)}\r\n`]) {
      const wire = new Pop3Wire(512)
      wire.push(Buffer.from(line))
      assert.throws(() => wire.line(), { code: 'PROTOCOL_VIOLATION' })
    }
  })

  test('statuses with and without response codes, in any case', () => {
    assert.deepEqual(parseStatus('+OK 2 200'), { ok: true, code: '', text: '2 200' })
    assert.deepEqual(parseStatus('+ok'), { ok: true, code: '', text: '' })
    assert.deepEqual(parseStatus('-ERR [in-use] locked'), { ok: false, code: 'IN-USE', text: 'locked' })
    assert.deepEqual(parseStatus('-ERR'), { ok: false, code: '', text: '' })
    for (const line of ['', 'OK', '+OKAY', '* OK IMAP4', '220 smtp', '+ go on'])
      assert.equal(parseStatus(line), undefined)
  })

  test('capabilities with their arguments', () => {
    const capabilities = parseCapabilities('TOP\r\nSASL PLAIN login\r\nLOGIN-DELAY 900 USER\r\n')
    assert.deepEqual(
      [...capabilities],
      [
        ['TOP', []],
        ['SASL', ['PLAIN', 'LOGIN']],
        ['LOGIN-DELAY', ['900', 'USER']],
      ],
    )
  })

  test('rows, and lines among them that are none', () => {
    assert.deepEqual(
      [...parseRows('1 abc\r\n 2   d!~ rest\r\nnonsense\r\n3\r\n4 \x01\r\n5 last')],
      [
        [1, 'abc'],
        [2, 'd!~'],
        [5, 'last'],
      ],
    )
  })

  test('an argument with a line break or NUL never reaches the wire', () => {
    for (const user of ['a\r\nDELE 1', 'a\nb', 'a\rb', 'a\0b'])
      assert.throws(() => commandLine('USER', user), { code: 'AUTHENTICATION_FAILED' })
    assert.equal(commandLine('USER', 'a b'), 'USER a b\r\n')
  })
})
