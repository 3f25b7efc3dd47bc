import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { validateConfig } from '../../shared/contract/config.ts'
import { parseConfig } from '../../shared/contract/config-text.ts'
import { MESSAGE_CLASSES } from '../../shared/contract/event.ts'

const MAILBOX = { id: 'a', protocol: 'imap', host: 'imap.example.com', user: 'u', credential: 'env:A' }

/** The mistakes of a configuration with one mailbox, whose settings are these. */
function mistakesOf(mailbox: object, others: object = {}): readonly string[] {
  const settings = { ...MAILBOX, ...mailbox }
  return validateConfig({ queues: { default: 'q' }, mailboxes: [settings], ...others }).problems ?? []
}
describe('a mistake names its path and what is expected', () => {
  const cases: readonly (readonly [string, object, string])[] = [
    [
      'an id with capitals',
      { id: 'Invoices' },
      'mailboxes[0].id: expected lower-case letters, digits and hyphens, at most 63, beginning with a letter or digit',
    ],
    [
      'an id that is too long',
      { id: 'a'.repeat(64) },
      'mailboxes[0].id: expected lower-case letters, digits and hyphens, at most 63, beginning with a letter or digit',
    ],
    ['another protocol', { protocol: 'smtp' }, 'mailboxes[0].protocol: expected imap or pop3'],
    ['no protocol', { protocol: undefined }, 'mailboxes[0].protocol: missing; expected imap or pop3'],
    ['no user', { user: undefined }, 'mailboxes[0].user: missing; expected the name to sign in with'],
    ['an empty user', { user: '' }, 'mailboxes[0].user: expected the name to sign in with'],
    ['a user with nothing behind it', { user: null }, 'mailboxes[0].user: expected the name to sign in with'],
    [
      'a user that YAML takes for a number',
      { user: 4711 },
      'mailboxes[0].user: expected the name to sign in with',
    ],
    [
      'a host with its port',
      { host: 'imap.example.com:993' },
      'mailboxes[0].host: expected a host name or address alone; the port has a setting of its own',
    ],
    [
      'a host with a scheme',
      { host: 'imaps://imap.example.com' },
      'mailboxes[0].host: expected a host name or address alone; the port has a setting of its own',
    ],
    ['port 0', { port: 0 }, 'mailboxes[0].port: expected at least 1'],
    ['port 65536', { port: 65_536 }, 'mailboxes[0].port: expected at most 65535'],
    ['half a port', { port: 99.5 }, 'mailboxes[0].port: expected a whole number'],
    ['a port in words', { port: 'imaps' }, 'mailboxes[0].port: expected a number, found text'],
    ['TLS in another word', { tls: true }, 'mailboxes[0].tls: expected implicit, starttls or none'],
    [
      'no TLS over the network',
      { tls: 'none' },
      'mailboxes[0].tls: none would send the password in clear to imap.example.com; allowed only for a loopback host: use implicit or starttls',
    ],
    [
      'no TLS to a name that only ends like loopback',
      { tls: 'none', host: 'notlocalhost' },
      'mailboxes[0].tls: none would send the password in clear to notlocalhost; allowed only for a loopback host: use implicit or starttls',
    ],
    [
      'no TLS to a name that only looks like loopback',
      { tls: 'none', host: 'localhost.example.com' },
      'mailboxes[0].tls: none would send the password in clear to localhost.example.com; allowed only for a loopback host: use implicit or starttls',
    ],
    ['folders without a list', { folders: 'INBOX' }, 'mailboxes[0].folders: expected a list, found text'],
    ['no folder', { folders: [] }, 'mailboxes[0].folders: empty; expected one at least'],
    [
      'a day that is not in the calendar',
      { search: { since: '2026-02-29' } },
      'mailboxes[0].search.since: expected a date: YYYY-MM-DD',
    ],
    [
      'a date as others write it',
      { search: { before: '1.2.2026' } },
      'mailboxes[0].search.before: expected a date: YYYY-MM-DD',
    ],
    [
      'a search that nothing can match',
      { search: { since: '2026-02-01', before: '2026-02-01' } },
      'mailboxes[0].search.before: nothing is before 2026-02-01 and since 2026-02-01; expected a later date',
    ],
    [
      'a search for what there is not',
      { search: { to: 'a' } },
      'mailboxes[0].search.to: unknown setting; expected one of since, before, from, subject',
    ],
    [
      'another acknowledgement',
      { afterArchive: 'archive' },
      'mailboxes[0].afterArchive: expected keep, seen, delete, { flag: NAME }, { move: FOLDER } or { deleteAfterDays: 1 to 36500 }',
    ],
    [
      'two acknowledgements',
      { afterArchive: { flag: 'a', move: 'b' } },
      'mailboxes[0].afterArchive: expected keep, seen, delete, { flag: NAME }, { move: FOLDER } or { deleteAfterDays: 1 to 36500 }',
    ],
    [
      'deletion after no day',
      { afterArchive: { deleteAfterDays: 0 } },
      'mailboxes[0].afterArchive.deleteAfterDays: expected at least 1',
    ],
    [
      'a system flag',
      { afterArchive: { flag: '\\Deleted' } },
      'mailboxes[0].afterArchive.flag: expected an IMAP keyword: letters, digits, $ _ . -',
    ],
    [
      'an interval without unit',
      { every: 5 },
      'mailboxes[0].every: expected a number and a unit: 90s, 5m, 1h or 1d',
    ],
    [
      'an interval of nothing',
      { every: '0s' },
      'mailboxes[0].every: expected a number and a unit: 90s, 5m, 1h or 1d',
    ],
    ['a switch in words', { idle: 'yes' }, 'mailboxes[0].idle: expected true or false, found text'],
    [
      'retention without days',
      { retention: { mode: 'compliance' } },
      'mailboxes[0].retention.days: missing; expected a number',
    ],
    [
      'a limit below what a message is',
      { limits: { messageOctets: 1 } },
      'mailboxes[0].limits.messageOctets: expected at least 1024',
    ],
    [
      'POP3 with a search',
      { protocol: 'pop3', search: {} },
      'mailboxes[0].search: POP3 has no search; remove it or use imap',
    ],
    [
      'POP3 with folders',
      { protocol: 'pop3', folders: ['*'] },
      'mailboxes[0].folders: POP3 has one folder, INBOX; remove it or use imap',
    ],
    [
      'POP3 with flags',
      { protocol: 'pop3', afterArchive: 'seen' },
      'mailboxes[0].afterArchive: POP3 has neither flags nor folders; expected keep, delete or { deleteAfterDays: N }',
    ],
    [
      'POP3 with a folder to move to',
      { protocol: 'pop3', afterArchive: { move: 'b' } },
      'mailboxes[0].afterArchive: POP3 has neither flags nor folders; expected keep, delete or { deleteAfterDays: N }',
    ],
    [
      'a canary that nobody watches',
      { canary: { folder: 'INBOX' } },
      'mailboxes[0].canary: nobody watches the mailbox; expected it beside idle: true',
    ],
    [
      'a canary in a folder that is not drained',
      { idle: true, folders: ['INBOX', 'Work*'], canary: { folder: 'Canary' } },
      'mailboxes[0].canary.folder: Canary is not among folders; expected one that is',
    ],
    [
      'a canary in another folder than the default one',
      { idle: true, canary: { folder: 'Canary' } },
      'mailboxes[0].canary.folder: Canary is not among folders; expected one that is',
    ],
    [
      'a canary that the search leaves out',
      { idle: true, canary: { folder: 'INBOX' }, search: { from: '*@example.com' } },
      'mailboxes[0].canary: search would leave it out; expected one of them',
    ],
    [
      'a canary by POP3',
      { protocol: 'pop3', canary: { folder: 'INBOX' } },
      'mailboxes[0].canary: POP3 has no folder for it; remove it or use imap',
    ],
    [
      'POP3 with IDLE',
      { protocol: 'pop3', idle: true },
      'mailboxes[0].idle: POP3 has no IDLE; expected false',
    ],
  ]
  for (const [name, mailbox, line] of cases) test(name, () => assert.deepEqual(mistakesOf(mailbox), [line]))

  const whole: readonly (readonly [string, object, string])[] = [
    ['no queues', { queues: undefined }, 'queues: missing; expected a group of settings'],
    ['no default queue', { queues: { main: 'q' } }, 'queues: expected a queue named default'],
    [
      'a queue that cannot be',
      { queues: { default: 'q', other: 'a b' } },
      'queues.other: expected the name, URL or ARN of a queue',
    ],
    [
      'a queue named with capitals',
      { queues: { default: 'q', Other: 'o' } },
      'queues.Other: expected lower-case letters, digits and hyphens',
    ],
    [
      'a queue named as what every object has',
      { routes: [{ queue: 'constructor', when: {} }] },
      'routes[0].queue: constructor is not under queues; expected default',
    ],
    [
      'a route to nowhere',
      { routes: [{ queue: 'nowhere', when: {} }] },
      'routes[0].queue: nowhere is not under queues; expected default',
    ],
    [
      'a route without conditions',
      { routes: [{ queue: 'default' }] },
      'routes[0].when: missing; expected a group of settings',
    ],
    [
      'a route that no message can take',
      {
        routes: [
          { queue: 'default', when: {} },
          { queue: 'default', when: { to: 'a' } },
        ],
      },
      'routes[1]: no message comes here, for routes[0] takes all; expected before it',
    ],
    [
      'a condition that is no text',
      { routes: [{ queue: 'default', when: { to: 5 } }] },
      'routes[0].when.to: expected a glob or a list of them',
    ],
    [
      'a queue of several that is not there',
      { routes: [{ queue: ['default', 'nowhere'], when: {} }] },
      'routes[0].queue[1]: nowhere is not under queues; expected default',
    ],
    [
      'a queue named twice',
      { routes: [{ queue: ['default', 'default'], when: {} }] },
      'routes[0].queue[1]: default is named twice; remove it',
    ],
    [
      'a class that is none',
      { routes: [{ queue: 'default', when: { class: 'spam' } }] },
      `routes[0].when.class: expected one or a list of ${MESSAGE_CLASSES.join(', ')}`,
    ],
    [
      'a condition that is none, in a group',
      { routes: [{ queue: 'default', when: { not: { any: [{ too: 'x' }] } } }] },
      'routes[0].when.not.any[0].too: unknown setting; expected one of mailbox, to, from, subject, class, label, attachment, authentication, header, all, any, not',
    ],
    [
      'authentication although no server is trusted',
      { routes: [{ queue: 'default', when: { any: [{ not: { authentication: { dmarc: 'pass' } } }] } }] },
      'routes[0].when: authentication holds for no message; expected authservId in a mailbox, whose server is trusted then',
    ],
    [
      'a group of none',
      { routes: [{ queue: 'default', when: { any: [] } }] },
      'routes[0].when.any: empty; expected one at least',
    ],
    [
      'a header field that is none',
      { routes: [{ queue: 'default', when: { header: { 'X Y:': '*' } } }] },
      'routes[0].when.header.X Y:: expected the name of a header field: letters, digits, hyphens',
    ],
    [
      'an attachment with a setting that is none',
      { routes: [{ queue: 'default', when: { attachment: { size: 5 } } }] },
      'routes[0].when.attachment.size: unknown setting; expected one of type, name, kind, invoice, minOctets, maxOctets',
    ],
    [
      'an attachment of less than nothing',
      { routes: [{ queue: 'default', when: { attachment: { minOctets: -1 } } }] },
      'routes[0].when.attachment.minOctets: expected at least 0',
    ],
    [
      'a number in a list of globs',
      { routes: [{ queue: 'default', when: { to: ['a', 5] } }] },
      'routes[0].when.to[1]: expected text; put it in quotes',
    ],
    [
      'a bucket that cannot be',
      { archive: { bucket: 'Acme' } },
      'archive.bucket: expected an S3 bucket name',
    ],
    ['no mailbox', { mailboxes: [] }, 'mailboxes: empty; expected one at least'],
    [
      'the same id twice',
      { mailboxes: [MAILBOX, { ...MAILBOX, id: 'b' }, MAILBOX] },
      'mailboxes[2].id: a is already mailboxes[0]; expected another',
    ],
    [
      'a section that there is not',
      { archiv: {} },
      'archiv: unknown setting; expected one of archive, state, derived, seal, queues, routes, authentication, mailboxes, aws',
    ],
    [
      'a queue for what is verified that there is not',
      { authentication: { queue: ['default', 'other'] } },
      'authentication.queue[1]: other is not under queues; expected default',
    ],
    [
      'a server that takes the mail although nothing is verified',
      { mailboxes: [{ ...MAILBOX, receivedBy: 'mx.example.com' }] },
      'mailboxes[0].receivedBy: nothing is verified; expected it beside authentication',
    ],
    [
      'a name server by its name',
      { authentication: { dnsServers: ['dns.example.com'] } },
      'authentication.dnsServers[0]: expected an IP address, with a port if it is not 53: 192.0.2.53, [2001:db8::53]:5353',
    ],
    [
      'a task size that Fargate has not',
      { aws: { relay: { cpu: 1024 } } },
      'aws.relay.memoryMib: Fargate has no 512 MiB with 1024 CPU units; expected 2048, 3072, 4096',
    ],
  ]
  for (const [name, others, line] of whole) test(name, () => assert.deepEqual(mistakesOf({}, others), [line]))

  for (const [name, value, line] of [
    ['an empty file', '', '(top level): empty; expected a group of settings'],
    ['a list', '- a', '(top level): expected a group of settings, found a list'],
    ['text', 'mailboxes', '(top level): expected a group of settings, found text'],
  ] as const)
    test(name, () => assert.deepEqual(parseConfig(value).problems, [line]))
})

