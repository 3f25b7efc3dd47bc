import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { PARSER } from '../../shared/limits.ts'
import { foldSpace } from '../../shared/mail/fold-space.ts'
import { TextPreview } from '../../shared/mail/text-preview.ts'
import { everyCut } from '../support/pieces.ts'

type Part = readonly [type: string, text: string | Buffer, charset?: string]

function previewOf(...parts: readonly Part[]) {
  const preview = new TextPreview()
  for (const [type, text, charset = 'utf-8'] of parts) {
    if (!preview.wants(type)) continue
    const sink = preview.begin(type, charset)
    sink.take(Buffer.from(text))
    sink.end()
  }
  return preview.result()
}

describe('the preview', () => {
  test('is the plain text, white space folded', () => {
    assert.deepEqual(previewOf(['text/plain', 'Dear  all,\r\n\r\n\tGrüße\u00a0\u200bund mehr\r\n']), {
      preview: 'Dear all, Grüße und mehr',
      reply: 'Dear all,\n\nGrüße und mehr',
      truncated: false,
      source: 'plain',
    })
  })

  test('is the first plain text, although HTML stands before it', () => {
    assert.equal(
      previewOf(['text/html', '<p>html'], ['text/plain', 'one'], ['text/plain', 'two']).preview,
      'one',
    )
  })

  test('is the HTML when there is no plain text, or nothing to see in it', () => {
    assert.deepEqual(previewOf(['text/plain', ' \r\n\u200b'], ['text/html', '<p>a<p>b']), {
      preview: 'a b',
      reply: 'a\nb',
      truncated: false,
      source: 'html',
    })
    assert.equal(previewOf(['text/html', '<p></p>'], ['text/html', '<p>two']).preview, 'two')
  })

  test('is nothing when there is nothing to see', () => {
    const nothing = { preview: '', truncated: false, source: 'none' }

    assert.deepEqual(previewOf(), nothing)
    assert.deepEqual(previewOf(['text/plain', ''], ['text/html', '<img>']), nothing)
  })

  test('of a charset is decoded', () => {
    assert.equal(previewOf(['text/plain', Buffer.from('f0d2c9d7c5d4', 'hex'), 'koi8-r']).preview, 'Привет')
  })

  test('is cut at the limit between characters, which is said', () => {
    const exact = 'a'.repeat(PARSER.previewCharacters)
    for (const [text, truncated] of [
      [exact, false],
      [`${exact}b`, true],
    ] as const) {
      const found = previewOf(['text/plain', text])
      assert.equal(found.preview, exact)
      assert.equal(found.truncated, truncated)
      assert.equal(found.reply, text)
    }

    const astral = previewOf(['text/plain', `a${'📦'.repeat(PARSER.previewCharacters)}`])
    assert.equal(astral.preview, `a${'📦'.repeat(PARSER.previewCharacters / 2 - 1)}`)
    assert.equal(astral.truncated, true)

    assert.equal(previewOf(['text/html', `<p>${exact}b</p>`]).truncated, true)
    assert.equal(previewOf(['text/html', `<p>${exact}</p>`]).truncated, false)
  })

  test('reads text up to its limit and no further, which is said', () => {
    const text = `${' '.repeat(PARSER.textOctets)}late`

    assert.deepEqual(previewOf(['text/plain', `a${text}`]), {
      preview: 'a',
      reply: 'a',
      truncated: true,
      source: 'plain',
    })
  })

  test('is not used up by white space before the text, in whatever pieces it comes', () => {
    const text = `${' \r\n\t'.repeat(PARSER.textOctets)}late`

    assert.equal(previewOf(['text/plain', text]).preview, 'late')
    const preview = new TextPreview()
    const sink = preview.begin('text/plain', '')
    for (let at = 0; at < text.length; at += 10_007) sink.take(Buffer.from(text.slice(at, at + 10_007)))
    sink.end()
    assert.equal(preview.result().preview, 'late')
  })

  test('is the same however the text comes, and keeps nothing of what it is lent', () => {
    const octets = Buffer.from('Grüße 📦 und mehr')
    for (const pieces of everyCut(octets)) {
      const preview = new TextPreview()
      const sink = preview.begin('text/plain', 'utf-8')
      for (const piece of pieces) {
        const lent = Buffer.from(piece)
        sink.take(lent)
        lent.fill('x')
      }
      sink.end()
      assert.equal(preview.result().preview, 'Grüße 📦 und mehr')
    }
  })

  test('of any text is one clean line within the limit', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 1500 }), (text) => {
        const { preview } = previewOf(['text/plain', text])
        assert.ok(preview.length <= PARSER.previewCharacters)
        assert.ok(preview.isWellFormed())
        assert.doesNotMatch(preview, /[\u0000-\u001f\u007f-\u009f\u2028-\u202e]|^ | $| {2}/)
      }),
    )
  })
})

describe('a long text', () => {
  for (const [type, write] of [
    ['text/plain', (text: string) => text],
    ['text/html', (text: string) => `<p>${text}</p>`],
  ] as const)
    test(`is cut to so many characters, and says so: ${type}`, () => {
      const { preview, reply, truncated } = previewOf([type, write('x'.repeat(PARSER.replyCharacters + 1))])
      assert.deepEqual(
        [preview.length, reply?.length, truncated],
        [PARSER.previewCharacters, PARSER.replyCharacters, true],
      )

      const whole = previewOf([type, write('x'.repeat(PARSER.previewCharacters))])
      assert.deepEqual([whole.preview.length, whole.truncated], [PARSER.previewCharacters, false])
    })
})

describe('white space', () => {
  test('of every kind becomes one space, and what has no width goes', () => {
    assert.equal(foldSpace(' a\u00a0\u3000\u2003\u2028b\u00adc\u034fd\u202ee\ufefff ', 100), 'a bcdef')
    assert.equal(foldSpace('می\u200cخواهم 👨\u200d👩', 100), 'می\u200cخواهم 👨\u200d👩')
  })

  test('is folded in one pass up to the length asked for', () => {
    assert.equal(foldSpace('a b c d', 3), 'a b')
    assert.equal(foldSpace('abcdef', 3), 'abc')
    assert.equal(foldSpace(`${' '.repeat(5_000_000)}a`, 3), 'a')
    assert.equal(foldSpace('a '.repeat(2_500_000), 3), 'a a')
    assert.equal(foldSpace('a b c', 10, 2), 'b c')
    assert.equal(foldSpace('a b c', 10, 0, 2), 'a')
    assert.equal(foldSpace('abcdef', 3, 1, 3), 'bc')
  })

  test('is cut before a character that the limit goes through', () => {
    assert.equal(foldSpace('ab👨c', 3), 'ab')
    assert.equal(foldSpace('a 👨c', 3), 'a ')
    assert.equal(foldSpace('ab👨c', 4), 'ab👨')
  })
})
