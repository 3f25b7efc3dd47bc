import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { CliFolder, jsonLines, mailboxOn, runCli } from '../support/cli.ts'
import { type ImapServer, startImapServer } from '../support/imap-server.ts'
import { type Pop3Server, startPop3Server } from '../support/pop3-server.ts'
import { sampleMessages } from '../support/sample-messages.ts'

const SAMPLES = sampleMessages()
const ENVIRONMENT = { PASSWORD: 'testpass' }
const folder = new CliFolder()

let imap: ImapServer
let pop3: Pop3Server
let config: string

before(async () => {
  imap = await startImapServer({ messages: SAMPLES.map(({ octets }) => ({ raw: octets })) })
  pop3 = await startPop3Server({ messages: SAMPLES.map(({ name, octets }) => ({ uidl: name, octets })) })
  const mailboxes = [
    mailboxOn(imap),
    mailboxOn(pop3, { id: 'invoices', protocol: 'pop3', afterArchive: 'delete' }),
  ]
  config = folder.write(
    'mailsluice.yaml',
    `
queues: { default: mail-events, invoices: invoice-events }
routes:
  - { queue: invoices, when: { attachment: application/pdf } }
mailboxes: ${JSON.stringify(mailboxes)}
`,
  )
})

after(async () => {
  await imap.close()
  await pop3.close()
  folder.remove()
})

describe('mailsluice on one machine', () => {
  const run = (...command: string[]) =>
    runCli([...command, '--config', config, folder.local('whole')], ENVIRONMENT)

  test('check tells archive, queues and mailboxes, and changes nothing', async () => {
    const { status, stdout } = await run('check')

    assert.equal(status, 0)
    assert.match(stdout, /^archive file:\/\/.*: no Object Lock$/m)
    assert.match(stdout, /^queue default: http:\/\/127\.0\.0\.1:\d+\/.*\/mail-events, 0 waiting$/m)
    assert.match(
      stdout,
      /^mailbox orders: imap 127\.0\.0\.1:\d+, TLS none, signed in as testuser\n {2}INBOX: 13 messages/m,
    )
    assert.match(stdout, /^mailbox invoices: pop3/m)
    assert.ok(imap.messages('INBOX').every(({ flags }) => flags.length === 0))
    assert.equal(pop3.maildrop.length, SAMPLES.length)
  })

  test('drain archives and announces both mailboxes, and deletes where it is told to', async () => {
    const { status, stdout, stderr } = await run('drain', '--json')

    assert.equal(status, 0, stderr)
    const reports = jsonLines(stdout)
    assert.deepEqual(
      reports
        .map(({ mailbox, announced, acknowledged, remaining }) => [
          mailbox,
          announced,
          acknowledged,
          remaining,
        ])
        .sort(),
      [
        ['invoices', SAMPLES.length, SAMPLES.length, 0],
        ['orders', SAMPLES.length, 0, 0],
      ],
    )
    assert.equal(pop3.maildrop.length, 0)
  })

  test('drain again has nothing to do', async () => {
    const { status, stdout } = await run('drain')
    assert.equal(status, 0)
    assert.match(stdout, /^orders: nothing new \(13 on the server\)$/m)
    assert.match(stdout, /^invoices: nothing new \(0 on the server\)$/m)
  })

  test('archive list has every message once, and archive get gives back its octets', async () => {
    const listed = jsonLines((await run('archive', 'list', 'orders', '--json')).stdout)
    assert.equal(listed.length, SAMPLES.length)

    const wanted = SAMPLES.find(({ name }) => name === 'forwarded')
    const entry = listed.find(({ subject }) => subject === 'Fwd: the complaint')
    const { status, stdout } = await run('archive', 'get', `orders/${String(entry?.sha256)}`)
    assert.equal(status, 0)
    assert.equal(stdout, wanted?.octets.toString('utf8'))

    const file = join(folder.path, 'got.eml')
    const short = String(entry?.sha256).slice(0, 10)
    assert.equal((await run('archive', 'get', short, '--output', file)).status, 0)
    assert.equal(readFileSync(file).compare(wanted?.octets as Buffer), 0)
  })

  test('archive get of what is not there fails, and of what names nothing is a mistake of usage', async () => {
    const missing = await run('archive', 'get', 'f'.repeat(64))
    assert.deepEqual([missing.status, missing.stdout], [1, ''])
    assert.match(missing.stderr, /no message f{64}/)
    assert.equal((await run('archive', 'get', 'xyz')).status, 2)
  })

  test('events receive takes events off the queue, each with a line or whole', async () => {
    const kept = jsonLines((await run('events', 'receive', '--queue', 'invoices', '--keep', '--json')).stdout)
    assert.equal(kept.length, 2, 'the invoice, from both mailboxes')
    const first = await run('events', 'receive', '--queue', 'invoices', '--max', '1')
    assert.match(
      first.stdout,
      /from billing@supplier\.example: Rechnung 2026-0042 € 119\n {2}1\.4 kB, ordinary, 2 attachments, parsed; file:/,
    )
    const rest = jsonLines(
      (await run('events', 'receive', '--queue', 'invoices', '--json', '--wait', '0')).stdout,
    )
    assert.equal(rest.length, 1)
    const none = await run('events', 'receive', '--queue', 'invoices', '--wait', '0')
    assert.deepEqual([none.status, none.stdout], [0, ''])
    assert.match(none.stderr, /nothing to receive/)
  })

  test('ledger verify says verified, and ledger show prints what was done', async () => {
    const verified = jsonLines((await run('ledger', 'verify', '--json')).stdout)
    assert.deepEqual(
      verified.map(({ mailbox, ok, messages, unrecorded }) => [mailbox, ok, messages, unrecorded]),
      [
        ['orders', true, SAMPLES.length, []],
        ['invoices', true, SAMPLES.length, []],
      ],
    )
    const { stdout } = await run('ledger', 'show', 'invoices')
    assert.match(stdout, /^invoices segment 1, /)
    assert.match(stdout, / {2}acknowledge INBOX: 13 messages to delete/)
    assert.match(stdout, / {2}acknowledged INBOX: 13 messages deleted/)
  })

  test('ledger verify finds an object that is gone, names it, and fails', async () => {
    const [entry] = jsonLines((await run('archive', 'list', 'orders', '--json', '--limit', '1')).stdout)
    const digest = String(entry?.sha256)
    const path = join(folder.path, 'whole', 'archive', 'raw', 'orders', digest.slice(0, 2), `${digest}.eml`)
    const copy = readFileSync(path)
    rmSync(path, { force: true })

    const { status, stdout, stderr } = await run('ledger', 'verify', 'orders')

    assert.equal(status, 1)
    assert.match(stdout, /1 PROBLEM:/)
    assert.match(stderr, new RegExp(`object-missing: raw/orders/${digest.slice(0, 2)}/${digest}\\.eml`))
    writeFileSync(path, copy)
  })

  test('apply stores the configuration, and a second time changes nothing', async () => {
    assert.match((await run('apply')).stdout, /Applied: 2 mailboxes/)
    assert.match((await run('apply')).stdout, /Nothing changed/)
  })
})
