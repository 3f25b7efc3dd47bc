import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { withoutComments } from '../../shared/mail/comments.ts'

describe('comments of a structured field', () => {
  const FIELDS: readonly (readonly [string, string, string])[] = [
    ['none', 'a b', 'a b'],
    ['one, which is white space', 'a(b)c', 'a c'],
    ['nested', 'a (b (c) d) e', 'a   e'],
    ['several', '(a)b(c)', ' b '],
    ['with a quoted pair', String.raw`a (b \) c) d`, 'a   d'],
    ['in quotes, where there is none', '"a (b)" (c)', '"a (b)"  '],
    ['after a quoted quote', String.raw`"a \" (b)" (c)`, String.raw`"a \" (b)"  `],
    ['with a quote in it', 'a (b " c) d', 'a   d'],
    ['that never closes, which stays', 'a (b', 'a (b'],
    ['that never opened', 'a) b (c)', 'a) b  '],
    ['nested, of which the outer never closes', 'a (b (c) d', 'a (b (c) d'],
  ]
  for (const [what, field, rest] of FIELDS)
    test(`go: ${what}`, () => {
      assert.equal(withoutComments(field), rest)
    })
})
