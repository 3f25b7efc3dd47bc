import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type FetchRow, FetchRowReader, isFetchRow } from '../../shared/mailbox/imap-fetch-row.ts'

const LIMITS = { tokens: 1_000, depth: 5 }

/** Reads a response given as lines and literals by turns. */
function read(...parts: readonly string[]): { row: FetchRow | undefined; bodies: string[] } {
  const reader = new FetchRowReader(LIMITS)
  const bodies: string[] = []
  parts.forEach((part, index) => {
    if (index % 2 === 0) reader.line(part)
    else if (reader.awaitsBody) {
      reader.bodyIsLiteral()
      bodies.push(part)
    } else reader.literal(Buffer.from(part, 'latin1'))
  })
  return { row: reader.end(), bodies }
}

describe('a row of FETCH', () => {
  test('is told from every other response', () => {
    for (const line of ['* 1 FETCH (UID 1)', '* 12 fetch (']) assert.ok(isFetchRow(line), line)
    for (const line of ['* 1 FETCHED (', '* FETCH (', '* 1 EXISTS', '1 FETCH (', '* OK 1 FETCH ('])
      assert.ok(!isFetchRow(line), line)
  })

  test('has its data items in any order and any case, and the message as a literal', () => {
    const { row, bodies } = read(
      '* 3 FETCH (flags (\\Seen $Label) body[] ',
      'hello',
      ' Uid 7 RFC822.SIZE 5 INTERNALDATE " 1-Feb-2026 10:00:00 +0200")',
    )
    assert.equal(row?.uid, 7)
    assert.equal(row.body, 'literal')
    assert.deepEqual(bodies, ['hello'])
    assert.deepEqual(row.items.get('FLAGS'), ['\\Seen', '$Label'])
    assert.equal(row.items.get('RFC822.SIZE'), '5')
    assert.equal(row.items.get('INTERNALDATE'), ' 1-Feb-2026 10:00:00 +0200')
  })

  test('takes for the message only what BODY[] announces, not what is inside of something else', () => {
    const { row, bodies } = read(
      '* 1 FETCH (UID 1 X-GM-LABELS ("BODY[]" BODY[] ',
      'a label',
      ' "q\\"\\\\") BODY[HEADER.FIELDS (X)] ',
      'X: 1',
      ' BODY[] ',
      'hello',
      ')',
    )
    assert.deepEqual(bodies, ['hello'])
    assert.deepEqual(row?.items.get('X-GM-LABELS'), ['BODY[]', 'BODY[]', 'a label', 'q"\\'])
    assert.equal(row?.items.get('BODY[HEADER.FIELDS (X)]'), 'X: 1')
  })

  test('may give the message as NIL, as a quoted string, from its begin, or not at all', () => {
    assert.equal(read('* 1 FETCH (UID 1 BODY[] NIL)').row?.body, null)
    assert.deepEqual(read('* 1 FETCH (UID 1 BODY[] "a\xfc")').row?.body, Buffer.from('a\xfc', 'latin1'))
    assert.deepEqual(read('* 1 FETCH (UID 1 BODY[]<0> ', 'x', ')').bodies, ['x'])
    assert.equal(read('* 1 FETCH (UID 1 FLAGS ())').row?.body, undefined)
    assert.deepEqual(read('* 1 FETCH (UID 1 BODY[]<5> ', 'x', ')').bodies, [])
  })

  test('has the message once: a second one is no message', () => {
    assert.deepEqual(read('* 1 FETCH (UID 1 BODY[] ', 'one', ' BODY[] ', 'two', ')').bodies, ['one'])
  })

  test('is none without a UID, with a broken list, with a string without end, or with something behind it', () => {
    for (const line of [
      '* 1 FETCH (FLAGS ())',
      '* 1 FETCH (UID 0)',
      '* 1 FETCH (UID 4294967296)',
      '* 1 FETCH (UID 1e1)',
      '* 1 FETCH (UID 1',
      '* 1 FETCH (UID 1))',
      '* 1 FETCH (UID 1 FLAGS (\\Seen)',
      '* 1 FETCH (UID 1 X "y)',
      '* 1 FETCH (UID 1) (UID 2)',
      '* 1 FETCH (UID 1) x',
    ])
      assert.equal(read(line).row, undefined, line)
  })

  test('is none beyond its limits of strings and nesting', () => {
    assert.ok(read(`* 1 FETCH (UID 1 X ${'('.repeat(4)}${')'.repeat(4)})`).row)
    assert.equal(read(`* 1 FETCH (UID 1 X ${'('.repeat(5)}${')'.repeat(5)})`).row, undefined)
    assert.ok(read(`* 1 FETCH (UID 1 X (${'a '.repeat(900)}))`).row)
    assert.equal(read(`* 1 FETCH (UID 1 X (${'a '.repeat(1_000)}))`).row, undefined)
    const literals = Array.from({ length: 1_100 }, () => ['', 'x']).flat()
    assert.equal(read('* 1 FETCH (UID 1 X (', ...literals, '))').row, undefined)
  })

  test('is read in one go, however long a string in it is', () => {
    const text = 'x'.repeat(1024 * 1024)
    assert.equal(read(`* 1 FETCH (UID 1 X "${text}")`).row?.items.get('X'), text)
    assert.equal(
      read(`* 1 FETCH (UID 1 X "${'\\"'.repeat(500_000)}")`).row?.items.get('X'),
      '"'.repeat(500_000),
    )
    assert.equal(read(`* 1 FETCH (UID 1 X "${text})`).row, undefined)
  })
})
