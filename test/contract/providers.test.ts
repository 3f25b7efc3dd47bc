import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { type MailboxConfig, portOf, validateConfig } from '../../shared/contract/config.ts'
import { userAt, withPreset } from '../../shared/contract/presets.ts'
import {
  PROVIDER_IDS,
  PROVIDERS,
  type Provider,
  providerOf,
  providerOfDomain,
  providerOfMx,
} from '../../shared/contract/providers.ts'
import { providersMarkdown } from '../support/providers-markdown.ts'

const APPLICATION = { tenant: 'contoso.example', clientId: '0f1e2d3c' }

function read(mailbox: object): { mailbox?: MailboxConfig; problems?: readonly string[] } {
  const { config, problems } = validateConfig({
    queues: { default: 'q' },
    mailboxes: [{ id: 'a', user: 'a@example.com', credential: 'file:secret', ...mailbox }],
  })
  return {
    ...(config?.mailboxes[0] ? { mailbox: config.mailboxes[0] } : {}),
    ...(problems ? { problems } : {}),
  }
}

function accepted(mailbox: object): MailboxConfig {
  const { mailbox: read_, problems } = read(mailbox)
  assert.ok(read_, problems?.join('\n'))
  return read_
}

describe('a provider fills in what the operator leaves out', () => {
  for (const id of PROVIDER_IDS)
    for (const protocol of ['imap', 'pop3'] as const) {
      const endpoint = providerOf(id)[protocol]?.value
      const oauth2 = { oauth2: APPLICATION }
      if (endpoint)
        test(`${id} by ${protocol}: its name is enough`, () => {
          const mailbox = accepted({
            provider: id,
            protocol,
            ...(providerOf(id).auth.value === 'oauth2' ? oauth2 : {}),
          })
          assert.equal(mailbox.host, endpoint.host)
          assert.equal(portOf(mailbox), endpoint.port)
          assert.equal(mailbox.tls, endpoint.tls)
          assert.equal(mailbox.auth, providerOf(id).auth.value)
        })
    }

  test('without a protocol it is IMAP', () => {
    assert.equal(accepted({ provider: 'fastmail' }).protocol, 'imap')
  })

  test('Gmail: All Mail is skipped, and a share of the daily octets and the connections are set', () => {
    const { skipFolders, limits } = accepted({ provider: 'gmail' })
    assert.deepEqual(skipFolders, ['\\All', '\\Important', '\\Flagged'])
    assert.deepEqual(limits, { octetsPerDay: 2_000_000_000, connections: 15, idleRenewal: '9m' })
    const pop3 = accepted({ provider: 'gmail', protocol: 'pop3' })
    assert.equal(pop3.skipFolders, undefined)
    assert.deepEqual(pop3.limits, { octetsPerDay: 1_000_000_000, connections: 15 })
  })

  test('Microsoft 365: the tenant makes the token endpoint', () => {
    assert.deepEqual(accepted({ provider: 'microsoft365', oauth2: APPLICATION }).oauth2, {
      grant: 'client-credentials',
      tokenUrl: 'https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token',
      scope: 'https://outlook.office365.com/.default',
      ...APPLICATION,
    })
  })

  test('Outlook.com: the scope names the protocol', () => {
    const scope = (protocol: string) =>
      accepted({ provider: 'outlook', protocol, oauth2: { clientId: 'c' } }).oauth2?.scope
    assert.match(scope('imap') ?? '', /\/IMAP\.AccessAsUser\.All offline_access$/)
    assert.match(scope('pop3') ?? '', /\/POP\.AccessAsUser\.All offline_access$/)
  })

  test('a service account needs no settings besides the provider', () => {
    assert.equal(accepted({ provider: 'google-workspace' }).oauth2?.grant, 'service-account')
  })
})

describe('what is written wins over the provider', () => {
  test('each setting by itself', () => {
    const mailbox = accepted({
      provider: 'gmail',
      skipFolders: [],
      limits: { octetsPerDay: 5000 },
      auth: 'oauth2',
      oauth2: { clientId: 'c', tokenUrl: 'https://tokens.example/t' },
    })
    assert.deepEqual(mailbox.skipFolders, [])
    assert.deepEqual(mailbox.limits, { octetsPerDay: 5000, connections: 15, idleRenewal: '9m' })
    assert.equal(mailbox.oauth2?.tokenUrl, 'https://tokens.example/t')
    assert.equal(mailbox.oauth2?.scope, 'https://mail.google.com/')
  })

  test('another host or TLS takes the port with it', () => {
    assert.equal(portOf(accepted({ provider: 'gmx', host: 'imap.gmx.com', tls: 'starttls' })), 143)
    assert.equal(portOf(accepted({ provider: 'gmx', host: 'localhost', port: 1143, tls: 'none' })), 1143)
  })

  test('and reading the result again changes nothing', () => {
    for (const id of PROVIDER_IDS) {
      const once = withPreset({ provider: id, oauth2: APPLICATION, auth: 'oauth2' })
      assert.deepEqual(withPreset(once), once, id)
    }
  })
})

