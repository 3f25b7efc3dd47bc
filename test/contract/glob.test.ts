import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { matchesAnyGlob, matchesGlob } from '../../shared/contract/glob.ts'

describe('a glob', () => {
  const table: [pattern: string, value: string, matches: boolean][] = [
    ['INBOX', 'INBOX', true],
    ['INBOX', 'INBOX/2026', false],
    ['inbox', 'InBoX', true],
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['?', '', false],
    ['?', 'a', true],
    ['?', 'ab', false],
    ['invoices@*', 'Invoices@example.com', true],
    ['*@supplier.example', 'billing@supplier.example', true],
    ['*@supplier.example', 'billing@supplier.example.evil', false],
    ['application/*', 'application/pdf', true],
    ['*/xml', 'text/xml', true],
    ['*/xml', 'text/xml+zip', false],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'axxbyy', false],
    ['*ab', 'aab', true],
    ['**a', 'bba', true],
    ['a**', 'a', true],
    ['a?c*', 'abc', true],
    ['?', '\u{1f4e7}', true],
    ['?', '\ud83d', true],
    ['STRASSE*', 'straße 1', false],
    ['ÜBER*', 'überweisung', true],
    ['caf\u00e9', 'cafe\u0301', true],
    ['?stanbul', '\u0130stanbul', true],
    ['[a-c].(x)+', '[a-c].(x)+', true],
    ['[a-c]', 'b', false],
    ['a.c', 'abc', false],
    ['\\*', '\\anything', true],
    ['a*', 'a\nb', true],
  ]
  for (const [pattern, value, matches] of table)
    test(`${JSON.stringify(pattern)} ${matches ? 'matches' : 'does not match'} ${JSON.stringify(value)}`, () => {
      assert.equal(matchesGlob(pattern, value), matches)
    })

  test('agrees with the regular expression that it stands for', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'C'), maxLength: 12 })
    const pattern = fc.string({ unit: fc.constantFrom('a', 'B', 'c', '*', '?'), maxLength: 8 })
    fc.assert(
      fc.property(pattern, letters, (glob, value) => {
        const expression = new RegExp(`^${glob.replaceAll('*', '[^]*').replaceAll('?', '[^]')}$`, 'iu')
        assert.equal(matchesGlob(glob, value), expression.test(value))
      }),
      { numRuns: 3000 },
    )
  })

  test('costs no more than the product of the lengths, however hostile pattern and value are', () => {
    // A backtracking matcher would need more steps than there are atoms for the first of these.
    assert.equal(matchesGlob(`${'a*'.repeat(500)}b`, 'a'.repeat(20_000)), false)
    assert.equal(matchesGlob(`${'*a?'.repeat(300)}*b`, 'a'.repeat(20_000)), false)
    assert.equal(matchesGlob('*'.repeat(10_000), 'a'.repeat(20_000)), true)
  })

  test('of a list matches when any pattern matches any value', () => {
    assert.equal(matchesAnyGlob(['x*', 'b?'], ['a', 'bb']), true)
    assert.equal(matchesAnyGlob('b', ['a', 'b']), true)
    assert.equal(matchesAnyGlob(['b'], []), false)
  })
})