test('a setting that there is not is answered with those that there are', () => {
  const [line] = mistakesOf({ colour: 'red' })
  assert.match(
    line ?? '',
    /^mailboxes\[0\]\.colour: unknown setting; expected one of id, .*protocol, .*limits/,
  )
})

describe('no mistake hides another', () => {
  test('what is wrong between settings is told beside what is wrong in them, in one mailbox after the other', () => {
    const { problems } = parseConfig(`
archiv: {}
queues: { main: mail-events }
routes: [{ queue: nowhere, when: { to: 5 } }]
mailboxes:
  - { id: a, protocol: imap, host: h.example.com, user: u, credential: env:A, port: 1.5, tls: none, colour: red }
  - { id: a, protocol: pop3, host: h.example.com, user: u, credential: plain, every: 5, idle: true, folders: ["*"] }
  - 7
`)
    assert.deepEqual(
      problems?.map((line) => line.slice(0, line.indexOf(':'))),
      [
        'archiv',
        'mailboxes[0].colour',
        'mailboxes[0].port',
        'mailboxes[0].tls',
        'mailboxes[1].credential',
        'mailboxes[1].every',
        'mailboxes[1].folders',
        'mailboxes[1].id',
        'mailboxes[1].idle',
        'mailboxes[2]',
        'queues',
        'routes[0].queue',
        'routes[0].when.to',
      ],
    )
  })

  test('a mistake anywhere leaves a second one visible', () => {
    const value: fc.Arbitrary<unknown> = fc.jsonValue()
    fc.assert(
      fc.property(
        fc.constantFrom('port', 'tls', 'user', 'search', 'afterArchive', 'limits', 'every'),
        value,
        (name, odd) => {
          const problems = mistakesOf({
            [name]: odd,
            host: 'h.example.com:993',
            protocol: 'pop3',
            idle: true,
          })
          assert.ok(problems.includes('mailboxes[0].idle: POP3 has no IDLE; expected false'))
        },
      ),
    )
  })
})
