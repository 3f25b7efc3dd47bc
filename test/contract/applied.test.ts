import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeApplied, parseApplied } from '../../shared/contract/applied.ts'
import type { Config } from '../../shared/contract/config.ts'
import { parseConfig } from '../../shared/contract/config-text.ts'

const CONFIG = `
archive: { bucket: acme-mail, retention: { mode: governance, days: 2555 } }
state: { bucket: acme-mail-state }
queues: { default: mail-events, invoices: "arn:aws:sqs:eu-central-1:123456789012:invoices.fifo" }
routes:
  - { queue: invoices, when: { to: ["invoices@*", "rechnung@*"], attachment: application/pdf }, extract: [application/pdf] }
mailboxes:
  - { id: invoices, protocol: imap, host: imap.example.com, ca: ./ca.pem, user: a, credential: "ssm:/a",
      search: { since: 2026-01-01 }, afterArchive: { deleteAfterDays: 30 }, limits: { messageOctets: 5000000 } }
  - { id: orders, protocol: pop3, host: pop.example.com, user: b, credential: env:B }
`
const AUTHORITIES = { './ca.pem': '-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n' }

function config(): Config {
  const { config, problems } = parseConfig(CONFIG)
  assert.ok(config, problems?.join())
  return config
}

describe('an applied configuration', () => {
  test('is read as it was stored, defaults and authorities included', () => {
    const applied = { v: 1, config: config(), authorities: AUTHORITIES } as const

    assert.deepEqual(parseApplied(encodeApplied(applied)), applied)
  })

  test('that is stored again is the same text, so that nothing changed is told from something changed', () => {
    const text = encodeApplied({ v: 1, config: config(), authorities: AUTHORITIES })

    assert.equal(encodeApplied(parseApplied(text)), text)
  })

  const stored = JSON.parse(encodeApplied({ v: 1, config: config(), authorities: AUTHORITIES })) as object
  for (const [what, text, problem] of [
    ['is no JSON', '{"v":1', /no JSON/],
    ['is of another version', JSON.stringify({ ...stored, v: 2 }), /v: /],
    ['has more than it should', JSON.stringify({ ...stored, more: 1 }), /more/],
    ['lacks its authorities', JSON.stringify({ ...stored, authorities: undefined }), /authorities: /],
    [
      'names an authority that is not with it',
      JSON.stringify({ ...stored, authorities: {} }),
      /mailbox invoices: \.\/ca\.pem/,
    ],
    ['lacks its configuration', JSON.stringify({ ...stored, config: undefined }), /config: /],
    [
      'has two mistakes in it',
      JSON.stringify({ ...stored, config: { ...config(), queues: {}, mailboxes: [] } }),
      /mailboxes: .*; queues: /,
    ],
  ] satisfies [string, string, RegExp][])
    test(`that ${what} is a TypeError that says so`, () => {
      assert.throws(
        () => parseApplied(text),
        (error) => {
          assert.ok(error instanceof TypeError)
          assert.match(error.message, /^the stored configuration is not valid: /)
          assert.match(error.message, problem)
          return true
        },
      )
    })
})
