import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CliFolder, jsonLines, mailboxOn, runCli } from '../support/cli.ts'
import { DnsServer } from '../support/dns-server.ts'
import { type ImapServer, startImapServer } from '../support/imap-server.ts'
import { dkimKey, MESSAGE, signed, taken } from '../support/signed-mail.ts'

// Own verification on one machine, by the command line.

describe('with authentication, a drain', () => {
  const key = dkimKey()
  let folder: CliFolder
  let imap: ImapServer
  let dns: DnsServer
  let message: string
  let digest: string

  before(async () => {
    folder = new CliFolder()
    dns = await DnsServer.open({
      'one._domainkey.sender.example TXT': [key.record],
      'sender.example TXT': ['v=spf1 ip4:192.0.2.0/24 -all'],
      '_dmarc.sender.example TXT': ['v=DMARC1; p=reject'],
    })
    message = taken(await signed(MESSAGE, { key }))
    digest = createHash('sha256').update(message).digest('hex')
    imap = await startImapServer({ messages: [{ raw: message }] })
    folder.write(
      'mailsluice.yaml',
      JSON.stringify({
        queues: { default: 'q', verified: 'v' },
        authentication: { queue: 'verified', dnsServers: [dns.address] },
        mailboxes: [{ ...mailboxOn(imap), receivedBy: 'mx.receiver.example' }],
      }),
    )
  })
  after(async () => {
    await imap.close()
    await dns[Symbol.asyncDispose]()
    folder.remove()
  })

  const run = (...command: string[]) =>
    runCli([...command, '--config', join(folder.path, 'mailsluice.yaml'), folder.local('stores')], {
      PASSWORD: 'testpass',
    })

  interface Authenticated {
    type: string
    id: string
    subject: string
    data: {
      raw: { sha256: string }
      dkim: { result: string }[]
      spf: { result: string }
      dmarc: { result: string }
      evidence: { uri: string; key: string }
    }
  }

  test('that gets no answer of DNS archives and announces all the same, and says that something is left', async () => {
    dns.set({ 'one._domainkey.sender.example TXT': 'servfail' })

    const drained = await run('drain', '--json')

    assert.equal(drained.status, 0)
    assert.match(drained.stderr, /1 new message not verified yet: DNS or a queue does not answer/)
    assert.equal(
      jsonLines((await run('events', 'receive', '--json', '--queue', 'verified')).stdout).length,
      0,
    )
    const shown = await run('archive', 'authentication', digest.slice(0, 12))
    assert.equal(shown.status, 1)
    assert.match(shown.stderr, /it was not verified when it came/)
  })

  test('verifies what an earlier one left, keeps it as evidence and announces it', async () => {
    dns.set({ 'one._domainkey.sender.example TXT': [key.record] })

    assert.equal((await run('drain', '--json')).stderr, '')
    const { stdout } = await run('events', 'receive', '--json', '--queue', 'verified')

    const [event, ...more] = jsonLines(stdout) as unknown as Authenticated[]
    assert.ok(event)
    assert.deepEqual(more, [])
    assert.equal(event.type, 'mailsluice.message.authenticated.v1')
    assert.equal(event.data.raw.sha256, digest)
    const { dkim, spf, dmarc, evidence } = event.data
    assert.deepEqual([dkim[0]?.result, spf.result, dmarc.result], ['pass', 'pass', 'pass'])
    const kept = readFileSync(fileURLToPath(evidence.uri), 'utf8')
    assert.match(kept, /^\{"type":"authentication","v":1,/)
    assert.ok(kept.includes(key.record), 'the key, as DNS had it')
  })

  test('verifies nothing twice', async () => {
    dns.asked.length = 0
    await run('drain', '--json')

    assert.deepEqual(dns.asked, [])
    assert.equal(
      jsonLines((await run('events', 'receive', '--json', '--queue', 'verified')).stdout).length,
      0,
    )
  })

  test('is confirmed years later, when the key is gone, without asking DNS', async () => {
    dns.clear()
    dns.asked.length = 0

    const shown = await run('archive', 'authentication', digest.slice(0, 12))

    assert.equal(shown.status, 0, shown.stderr)
    assert.match(shown.stdout, /^dkim=pass domain=sender\.example selector=one$/m)
    assert.match(shown.stdout, /^spf=pass client=192\.0\.2\.25 domain=sender\.example/m)
    assert.match(shown.stdout, /^dmarc=pass domain=sender\.example policy=reject$/m)
    assert.match(shown.stdout, /^Confirmed: /m)
    assert.deepEqual(dns.asked, [])
  })

  test('is no finding of archive verify', async () => {
    const verified = await run('archive', 'verify')

    assert.equal(verified.status, 0, verified.stdout + verified.stderr)
  })

  test('whose evidence was changed is not confirmed', async () => {
    const { stdout } = await run('archive', 'authentication', digest.slice(0, 12), '--json')
    const [shown] = jsonLines(stdout) as { confirmed: boolean; answers: object[]; mailbox: string }[]
    assert.equal(shown?.confirmed, true)
    const file = join(
      folder.path,
      `stores/archive/evidence/authentication/${shown.mailbox}/${digest.slice(0, 2)}/${digest}.ndjson`,
    )
    assert.ok(existsSync(file))
    chmodSync(file, 0o600)
    writeFileSync(file, readFileSync(file, 'utf8').replace(key.record, dkimKey().record))

    const again = await run('archive', 'authentication', digest.slice(0, 12))

    assert.equal(again.status, 1)
    assert.match(again.stderr, /evidence\/authentication|not confirmed/)
  })
})
