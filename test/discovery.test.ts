import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { discover, isWithin, type Network } from '../shared/discovery/discovery.ts'

function network(answers: {
  mx?: string[]
  srv?: Record<string, { host: string; port: number }[]>
  pages?: Record<string, string>
}): Network & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    mx: async (domain) => {
      asked.push(`mx ${domain}`)
      return answers.mx ?? []
    },
    srv: async (name) => {
      asked.push(`srv ${name}`)
      return answers.srv?.[name] ?? []
    },
    page: async (url) => {
      asked.push(url)
      return answers.pages?.[url]
    },
  }
}

const AUTOCONFIG = (servers: string): string =>
  `<?xml version="1.0"?><clientConfig><emailProvider id="x">${servers}</emailProvider></clientConfig>`
const SERVER = (type: string, host: string, port: number, socket: string): string =>
  `<incomingServer type="${type}"><hostname>${host}</hostname><port>${port}</port><socketType>${socket}</socketType></incomingServer>`
const URL_1 = 'https://autoconfig.acme.example/mail/config-v1.1.xml'
const URL_2 = 'https://acme.example/.well-known/autoconfig/mail/config-v1.1.xml'

describe('the mail server of an address', () => {
  test('of a known domain is known without a question', async () => {
    const asking = network({})
    assert.deepEqual(await discover('Jane@GMail.com', asking), { by: 'the domain', provider: 'gmail' })
    assert.deepEqual(asking.asked, [])
  })

  test('is that of the provider which receives its mail', async () => {
    const found = await discover(
      'a@acme.example',
      network({ mx: ['acme-example.mail.protection.outlook.com'] }),
    )
    assert.equal(found?.provider, 'microsoft365')
  })

  test('stands in SRV, IMAP with TLS before all else; a lone dot says no', async () => {
    const imaps = { host: 'imap.acme.example', port: 993 }
    assert.deepEqual(
      await discover('a@acme.example', network({ srv: { '_imaps._tcp.acme.example': [imaps] } })),
      {
        by: 'SRV _imaps._tcp.acme.example',
        server: { protocol: 'imap', tls: 'implicit', ...imaps },
      },
    )
    const pop3 = { host: 'pop.acme.example', port: 995 }
    const found = await discover(
      'a@acme.example',
      network({
        srv: {
          '_imaps._tcp.acme.example': [{ host: '.', port: 0 }],
          '_imap._tcp.acme.example': [{ host: '', port: 0 }],
          '_pop3s._tcp.acme.example': [pop3],
        },
      }),
    )
    assert.deepEqual(found?.server, { protocol: 'pop3', tls: 'implicit', ...pop3 })
  })

  test('named by SRV and known is the provider, with all that is known of it', async () => {
    const srv = { '_imaps._tcp.acme.example': [{ host: 'imap.fastmail.com', port: 993 }] }
    assert.equal((await discover('a@acme.example', network({ srv })))?.provider, 'fastmail')
  })

  test('stands in an autoconfig file: with TLS, IMAP before POP3, and the address is not sent there', async () => {
    const asking = network({
      pages: {
        [URL_2]: AUTOCONFIG(
          SERVER('imap', 'plain.acme.example', 143, 'plain') +
            SERVER('pop3', 'pop.acme.example', 995, 'SSL') +
            SERVER('imap', 'mail.acme.example', 143, 'STARTTLS'),
        ),
      },
    })
    assert.deepEqual(await discover('jane@acme.example', asking), {
      by: URL_2,
      server: { protocol: 'imap', host: 'mail.acme.example', port: 143, tls: 'starttls' },
    })
    assert.ok(asking.asked.includes(URL_1))
    assert.ok(asking.asked.every((question) => !question.includes('jane')))
  })

  const useless: readonly (readonly [string, string])[] = [
    ['without TLS', AUTOCONFIG(SERVER('imap', 'mail.acme.example', 143, 'plain'))],
    ['with a host that is none', AUTOCONFIG(SERVER('imap', 'mail.acme.example/evil', 993, 'SSL'))],
    ['with a port that is none', AUTOCONFIG(SERVER('imap', 'mail.acme.example', 99999, 'SSL'))],
    ['that is a page', '<html>not found</html>'],
  ]
  for (const [name, xml] of useless)
    test(`a file ${name} says nothing`, async () => {
      assert.equal(await discover('a@acme.example', network({ pages: { [URL_1]: xml } })), undefined)
    })

  test('outside of the domain is told apart', () => {
    assert.ok(isWithin('imap.acme.example', 'a@ACME.example'))
    assert.ok(isWithin('acme.example', 'a@acme.example'))
    assert.ok(!isWithin('notacme.example', 'a@acme.example'))
    assert.ok(!isWithin('acme.example.evil.example', 'a@acme.example'))
  })
})
