import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Bounds, cut, oneLine } from '../../shared/mail/clean-text.ts'

describe('text for one line', () => {
  test('has spaces for line breaks, no controls, and whole characters', () => {
    assert.equal(oneLine(' a\r\n\tb\u2028c\u0085d '), 'a b c d')
    assert.equal(oneLine('a\u0000b\u001b[31mc\u007f\u009b'), 'ab[31mc')
    assert.equal(oneLine('a\ud83db'), 'a\ufffdb')
    assert.equal(oneLine('Grüße 📦'), 'Grüße 📦')
  })

  test('has neither of them, whatever it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.doesNotMatch(oneLine(text), /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
        assert.ok(oneLine(text).isWellFormed())
      }),
    )
  })
})

describe('a cut', () => {
  test('leaves at most so many UTF-16 units, and no half of a character', () => {
    assert.equal(cut('abc', 3), 'abc')
    assert.equal(cut('abcd', 3), 'abc')
    assert.equal(cut('ab📦', 3), 'ab')
    assert.equal(cut('ab📦', 4), 'ab📦')
    assert.equal(cut('a📦b', 3), 'a📦')
  })

  test('is remembered, whatever was cut', () => {
    const text = new Bounds()
    assert.equal(text.text('abc', 3), 'abc')
    assert.equal(text.exceeded, false)
    assert.equal(text.text('abcd', 3), 'abc')
    assert.equal(text.exceeded, true)

    const list = new Bounds()
    assert.deepEqual(list.list([1, 2], 2), [1, 2])
    assert.equal(list.exceeded, false)
    assert.deepEqual(list.list([1, 2, 3], 2), [1, 2])
    assert.equal(list.exceeded, true)
    list.text('', 3)
    assert.equal(list.exceeded, true)
  })
})
