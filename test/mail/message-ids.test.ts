import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PARSER } from '../../shared/limits.ts'
import { Bounds } from '../../shared/mail/clean-text.ts'
import { boundIds, messageIds } from '../../shared/mail/message-ids.ts'

describe('message ids', () => {
  const FIELDS: readonly (readonly [string, string, readonly string[]])[] = [
    ['one', '<a@b>', ['a@b']],
    ['several', '<a@b> <c@d>\t<e@f>', ['a@b', 'c@d', 'e@f']],
    ['without white space between them', '<a@b><c@d>', ['a@b', 'c@d']],
    ['with commas between them', '<a@b>, <c@d>', ['a@b', 'c@d']],
    ['with white space in one, left by a fold', '<a\t@b .c>', ['a@b.c']],
    ['without an at sign', '<abc>', ['abc']],
    ['with a comma in it', '<a,b@c>', ['a,b@c']],
    ['among words, as old mailers write', 'Message from ada <a@b> of Tue', ['a@b']],
    ['without brackets', 'a@b', ['a@b']],
    ['without brackets, several', 'a@b c@d', ['a@b', 'c@d']],
    ['without brackets, among words', 'Your message of Tue, a@b', ['a@b']],
    ['one word without an at sign', 'abc', ['abc']],
    ['words alone', 'Your message of Tuesday', []],
    ['a bracket that never closes', '<a@b', ['a@b']],
    ['a bracket that never opens', 'a@b>', ['a@b']],
    ['empty brackets', '<>', []],
    ['nothing', '', []],
    ['controls in it', '<a\u0000\u001b@b>', ['a@b']],
  ]
  for (const [what, field, ids] of FIELDS)
    test(`are found: ${what}`, () => {
      assert.deepEqual(messageIds(field), ids)
    })

  test('above the limit are the first, which names the thread, and the latest', () => {
    const ids = Array.from({ length: PARSER.references + 5 }, (_, number) => `${number}@b`)
    const bounds = new Bounds()

    const kept = boundIds(ids, bounds)

    assert.equal(kept.length, PARSER.references)
    assert.equal(kept[0], '0@b')
    assert.equal(kept[1], '6@b')
    assert.equal(kept.at(-1), `${PARSER.references + 4}@b`)
    assert.equal(bounds.exceeded, true)
  })

  test('of kilobytes are cut, which is said', () => {
    const bounds = new Bounds()

    assert.equal(boundIds([`${'a'.repeat(5000)}@b`], bounds)[0]?.length, PARSER.headerCharacters)
    assert.equal(bounds.exceeded, true)
  })

  test('within the limits are kept as they are', () => {
    const bounds = new Bounds()
    const ids = Array.from({ length: PARSER.references }, (_, number) => `${number}@b`)

    assert.deepEqual(boundIds(ids, bounds), ids)
    assert.deepEqual(boundIds([], bounds), [])
    assert.equal(bounds.exceeded, false)
  })
})
