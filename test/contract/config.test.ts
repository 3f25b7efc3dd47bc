import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type Config,
  durationMs,
  portOf,
  settingsWithoutEffect,
  validateConfig,
} from '../../shared/contract/config.ts'
import { parseConfig } from '../../shared/contract/config-text.ts'

const MAILBOX = { id: 'a', protocol: 'imap', host: 'imap.example.com', user: 'u', credential: 'env:A' }

/** As in the design, with every setting that a mailbox can have. */
const WHOLE = `
archive:
  bucket: acme-mail-archive
  retention: { mode: governance, days: 2555 }
queues:
  default: mail-events
  invoices: invoice-events
routes:
  - { queue: invoices, when: { to: "invoices@*", attachment: "application/pdf" }, extract: ["application/pdf", "*/xml"] }
mailboxes:
  - id: invoices
    protocol: imap
    host: imap.example.com
    port: 993
    tls: implicit
    ca: ./ca.pem
    user: invoices@example.com
    credential: "ssm:/mailsluice/invoices"
    auth: password
    folders: [INBOX]
    search: { since: 2026-01-01, from: "*@supplier.example" }
    afterArchive: keep
    every: 5m
    idle: true
    limits: { messageOctets: 157286400, octetsPerDay: 2000000000 }
`

function accepted(text: string): Config {
  const { config, problems } = parseConfig(text)
  assert.ok(config, problems?.join('\n'))
  return config
}

/** The mistakes of a configuration with one mailbox, whose settings are these. */
function mistakesOf(mailbox: object, others: object = {}): readonly string[] {
  const settings = { ...MAILBOX, ...mailbox }
  return validateConfig({ queues: { default: 'q' }, mailboxes: [settings], ...others }).problems ?? []
}

describe('a configuration', () => {
  test('with everything in it is accepted as it stands', () => {
    const { archive, routes, mailboxes } = accepted(WHOLE)
    assert.deepEqual(archive.retention, { mode: 'governance', days: 2555 })
    assert.deepEqual(routes[0]?.extract, ['application/pdf', '*/xml'])
    assert.equal(mailboxes[0]?.search?.since, '2026-01-01')
  })

  test('of the least has a default for all the rest', () => {
    const config = accepted(
      'queues: { default: q }\nmailboxes: [{ id: a, protocol: imap, host: h, user: u, credential: env:A }]',
    )
    assert.deepEqual(config, {
      archive: {},
      seal: { timestamps: [] },
      queues: { default: 'q' },
      routes: [],
      mailboxes: [
        {
          id: 'a',
          protocol: 'imap',
          host: 'h',
          user: 'u',
          credential: 'env:A',
          tls: 'implicit',
          auth: 'password',
          folders: ['INBOX'],
          afterArchive: 'keep',
          every: '5m',
          idle: false,
          limits: {},
        },
      ],
    })
  })

  test('that was accepted is accepted again as it was read: that is how the Lambdas get it', () => {
    const config = accepted(WHOLE)
    assert.deepEqual(validateConfig(JSON.parse(JSON.stringify(config))).config, config)
  })

  test('tells what it asks for and nobody does: extraction without a bucket for it', () => {
    const without = { available: false }

    assert.deepEqual(
      settingsWithoutEffect(accepted(WHOLE), without).map((line) => line.slice(0, line.indexOf(':'))),
      ['routes[0].extract'],
    )
    assert.deepEqual(settingsWithoutEffect(accepted(WHOLE), { available: true }), [])
    assert.deepEqual(settingsWithoutEffect(accepted(WHOLE.replace(/, extract.*]/g, '')), without), [])
  })
})