describe('mistakes beside a provider and OAuth 2.0', () => {
  const cases: readonly (readonly [string, object, RegExp])[] = [
    [
      'an unknown provider',
      { provider: 'hotmail' },
      /^mailboxes\[0\]\.provider: expected gmail, google-workspace/m,
    ],
    [
      'iCloud by POP3',
      { provider: 'icloud', protocol: 'pop3' },
      /^mailboxes\[0\]\.protocol: iCloud Mail has no POP3; expected imap$/m,
    ],
    [
      'Microsoft 365 without a tenant',
      { provider: 'microsoft365', oauth2: { clientId: 'c' } },
      /^mailboxes\[0\]\.oauth2\.tokenUrl: missing; expected the URL of the token endpoint, or for Microsoft 365 oauth2\.tenant$/m,
    ],
    [
      'Microsoft 365 without a client id',
      { provider: 'microsoft365', oauth2: { tenant: 't' } },
      /^mailboxes\[0\]\.oauth2\.clientId: missing; expected the client id of the application$/m,
    ],
    [
      'a tenant that would be another URL',
      { provider: 'microsoft365', oauth2: { tenant: 'x/../../evil', clientId: 'c' } },
      /^mailboxes\[0\]\.oauth2\.tenant: expected the id or a domain of the directory$/m,
    ],
    [
      'OAuth 2.0 without settings',
      { protocol: 'imap', host: 'h', auth: 'oauth2' },
      /^mailboxes\[0\]\.oauth2: missing; expected grant, tokenUrl and clientId, or a provider that knows them$/m,
    ],
    [
      'settings of OAuth 2.0 beside a password',
      {
        provider: 'fastmail',
        oauth2: { grant: 'refresh-token', tokenUrl: 'https://t.example/', clientId: 'c' },
      },
      /^mailboxes\[0\]\.oauth2: counts with auth: oauth2 alone/m,
    ],
    [
      'a token endpoint without TLS',
      {
        provider: 'gmail',
        auth: 'oauth2',
        oauth2: { clientId: 'c', tokenUrl: 'http://tokens.example/' },
      },
      /^mailboxes\[0\]\.oauth2\.tokenUrl: expected an https URL/m,
    ],
    [
      'a token endpoint with a password in it',
      {
        provider: 'gmail',
        auth: 'oauth2',
        oauth2: { clientId: 'c', tokenUrl: 'https://u:p@tokens.example/' },
      },
      /^mailboxes\[0\]\.oauth2\.tokenUrl: expected an https URL/m,
    ],
    [
      'a refresh token in the environment',
      { provider: 'gmail', auth: 'oauth2', oauth2: { clientId: 'c' }, credential: 'env:TOKEN' },
      /^mailboxes\[0\]\.credential: the environment cannot keep a refresh token/m,
    ],
    [
      'folders to skip by POP3',
      { provider: 'gmx', protocol: 'pop3', skipFolders: ['x'] },
      /skipFolders: POP3 has one/m,
    ],
    [
      'settings of OAuth 2.0 in one word',
      { provider: 'gmail', auth: 'oauth2', oauth2: 'yes' },
      /\.oauth2: expected a group/m,
    ],
  ]
  for (const [name, mailbox, expected] of cases)
    test(name, () => assert.match(read(mailbox).problems?.join('\n') ?? 'accepted', expected))
})

describe('the provider of an address', () => {
  const byDomain: readonly (readonly [string, string | undefined])[] = [
    ['gmail.com', 'gmail'],
    ['Hotmail.com', 'outlook'],
    ['me.com', 'icloud'],
    ['example.com', undefined],
  ]
  for (const [domain, id] of byDomain)
    test(`${domain} is ${id ?? 'nobody known'}`, () => assert.equal(providerOfDomain(domain), id))

  const byMx: readonly (readonly [readonly string[], string | undefined])[] = [
    [['aspmx.l.google.com', 'alt1.aspmx.l.google.com'], 'google-workspace'],
    [['ASPMX.L.GOOGLE.COM.'], 'google-workspace'],
    [['contoso-com.mail.protection.outlook.com'], 'microsoft365'],
    [['eur.olc.protection.outlook.com'], 'outlook'],
    [['in1-smtp.messagingengine.com'], 'fastmail'],
    [['mx.zoho.eu'], 'zoho'],
    [['mail.notgoogle.com', 'google.com.evil.example'], undefined],
    [[], undefined],
  ]
  for (const [hosts, id] of byMx)
    test(`${hosts[0] ?? 'no MX'} is ${id ?? 'nobody known'}`, () => assert.equal(providerOfMx(hosts), id))

  test('iCloud and WEB.DE are signed in to with what is before the @, the others with the whole address', () => {
    assert.equal(userAt('icloud', 'jane@icloud.com'), 'jane')
    assert.equal(userAt('webde', 'jane@web.de'), 'jane')
    assert.equal(userAt('gmx', 'jane@gmx.net'), 'jane@gmx.net')
  })
})

describe('the data of the providers', () => {
  test('every value has a page and the time at which it was read', () => {
    let facts = 0
    const look = (id: string, value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      if ('value' in value) {
        facts++
        const { source, read } = value as { source?: unknown; read?: unknown }
        assert.match(String(source), /^https:\/\/[a-z0-9.-]+\/\S+$/, id)
        assert.match(String(read), /^20\d\d(-\d\d)?($|, )/, id)
      } else for (const inner of Object.values(value)) look(id, inner)
    }
    for (const id of PROVIDER_IDS) look(id, PROVIDERS[id])
    assert.ok(facts > 50, `${facts} facts`)
  })

  test('every provider says what to do, and no domain is two providers', () => {
    const domains = PROVIDER_IDS.flatMap((id) => (PROVIDERS[id] as Provider).domains)
    assert.equal(new Set(domains).size, domains.length)
    for (const id of PROVIDER_IDS) assert.ok(PROVIDERS[id].steps.length > 0, id)
  })
})

test('docs/providers.md is up to date: npx node test/support/write-providers.ts', () => {
  const held = readFileSync(new URL('../../docs/providers.md', import.meta.url), 'utf8')
  assert.equal(held, providersMarkdown())
})
