import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readHeaderFields } from '../../shared/mail/header-fields.ts'

function fieldsOf(block: string | Buffer) {
  return readHeaderFields(Buffer.isBuffer(block) ? block : Buffer.from(block, 'latin1'))
}

describe('header fields', () => {
  test('are found by name in any case, topmost first', () => {
    const fields = fieldsOf('To: a@example.com\r\nSUBJECT: one\r\nto: b@example.com\r\nsubject: two\r\n')

    assert.equal(fields.first('subject'), 'one')
    assert.deepEqual(fields.all('to'), ['a@example.com', 'b@example.com'])
    assert.equal(fields.count, 4)
  })

  test('that are not there have no value, also under names that every object has', () => {
    const fields = fieldsOf('Subject: x\r\n')

    for (const name of ['date', 'constructor', '__proto__', 'toString']) {
      assert.equal(fields.first(name), undefined)
      assert.deepEqual(fields.all(name), [])
    }
    assert.equal(fieldsOf('__proto__: x\r\n').first('__proto__'), 'x')
  })

  const UNFOLDED: readonly (readonly [string, string, string])[] = [
    ['CRLF and space', 'X: one\r\n two\r\n', 'one two'],
    ['CRLF and tab', 'X: one\r\n\ttwo\r\n', 'one two'],
    ['LF alone', 'X: one\n two\n', 'one two'],
    ['CR within a line', 'X: one\rtwo\r\n', 'one two'],
    ['an empty first line', 'X:\r\n one\r\n', 'one'],
    ['a continuation of white space alone', 'X: one\r\n \r\n two\r\n', 'one  two'],
    ['many spaces', 'X: one\r\n      two\r\n', 'one two'],
    ['no line end at the end', 'X: one\r\n two', 'one two'],
    ['white space within a line', 'X: one  two\r\n', 'one  two'],
    ['white space before the colon', 'X \t: one\r\n', 'one'],
    ['no white space after the colon', 'X:one\r\n', 'one'],
    ['nothing after the colon', 'X:\r\nY: z\r\n', ''],
    ['a colon in the body', 'X: a: b\r\n', 'a: b'],
  ]
  for (const [what, block, body] of UNFOLDED)
    test(`are unfolded and trimmed: ${what}`, () => {
      assert.equal(fieldsOf(block).first('x'), body)
    })

  test('are not made of lines without a colon, which are passed over with their continuations', () => {
    const fields = fieldsOf(
      'From ada Tue Mar  3 09:00:00 2026\nSubject: x\njunk\n more: junk\nna me: y\n: z\nTo: a@b\n',
    )

    assert.equal(fields.count, 2)
    assert.equal(fields.first('subject'), 'x')
    assert.equal(fields.first('to'), 'a@b')
  })

  test('have names of at most 255 octets with the white space behind them', () => {
    const counts = [
      `${'x'.repeat(255)}: y\n`,
      `${'x'.repeat(256)}: y\n`,
      `x${' '.repeat(254)}: y\n`,
      `x${' '.repeat(255)}: y\n`,
    ]

    assert.deepEqual(
      counts.map((block) => fieldsOf(block).count),
      [1, 0, 1, 0],
    )
  })

  test('keep a continuation that stands before any field out of the first one', () => {
    assert.equal(fieldsOf(' lost\r\nSubject: x\r\n').first('subject'), 'x')
  })

  test('with 8-bit octets are UTF-8 where they are valid, else ISO 8859-1, each field for itself', () => {
    const fields = fieldsOf(
      Buffer.concat([
        Buffer.from('Subject: Grüße — ✉\r\n', 'utf8'),
        Buffer.from('From: Jürgen\r\n', 'latin1'),
        Buffer.from('To: plain\r\n'),
      ]),
    )

    assert.equal(fields.first('subject'), 'Grüße — ✉')
    assert.equal(fields.first('from'), 'Jürgen')
    assert.equal(fields.first('to'), 'plain')
  })

  test('keep a last character whose UTF-8 ends in 0xA0, which is a space elsewhere', () => {
    assert.equal(fieldsOf(Buffer.from('Subject: voilà \r\n', 'utf8')).first('subject'), 'voilà')
    assert.equal(fieldsOf(Buffer.from('Subject: à\r\n', 'utf8')).first('subject'), 'à')
  })

  test('of a megabyte are read whole, and so are a hundred thousand', () => {
    const long = 'x'.repeat(1024 * 1024)
    assert.equal(fieldsOf(`Subject: ${long}\r\nTo: a@b\r\n`).first('subject')?.length, long.length)

    const many = fieldsOf(Array.from({ length: 100_000 }, (_, n) => `To: ${n}\r\n`).join(''))
    assert.equal(many.all('to').length, 100_000)
    assert.equal(many.all('to')[99_999], '99999')
  })

  test('that were written come back, whatever their bodies are', () => {
    const name = fc.stringMatching(/^[!-9;-~]{1,20}$/)
    const body = fc
      .array(fc.stringMatching(/^[!-~]{1,12}$/), { minLength: 1, maxLength: 8 })
      .map((words) => words.join(' '))

    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, body), { maxLength: 10 }),
        fc.constantFrom('\r\n', '\n'),
        (all, lineEnd) => {
          const block = all
            .map(([key, value]) => `${key}: ${value.replaceAll(' ', `${lineEnd} `)}${lineEnd}`)
            .join('')

          const fields = fieldsOf(block)

          assert.equal(fields.count, all.length)
          for (const [key] of all) {
            const expected = all.filter(([other]) => other.toLowerCase() === key.toLowerCase())
            assert.deepEqual(
              fields.all(key.toLowerCase()),
              expected.map(([, value]) => value),
            )
          }
        },
      ),
    )
  })
})
