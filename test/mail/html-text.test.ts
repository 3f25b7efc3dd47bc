import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { htmlText } from '../../shared/mail/html-text.ts'

function textOf(html: string): string {
  return htmlText(html, 1000).text
}

describe('the text of HTML', () => {
  const TEXTS: readonly (readonly [string, string, string])[] = [
    ['plain text', 'hello', 'hello'],
    ['elements in a line are joined', 'a<b>b</b><i>c</i> d', 'abc d'],
    ['blocks stand on lines of their own', '<p>a</p><p>b</p>', 'a\nb\n'],
    ['a line break', 'a<br>b<br/>c', 'a\nb\nc'],
    ['cells are apart', '<table><tr><td>a</td><td>b</td></tr></table>', 'a b \n'],
    ['a list', '<ul><li>a<li>b</ul>', 'a\nb\n'],
    ['white space is one space', 'a \r\n\t b', 'a b'],
    ['white space between blocks is nothing', '<p> </p>\n<p>a</p>', 'a\n'],
    ['entities', 'Gr&uuml;&szlig;e &amp; more', 'Grüße & more'],
    ['tags in capitals', '<P>a</P><SCRIPT>b</SCRIPT>', 'a\n'],
    ['an end tag in other capitals', 'a<style>b</sTyLe>c<Title>d</title>e', 'ace'],
    ['attributes', '<a href="https://example.com">a</a>', 'a'],
    ['a > in an attribute', '<a title="b > c">a</a>', 'a'],
    ['a > in an attribute in single quotes', "<a title='b > c'>a</a>", 'a'],
    ['a quote in an attribute without quotes', '<a title=it"s>a</a> "b>c', 'a "b>c'],
    ['an attribute whose quote never closes', '<a title="b>a</a> c', 'a c'],
    ['scripts and styles are unseen', 'a<style>b { }</style><script>if (a < b) "</p>"</script>c', 'ac'],
    ['the title is unseen', '<html><head><title>b</title></head><body>a</body></html>', 'a\n'],
    ['a script that never closes', 'a<script>b', 'a'],
    ['a comment', 'a<!-- b > c -->d', 'ad'],
    ['an empty comment', 'a<!-->b<!--->c', 'abc'],
    ['a comment that never closes', 'a<!-- b', 'a'],
    [
      'conditional comments of Outlook',
      'a<!--[if mso]>b<![endif]-->c<!--[if !mso]><!-->d<!--<![endif]-->e',
      'acde',
    ],
    ['a declaration', '<!DOCTYPE html><?xml version="1.0"?>a', 'a'],
    ['a < that begins no tag', 'a < b, 1 <2', 'a < b, 1 <2'],
    ['a tag that never closes', 'a<b', 'a'],
    ['nothing', '', ''],
    ['tags alone', '<div><p></p></div>', ''],
  ]
  for (const [what, html, text] of TEXTS)
    test(`is what is seen: ${what}`, () => {
      assert.equal(textOf(html).replace(/^\n/, ''), text)
    })

  test('is cut at about the length asked for, which is said', () => {
    const { text, truncated } = htmlText('<p>word </p>'.repeat(100_000), 100)

    assert.ok(text.length >= 100 && text.length < 120, `${text.length}`)
    assert.equal(truncated, true)
  })

  test('is not said to be cut when only tags and white space are left', () => {
    assert.equal(htmlText(`<p>${'a'.repeat(101)}</p> </body></html>\n`, 100).truncated, false)
    assert.equal(htmlText(`<p>${'a'.repeat(101)}</p><p>b</p>`, 100).truncated, true)
    assert.equal(htmlText('<p>a</p>', 100).truncated, false)
  })

  test('takes time proportional to the length, whatever the HTML is', () => {
    // Each of these took a parser with a stack, or one that looks back, seconds to minutes.
    for (const html of [
      '<blockquote>'.repeat(400_000),
      '<ul><li>'.repeat(600_000),
      '<tr><td>&nbsp;</td></tr>'.repeat(200_000),
      '<a b="'.repeat(800_000),
      `<a b='">`.repeat(600_000),
      '<!--'.repeat(1_200_000),
      '<script><style>'.repeat(300_000),
      '<'.repeat(5_000_000),
      '< '.repeat(2_500_000),
      `&${'a'.repeat(5_000_000)}`,
      '</'.repeat(2_500_000),
    ])
      assert.ok(htmlText(html, 1000).text.length < 20_000)
  })

  test('is the text that was put into elements, whatever it is made of', () => {
    const escaped = (text: string): string =>
      text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
    const word = fc.stringMatching(/^[ -~]{0,6}[!-~]$/).map((text) => text.replaceAll(' ', '_'))
    const inline = fc.constantFrom('b', 'i class=x', 'a href="a>b"', `span title='a"b>c'`, 'font\ncolor=red')
    const block = fc.constantFrom('p', 'DIV', 'li value=1', 'blockquote type="cite"', 'h1')
    const element = (tag: string, content: string): string =>
      `<${tag}>${content}</${tag.split(/\s/)[0]}><!-- ${tag} -->`

    fc.assert(
      fc.property(fc.array(fc.tuple(block, fc.array(fc.tuple(inline, word), { minLength: 1 }))), (blocks) => {
        const html = blocks.map(([tag, words]) =>
          element(tag, words.map(([inner, text]) => element(inner, escaped(text))).join('')),
        )
        const lines = blocks.map(([, words]) => `${words.map(([, text]) => text).join('')}\n`)

        assert.equal(htmlText(html.join(''), 100_000).text, lines.join(''))
      }),
    )
  })
})
