import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Dns } from '../../shared/authentication/dns.ts'
import { openDnsResolver } from '../../shared/authentication/dns-resolver.ts'
import { DnsServer } from '../support/dns-server.ts'

describe('the resolver', () => {
  let server: DnsServer
  let dns: Dns
  before(async () => {
    server = await DnsServer.open({
      'a.example A': ['192.0.2.1', '192.0.2.2'],
      'a.example AAAA': ['2001:db8:0:0:0:0:0:1'],
      'a.example MX': ['10 mx1.a.example', '20 mx2.a.example'],
      'a.example TXT': ['one', 'x'.repeat(300)],
      'alias.example CNAME': ['a.example'],
      '1.2.0.192.in-addr.arpa PTR': ['a.example'],
      'broken.example A': 'servfail',
      'closed.example A': 'refused',
      'quiet.example A': 'silent',
    })
    dns = openDnsResolver([server.address], 50)
  })
  after(() => server[Symbol.asyncDispose]())

  test('says whom it asks', () => {
    assert.deepEqual(dns.servers, [server.address])
    assert.ok(openDnsResolver().servers.length > 0)
  })

  for (const [name, type, records] of [
    ['a.example', 'A', ['192.0.2.1', '192.0.2.2']],
    ['a.example', 'AAAA', ['2001:db8::1']],
    ['a.example', 'MX', ['10 mx1.a.example', '20 mx2.a.example']],
    ['alias.example', 'CNAME', ['a.example']],
    ['1.2.0.192.in-addr.arpa', 'PTR', ['a.example']],
  ] as const)
    test(`reads ${type}`, async () => {
      const answer = await dns.resolve(name, type)
      assert.deepEqual([...(answer.records ?? [])].sort(), records)
    })

  test('reads text in one piece, over TCP where it is long', async () => {
    server.asked.length = 0
    const answer = await dns.resolve('a.example', 'TXT')

    assert.deepEqual([...(answer.records ?? [])].sort(), ['one', 'x'.repeat(300)])
    assert.equal((await dns.resolve('a.example', 'TXT')).failure, undefined)
    server.set({ 'long.example TXT': ['y'.repeat(2000)] })
    server.asked.length = 0
    assert.deepEqual(await dns.resolve('long.example', 'TXT'), { records: ['y'.repeat(2000)] })
    assert.equal(server.asked.length, 2, 'once more over TCP')
  })

  for (const [what, name, failure] of [
    ['a name that does not exist', 'missing.example', 'ENOTFOUND'],
    ['a name with other records alone', '1.2.0.192.in-addr.arpa', 'ENODATA'],
    ['a server that is broken', 'broken.example', 'ESERVFAIL'],
    ['a server that refuses', 'closed.example', 'EREFUSED'],
    ['a server that is silent', 'quiet.example', 'ETIMEOUT'],
    ['a name that is none', `${'x'.repeat(64)}.example`, 'EBADNAME'],
    ['a name with an empty label', 'a..example', 'EBADNAME'],
  ] as const)
    test(`says of ${what}: ${failure}`, async () => {
      assert.deepEqual(await dns.resolve(name, 'A'), { failure })
    })

  test('never rejects, whatever the name', async () => {
    for (const name of ['', '.', '\u0000', 'é.example', 'a b.example', 'x.'.repeat(200), '%{i}'])
      assert.ok((await dns.resolve(name, 'TXT')).failure, JSON.stringify(name))
  })
})