describe('a setting is accepted', () => {
  const cases: readonly (readonly [string, object])[] = [
    ['a date in quotes or without', { search: { since: '2026-02-28', before: '2026-03-01' } }],
    ['29 February of a leap year', { search: { since: '2024-02-29' } }],
    ['deletion after days', { afterArchive: { deleteAfterDays: 30 } }],
    ['a keyword', { afterArchive: { flag: '$Archived' } }],
    ['another folder', { afterArchive: { move: 'Archive/2026' } }],
    ['TLS by STARTTLS', { tls: 'starttls' }],
    ['no TLS on loopback', { tls: 'none', host: '127.0.0.1' }],
    ['no TLS on loopback, IPv6', { tls: 'none', host: '[::1]' }],
    ['an IPv6 address', { host: '2001:db8::1' }],
    ['a secret in a file', { credential: 'file:./secret' }],
    [
      'a secret in Secrets Manager',
      { credential: 'secretsmanager:arn:aws:secretsmanager:eu-west-1:1:secret:a' },
    ],
    ['POP3 with what it can do', { protocol: 'pop3', afterArchive: 'delete', folders: ['INBOX'] }],
    ['compliance for one mailbox', { retention: { mode: 'compliance', days: 36_500 } }],
  ]
  for (const [name, mailbox] of cases) test(name, () => assert.deepEqual(mistakesOf(mailbox), []))

  test('a queue by name, URL or ARN', () => {
    const queues = {
      default: 'mail-events',
      ordered: 'mail-events.fifo',
      url: 'https://sqs.eu-central-1.amazonaws.com/123456789012/mail-events',
      arn: 'arn:aws:sqs:eu-central-1:123456789012:mail-events',
    }
    assert.deepEqual(mistakesOf({}, { queues }), [])
  })
})
describe('what is no YAML', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['a quote that is never closed', 'a: "x', 'line 1, column 6: not valid YAML: Missing closing "quote'],
    ['a tab', 'a:\n\tb: 1', 'line 2, column 1: not valid YAML: Tabs are not allowed as indentation'],
    ['the same setting twice', 'a: 1\na: 2', 'line 2, column 1: not valid YAML: Map keys must be unique'],
    ['a tag of somebody else', 'a: !secret b', 'line 1, column 4: not valid YAML: Unresolved tag'],
    [
      'an alias of nothing',
      'a: *b',
      '(top level): not valid YAML: an alias (*name) without its anchor (&name), or too many of them',
    ],
    [
      'aliases that would fill the memory',
      `a: &a [1]\n${'bcdefg'.replace(/./g, (name, at: number) => `${name}: &${name} [${Array(10).fill(`*${'abcdef'[at]}`)}]\n`)}`,
      '(top level): not valid YAML: an alias (*name) without its anchor (&name), or too many of them',
    ],
  ]
  for (const [name, text, line] of cases)
    test(`${name} is told with its line`, () => assert.deepEqual(parseConfig(text).problems, [line]))

  test('no text and no value makes the reader throw', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseConfig(text)))
    fc.assert(fc.property(fc.jsonValue(), (value) => assert.ok(validateConfig(value).problems)))
    fc.assert(
      fc.property(
        fc.jsonValue(),
        (mailbox) => void validateConfig({ queues: {}, routes: [{}], mailboxes: [mailbox] }),
      ),
    )
    assert.ok(parseConfig('['.repeat(100_000)).problems)
  })
})

test('a secret that stands in the configuration is refused and in no mistake', () => {
  for (const line of [
    'credential: Tr0ub4dor',
    'credential: 481516',
    'credential: "Tr0ub4dor',
    'credential: |Tr0ub4dor',
    'credential: *Tr0ub4dor',
    'credential: !Tr0ub4dor x',
    'password: Tr0ub4dor',
    'credential: "Tr0ub4dor\\q"',
    'credential: [Tr0ub4dor]',
  ]) {
    const { config, problems } = parseConfig(
      `queues: { default: q }\nmailboxes:\n  - id: a\n    protocol: imap\n    host: h\n    user: u\n    ${line}\n`,
    )
    assert.equal(config, undefined, line)
    assert.doesNotMatch(problems?.join('\n') ?? '', /Tr0ub4dor|481516/, line)
  }
})

test('durations', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
  ]
  for (const [text, milliseconds] of cases) assert.equal(durationMs(text), milliseconds)
  for (const text of ['5', '1.5h', '-1m', '1w', ' 5m', '5m ', '0m', '1000000s'])
    assert.throws(() => durationMs(text), TypeError, text)
})

test('the port is that of protocol and TLS unless it is named', () => {
  const cases = [
    ['imap', 'implicit', 993],
    ['imap', 'starttls', 143],
    ['imap', 'none', 143],
    ['pop3', 'implicit', 995],
    ['pop3', 'starttls', 110],
    ['pop3', 'none', 110],
  ] as const
  for (const [protocol, tls, port] of cases) assert.equal(portOf({ protocol, tls }), port)
  assert.equal(portOf({ protocol: 'imap', tls: 'implicit', port: 1993 }), 1993)
})
