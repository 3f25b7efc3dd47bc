import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { lexAddressList } from '../../shared/mail/address-lexer.ts'

/** One line for each entry: words (a space before those that had white space before them), comment, brackets, group. */
function lexed(list: string): string[] {
  return [...lexAddressList(list)].map((entry) => {
    if ('emptyGroup' in entry) return `empty group ${entry.emptyGroup}`
    const words = entry.words.map(
      ({ quoted, text, spaced }) => `${spaced ? ' ' : ''}${quoted ? `[${text}]` : text}`,
    )
    return [
      words.join('|'),
      entry.comment && `comment ${entry.comment}`,
      entry.angle !== undefined && `angle ${entry.angle}`,
      entry.group !== undefined && `group ${entry.group}`,
    ]
      .filter(Boolean)
      .join('; ')
  })
}

describe('an address list is split into entries', () => {
  const LEXED: readonly (readonly [string, string, readonly string[]])[] = [
    ['nothing', '', []],
    ['separators alone', ' , ,; ,', []],
    ['addresses', 'a@b, c@d', ['a@b', ' c@d']],
    ['semicolons between addresses', 'a@b; c@d;', ['a@b', ' c@d']],
    ['a phrase and brackets', 'Ada Example <ada@example.net>', ['Ada| Example; angle ada@example.net']],
    ['brackets without white space', 'Ada<ada@example.net>', ['Ada; angle ada@example.net']],
    ['a comma in quotes', '"Bob, Ltd." <bob@example.net>', ['[Bob, Ltd.]; angle bob@example.net']],
    ['a quoted pair', String.raw`"a \"b\" \\" <c@d>`, [String.raw`[a "b" \]; angle c@d`]],
    ['quotes that never close', '"Ada <ada@b>, c@d', ['[Ada <ada@b>, c@d]']],
    ['a comma in brackets', '<a,b@c>, d@e', ['angle a,b@c', ' d@e']],
    ['a bracket in quotes in brackets', '<"a>b"@c>', ['angle "a>b"@c']],
    ['brackets that never close', 'Ada <ada@b, c@d', ['Ada; angle ada@b, c@d']],
    ['a comment for a name', 'ada@b (Ada (the first) Example)', ['ada@b; comment Ada (the first) Example']],
    [
      'a comment in between',
      'Ada (the first) Example <ada@b>',
      ['Ada| Example; comment the first; angle ada@b'],
    ],
    ['two comments', 'ada@b (one) (two)', ['ada@b; comment one two']],
    [
      'a comma and a quoted pair in a comment',
      String.raw`ada@b (one, \) two)`,
      [String.raw`ada@b; comment one, \) two`],
    ],
    ['an encoded word with commas', '=?utf-8?q?a,b?= <c@d>', ['=?utf-8?q?a,b?=; angle c@d']],
    ['a domain literal', 'ada@[192.0.2.1]', ['ada@|[192.0.2.1]']],
    [
      'an IPv6 literal, whose colons are none',
      'ada@[IPv6:2001:db8::1], c@d',
      ['ada@|[IPv6:2001:db8::1]', ' c@d'],
    ],
    ['a group', 'Team: a@b, C <c@d>;', [' a@b; group Team', ' C; angle c@d; group Team']],
    ['a group of a phrase', 'The "A, B" team: a@b;', [' a@b; group The A, B team']],
    ['an empty group', 'undisclosed-recipients:;', ['empty group undisclosed-recipients']],
    ['a group that never ends', 'Team: a@b', [' a@b; group Team']],
    [
      'an empty group with comments (RFC 5322, A.5)',
      '(Empty list)(start)Undisclosed  :(nobody(that I know))  ;',
      ['empty group Undisclosed'],
    ],
    ['a comment alone', '(nobody)', ['comment nobody']],
    ['an empty group that never ends', 'Team:', ['empty group Team']],
    ['an address after a group', 'Team: a@b; c@d', [' a@b; group Team', ' c@d']],
    ['a group after an address', 'a@b, Team: c@d;', ['a@b', ' c@d; group Team']],
    ['a colon after an address', 'a@b: c@d', ['a@b|:| c@d']],
    ['a colon first', ': a@b', [':| a@b']],
  ]
  for (const [what, list, entries] of LEXED)
    test(what, () => {
      assert.deepEqual(lexed(list), entries)
    })

  test('and no octet of a word is lost or made up, whatever the list is', () => {
    const piece = fc.constantFrom(
      ...'a @ . , ; : < > ( ) " \\ [ ] = ? é'.split(' '),
      ' ',
      '=?utf-8?q?a,b?=',
      'ab@c',
    )

    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const list = pieces.join('')
        for (const entry of lexAddressList(list)) {
          if ('emptyGroup' in entry) continue
          for (const { raw } of entry.words)
            assert.ok(raw.length > 0 && list.includes(raw), `${raw} in ${list}`)
          if (entry.angle !== undefined) assert.ok(list.includes(`<${entry.angle}`))
        }
      }),
      { numRuns: 1000 },
    )
  })
})
