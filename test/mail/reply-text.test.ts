import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { replyText } from '../../shared/mail/reply-text.ts'

const TEXTS: readonly (readonly [what: string, lines: readonly string[], reply: readonly string[]])[] = [
  ['a letter without a quotation', ['Dear all,', '', 'see you.'], ['Dear all,', '', 'see you.']],
  [
    'above a quotation',
    ['Yes, please.', '', 'On Mon, Nov 30, 2026 at 9:00 AM Ann <ann@a.example> wrote:', '> Shall I?'],
    ['Yes, please.'],
  ],
  [
    'above a quotation whose introduction is folded',
    [
      'Ja.',
      '',
      'Am Mo., 30. Nov. 2026 um 09:00 Uhr schrieb Ann',
      '<ann@a.example>',
      'und andere:',
      '> Soll ich?',
    ],
    ['Ja.', '', 'Am Mo., 30. Nov. 2026 um 09:00 Uhr schrieb Ann'],
  ],
  [
    'above a quotation whose introduction is folded once',
    ['Ja.', '', 'Am 30.11.2026 schrieb Ann <ann@a.example>', 'folgendes:', '> Soll ich?'],
    ['Ja.'],
  ],
  [
    'between quotations',
    ['Ann wrote:', '> one?', 'Yes.', '>> two?', '> three?', 'No:', 'never.'],
    ['Yes.', 'No:', 'never.'],
  ],
  ['with the colon of a list', ['We need:', '', '- paper'], ['We need:', '', '- paper']],
  ['above a signature', ['Hello.', '', '-- ', 'Ann', 'Acme'], ['Hello.']],
  ['above a signature without its space', ['Hello.', '--', 'Ann'], ['Hello.']],
  ['above what Outlook quotes', ['Fine.', '', '-----Original Message-----', 'From: Ann'], ['Fine.']],
  ['the same in German', ['Gut.', '-----Ursprüngliche Nachricht-----', 'Von: Ann'], ['Gut.']],
  ['above the rule of Outlook', ['Fine.', '________________________________', 'From: Ann'], ['Fine.']],
  ['above what is forwarded', ['FYI', '---------- Forwarded message ---------', 'From: Ann'], ['FYI']],
  ['with a line of dashes', ['one', '----------', 'two'], ['one', '----------', 'two']],
  ['with many empty lines', ['', '', 'a', '', '', '', 'b', ''], ['a', '', 'b']],
  ['nothing but a quotation', ['> all of it', '>', '> again'], []],
  ['with CRLF and spaces', ['a   b \r', '> c\r', '-- \r', 'd\r'], ['a b']],
]

describe('the text of a reply', () => {
  for (const [what, lines, reply] of TEXTS)
    test(`is ${what}`, () => {
      assert.equal(replyText(lines.join('\n'), 1000), reply.join('\n'))
    })

  test('is cut at the limit', () => {
    assert.equal(replyText('a b '.repeat(1000), 10), 'a b a b a')
    assert.equal(replyText(Array(1000).fill('abc').join('\n'), 10), 'abc\nabc\nab')
  })

  test('has no line of a quotation, no control and not more than was asked for, whatever the text is', () => {
    const line = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('> q', '>', 'x wrote:', '', '-- ', '---- a ----', '_'.repeat(30), 'a@b:'),
    )
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), fc.nat({ max: 60 }), (lines, most) => {
        const reply = replyText(lines.map((text) => text.replaceAll('\n', '')).join('\n'), most)
        assert.ok(reply.length <= most)
        assert.doesNotMatch(reply, /^> q|[\u0000-\u0009\u000b-\u001f]/m)
      }),
      { numRuns: 2000 },
    )
  })

  test('takes time in proportion to a hostile text', () => {
    for (const piece of ['-', '_', ' ', '>\n', ':\n', '-- ', '- ', 'a:\n>\n', '\t-'])
      replyText(piece.repeat(Math.ceil(250_000 / piece.length)), 2000)
  })
})

describe('the reply of a message', () => {
  const html = (body: string): Buffer =>
    Buffer.from(`Content-Type: text/html\r\n\r\n<html><body>${body}</body></html>`)

  const PROGRAMS: readonly (readonly [program: string, quotation: string])[] = [
    [
      'Gmail',
      '<div class="gmail_quote"><div class="gmail_attr">On 30 Nov Ann wrote:<br></div><blockquote class="gmail_quote">old</blockquote></div>',
    ],
    ['Apple Mail', '<div>Am 30.11.2026 um 09:00 schrieb Ann:</div><blockquote type="cite">old</blockquote>'],
    [
      'Thunderbird',
      '<div class="moz-cite-prefix">On 30.11.26 Ann wrote:<br></div><blockquote type="cite">old</blockquote>',
    ],
    ['Outlook', '<div id="divRplyFwdMsg"><b>From:</b> Ann</div><div>old</div>'],
  ]
  for (const [program, quotation] of PROGRAMS)
    test(`in HTML of ${program} is what stands above the quotation`, async () => {
      const { text } = await parseMessage(html(`<p>Yes.</p><p>Tomorrow?</p>${quotation}`))

      assert.equal(text.reply, 'Yes.\nTomorrow?')
      assert.match(text.preview, /old/)
    })

  test('in HTML may have a quotation that is its own', async () => {
    const { text } = await parseMessage(html('<p>He said</p><blockquote>nothing</blockquote>'))

    assert.equal(text.reply, 'He said\nnothing')
  })

  test('in plain text keeps its lines, which the preview folds', async () => {
    const { text } = await parseMessage(Buffer.from('\r\none\r\ntwo\r\n> three\r\n'))

    assert.equal(text.reply, 'one\ntwo')
    assert.equal(text.preview, 'one two > three')
  })

  test('of a message without text is not there', async () => {
    assert.equal((await parseMessage(Buffer.from('Subject: x\r\n\r\n'))).text.reply, undefined)
  })
})
