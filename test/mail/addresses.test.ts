import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Address } from '../../shared/contract/event.ts'
import { PARSER } from '../../shared/limits.ts'
import { parseAddresses } from '../../shared/mail/addresses.ts'
import { Bounds } from '../../shared/mail/clean-text.ts'

function parse(...fields: readonly string[]): Address[] {
  return parseAddresses(fields, new Bounds())
}

describe('addresses', () => {
  const VALID: readonly (readonly [string, string, readonly Address[]])[] = [
    ['an address alone', 'ada@example.net', [{ address: 'ada@example.net' }]],
    ['in brackets', '<ada@example.net>', [{ address: 'ada@example.net' }]],
    ['with a name', 'Ada Example <ada@example.net>', [{ name: 'Ada Example', address: 'ada@example.net' }]],
    ['with a quoted name', '"Bob, Ltd." <bob@b.example>', [{ name: 'Bob, Ltd.', address: 'bob@b.example' }]],
    ['with quoted pairs', String.raw`"a \"b\" c" <d@e>`, [{ name: 'a "b" c', address: 'd@e' }]],
    ['with a name of words and quotes', 'The "A" Team <a@b>', [{ name: 'The A Team', address: 'a@b' }]],
    ['with a dot in the name', 'John Q. Public <j@p>', [{ name: 'John Q. Public', address: 'j@p' }]],
    [
      'with the name as a comment',
      'ada@example.net (Ada Example)',
      [{ name: 'Ada Example', address: 'ada@example.net' }],
    ],
    ['with a name beside a comment', 'Ada <ada@b> (work)', [{ name: 'Ada', address: 'ada@b' }]],
    ['with an encoded name', '=?utf-8?q?J=C3=BCrgen?= <j@b>', [{ name: 'Jürgen', address: 'j@b' }]],
    [
      'with an encoded name of two words',
      '=?utf-8?q?J=C3?= =?utf-8?q?=BCrgen?= <j@b>',
      [{ name: 'Jürgen', address: 'j@b' }],
    ],
    [
      'with an encoded name in quotes',
      '"=?utf-8?b?SsO8cmdlbg==?=" <j@b>',
      [{ name: 'Jürgen', address: 'j@b' }],
    ],
    [
      'with a comma in an encoded name',
      '=?utf-8?q?M=C3=BCller,_J.?= <j@b>',
      [{ name: 'Müller, J.', address: 'j@b' }],
    ],
    [
      'in UTF-8 (RFC 6532)',
      'Jürgen <jürgen@müller.example>',
      [{ name: 'Jürgen', address: 'jürgen@müller.example' }],
    ],
    ['with a quoted local part', '"ada lovelace"@example.net', [{ address: '"ada lovelace"@example.net' }]],
    ['with an at sign in the local part', '<"a@b"@example.net>', [{ address: '"a@b"@example.net' }]],
    ['with a domain literal', 'ada@[192.0.2.1]', [{ address: 'ada@[192.0.2.1]' }]],
    ['with an IPv6 literal in brackets', '<ada@[IPv6:2001:db8::1]>', [{ address: 'ada@[IPv6:2001:db8::1]' }]],
    ['of a bounce address', '<bounce+a=b.example@c.example>', [{ address: 'bounce+a=b.example@c.example' }]],
    [
      'with an equals sign, without brackets',
      'bounce+a=b.example@c.example',
      [{ address: 'bounce+a=b.example@c.example' }],
    ],
    [
      'several',
      'a@b, "C, D" <c@d>,, e@f',
      [{ address: 'a@b' }, { name: 'C, D', address: 'c@d' }, { address: 'e@f' }],
    ],
    [
      'a group',
      'Team: a@b, C <c@d>;',
      [
        { address: 'a@b', group: 'Team' },
        { name: 'C', address: 'c@d', group: 'Team' },
      ],
    ],
    ['an empty group', 'undisclosed-recipients:;', [{ group: 'undisclosed-recipients' }]],
    ['a group with an encoded name', '=?utf-8?q?=C3=A9quipe?=: a@b;', [{ address: 'a@b', group: 'équipe' }]],
    [
      'a group beside addresses',
      'a@b, Team: c@d;, e@f',
      [{ address: 'a@b' }, { address: 'c@d', group: 'Team' }, { address: 'e@f' }],
    ],
  ]
  for (const [what, field, addresses] of VALID)
    test(`are read: ${what}`, () => {
      assert.deepEqual(parse(field), addresses)
    })

  const OBSOLETE: readonly (readonly [string, string, readonly Address[]])[] = [
    ['a source route', '<@a.example,@b.example:ada@c.example>', [{ address: 'ada@c.example' }]],
    ['white space around dots', 'jdoe@test   . example', [{ address: 'jdoe@test.example' }]],
    [
      'white space around the at sign in brackets',
      'Ada < ada @ example . net >',
      [{ name: 'Ada', address: 'ada@example.net' }],
    ],
    [
      'comments in brackets',
      'Pete <pete(his account)@silly.test(his host)>',
      [{ name: 'Pete', address: 'pete@silly.test' }],
    ],
    [
      'comments without brackets',
      'ada (the first) @ example.net',
      [{ name: 'the first', address: 'ada@example.net' }],
    ],
    ['empty entries', 'a@b,,  , c@d ,', [{ address: 'a@b' }, { address: 'c@d' }]],
  ]
  for (const [what, field, addresses] of OBSOLETE)
    test(`are read in obsolete syntax (RFC 5322, 4.4): ${what}`, () => {
      assert.deepEqual(parse(field), addresses)
    })

  const INVALID: readonly (readonly [string, string, readonly Address[]])[] = [
    ['a local part alone', 'root', [{ address: 'root', invalid: true }]],
    ['a local part in brackets', 'Root <root>', [{ name: 'Root', address: 'root', invalid: true }]],
    ['two at signs', '<a@b@c>', [{ address: 'a@b@c', invalid: true }]],
    ['dots side by side', '<a..b@c>', [{ address: 'a..b@c', invalid: true }]],
    ['a dot at the end', '<a.@b.>', [{ address: 'a.@b.', invalid: true }]],
    ['empty brackets', 'Ada <>', [{ name: 'Ada', invalid: true }]],
    ['nothing in brackets', '<>', [{ invalid: true }]],
    [
      'a space in brackets',
      '<ada lovelace@example.net>',
      [{ address: 'ada lovelace@example.net', invalid: true }],
    ],
    [
      'a name before an address without brackets',
      'Big Bug bug@example.net',
      [{ name: 'Big Bug', address: 'bug@example.net', invalid: true }],
    ],
    [
      'a name after it',
      'bug@example.net Big Bug',
      [{ name: 'Big Bug', address: 'bug@example.net', invalid: true }],
    ],
    ['a name alone', 'Ada Example', [{ name: 'Ada Example', invalid: true }]],
    ['a quoted name alone', '"Ada"', [{ name: 'Ada', invalid: true }]],
    ['an encoded word alone', '=?utf-8?q?=C3=A9?=', [{ name: 'é', invalid: true }]],
    ['brackets that never close', 'Ada <ada@example.net', [{ name: 'Ada', address: 'ada@example.net' }]],
  ]
  for (const [what, field, addresses] of INVALID)
    test(`that follow no standard are kept as they are${addresses[0]?.invalid ? ' and marked' : ''}: ${what}`, () => {
      assert.deepEqual(parse(field), addresses)
    })

  test('of several fields come together, in order', () => {
    assert.deepEqual(parse('a@b', '', 'c@d'), [{ address: 'a@b' }, { address: 'c@d' }])
  })

  test('cannot bring a line break or a control into an event', () => {
    const [address] = parse('=?utf-8?q?a=0D=0Ab=00?= <c\u0000d@e\u202e>')

    assert.equal(address?.name, 'a b')
    assert.equal(address?.address, 'cd@e\u202e')
  })

  test('are cut at the limits, which is said', () => {
    const many = new Bounds()
    assert.equal(
      parseAddresses(
        [
          Array(PARSER.addresses + 1)
            .fill('a@b')
            .join(','),
        ],
        many,
      ).length,
      PARSER.addresses,
    )
    assert.equal(many.exceeded, true)

    const few = new Bounds()
    assert.equal(
      parseAddresses([Array(PARSER.addresses).fill('a@b').join(',')], few).length,
      PARSER.addresses,
    )
    assert.equal(few.exceeded, false)

    const long = new Bounds()
    const [address] = parseAddresses([`${'n'.repeat(3000)} <${'a'.repeat(3000)}@b>`], long)
    assert.equal(address?.name?.length, PARSER.headerCharacters)
    assert.equal(address?.address?.length, PARSER.headerCharacters)
    assert.equal(long.exceeded, true)
  })

  test('that were written in any form of the standard come back, none marked', () => {
    const atom = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+/?^_`{|}~-]{1,8}$/)
    const dotAtom = fc.array(atom, { minLength: 1, maxLength: 3 }).map((atoms) => atoms.join('.'))
    const quoted = fc.stringMatching(/^[ -~]{0,12}$/).map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`)
    const domain = fc.oneof(dotAtom, fc.constant('[192.0.2.1]'))
    const address = fc.tuple(fc.oneof(dotAtom, quoted), domain).map((parts) => parts.join('@'))
    const name = fc.oneof(atom, quoted)

    fc.assert(
      fc.property(fc.array(fc.tuple(fc.option(name), address), { maxLength: 6 }), (mailboxes) => {
        const list = mailboxes
          .map(([phrase, spec]) => (phrase === null ? spec : `${phrase} <${spec}>`))
          .join(', ')

        const parsed = parse(list)

        assert.deepEqual(
          parsed.map(({ address, invalid }) => [address, invalid]),
          mailboxes.map(([, spec]) => [spec, undefined]),
        )
      }),
      { numRuns: 500 },
    )
  })

  test('are read in time proportional to their length, whatever they are made of', () => {
    // Each of these took minutes in a parser that looks back: an attack, not a slow machine, makes this test hang.
    for (const field of [
      `<a${' '.repeat(120_000)}b>`,
      `${'x '.repeat(30_000)}a@b ${': '.repeat(30_000)}`,
      '('.repeat(120_000),
      '"\\'.repeat(60_000),
      '<'.repeat(120_000),
      '=?a?q?'.repeat(20_000),
    ])
      assert.ok(parse(field).length <= PARSER.addresses)
  })
})
