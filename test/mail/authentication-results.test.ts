import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readAuthenticationResults, trustedResults } from '../../shared/mail/authentication-results.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'

// Fields as they are in RFC 8601, appendix B, and in mail of Gmail and Microsoft 365.

const GMAIL =
  'mx.google.com; dkim=pass header.i=@shop.example header.s=s1 header.b=abcdEFgh; spf=pass (google.com: domain of a@shop.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=a@shop.example; dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=shop.example'
const MICROSOFT =
  'spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=shop.example; dkim=fail (body hash did not verify) header.d=shop.example;dmarc=pass action=none header.from=shop.example;compauth=pass reason=100'

describe('Authentication-Results', () => {
  test('of Gmail are read: methods, results and properties, comments left out', () => {
    assert.deepEqual(readAuthenticationResults(GMAIL), {
      authservId: 'mx.google.com',
      results: [
        {
          method: 'dkim',
          result: 'pass',
          properties: { 'header.i': '@shop.example', 'header.s': 's1', 'header.b': 'abcdEFgh' },
        },
        { method: 'spf', result: 'pass', properties: { 'smtp.mailfrom': 'a@shop.example' } },
        { method: 'dmarc', result: 'pass', properties: { 'header.from': 'shop.example' } },
      ],
    })
  })

  test('of Microsoft 365, which name no server, are read', () => {
    const { authservId, results } = readAuthenticationResults(MICROSOFT)

    assert.equal(authservId, '')
    assert.deepEqual(
      results.map(({ method, result }) => `${method} ${result}`),
      ['spf pass', 'dkim fail', 'dmarc pass', 'compauth pass'],
    )
    assert.equal(results[3]?.reason, '100')
  })

  const FIELDS: readonly (readonly [what: string, field: string, results: readonly string[]])[] = [
    ['nothing done', 'example.org 1; none', []],
    ['versions', 'example.org 1; dkim/1 = pass header.d = a.example', ['dkim pass header.d=a.example']],
    [
      'a semicolon and an equals sign in quotes',
      'example.org; dkim=fail reason="a;b=c" header.d="a.example"',
      ['dkim fail a;b=c header.d=a.example'],
    ],
    [
      'a quote in quotes',
      String.raw`example.org; dkim=fail reason="a\"; spf=pass b" header.d=a.example`,
      ['dkim fail a"; spf=pass b header.d=a.example'],
    ],
    ['comments everywhere', '(a) example.org (b); (c) spf (d)=(e) pass (f)', ['spf pass']],
    ['capitals', 'example.org; SPF=Pass', ['spf pass']],
    ['what is no result', 'example.org; spf; =pass; dkim=; ;', []],
  ]
  for (const [what, value, results] of FIELDS)
    test(`are read with ${what}`, () => {
      assert.deepEqual(
        readAuthenticationResults(value).results.map(({ method, result, reason, properties }) =>
          [method, result, reason, ...Object.entries(properties).map(([name, text]) => `${name}=${text}`)]
            .filter(Boolean)
            .join(' '),
        ),
        results,
      )
    })

  test('of any octets are read without an error, in time proportional to them', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (value) => void readAuthenticationResults(value)))
    for (const piece of ['(', '"', ';', '=', '\\', ' ', '; a=b', '\t='])
      readAuthenticationResults(piece.repeat(2000))
  })
})

describe('the results that are trusted', () => {
  const FORGED = 'mx.google.com; spf=pass smtp.mailfrom=bank.example; dmarc=pass header.from=bank.example'

  test('are those of the topmost field with the id: what a sender wrote below it is not looked at', () => {
    const genuine = 'mx.google.com; spf=fail smtp.mailfrom=evil.example'

    assert.deepEqual(trustedResults([genuine, FORGED], 'MX.Google.com')?.results, [
      { method: 'spf', result: 'fail', properties: { 'smtp.mailfrom': 'evil.example' } },
    ])
  })

  test('are none when another server wrote all fields', () => {
    assert.equal(trustedResults(['mx.evil.example; dmarc=pass', MICROSOFT], 'mx.google.com'), undefined)
    assert.equal(trustedResults([], 'mx.google.com'), undefined)
    assert.equal(trustedResults([GMAIL], undefined), undefined)
    assert.equal(trustedResults(['mx.google.com.evil.example; spf=pass'], 'mx.google.com'), undefined)
  })

  test('of a server that writes no id are those of the topmost field, if it names none', () => {
    assert.equal(trustedResults([MICROSOFT, FORGED], 'none')?.results.length, 4)
    assert.equal(trustedResults([FORGED, MICROSOFT], 'none'), undefined)
  })

  test('come from the header of a message, long ones too', async () => {
    const long = Array.from({ length: 20 }, (_, n) => `dkim=pass header.d=domain-${n}.example header.s=s`)
    const { authentication } = await parseMessage(
      Buffer.from(`Authentication-Results: mx.google.com;\r\n ${long.join(';\r\n ')}; dmarc=pass\r\n\r\n`),
    )

    assert.equal(trustedResults(authentication, 'mx.google.com')?.results.at(-1)?.method, 'dmarc')
  })
})
