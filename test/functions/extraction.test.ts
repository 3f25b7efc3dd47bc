import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CliFolder, jsonLines, mailboxOn, runCli } from '../support/cli.ts'
import { startImapServer } from '../support/imap-server.ts'

const PDF = Buffer.from('%PDF-1.7\nan invoice\n')
const LETTER = [
  'From: a@b.example',
  'To: invoices@example.com',
  'Subject: Invoice',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  '',
  'See the attachment.',
  '--b',
  'Content-Type: application/pdf; name="invoice.pdf"',
  'Content-Transfer-Encoding: base64',
  '',
  PDF.toString('base64'),
  '--b--',
  '',
].join('\r\n')

test('what a route extracts is a file of its own before its message is announced, where the event says', async () => {
  const folder = new CliFolder()
  const imap = await startImapServer({ messages: [{ raw: LETTER }] })
  after(async () => {
    await imap.close()
    folder.remove()
  })
  const file = folder.write(
    'mailsluice.yaml',
    JSON.stringify({
      queues: { default: 'q' },
      routes: [{ queue: 'default', when: { to: 'invoices@*' }, extract: ['application/pdf'] }],
      mailboxes: [mailboxOn(imap)],
    }),
  )
  const run = (...command: string[]) =>
    runCli([...command, '--json', '--config', file, folder.local('stores')], { PASSWORD: 'testpass' })

  assert.equal((await run('drain')).status, 0)
  const { stdout } = await run('events', 'receive')

  const [event] = jsonLines(stdout) as {
    data: { attachments: { uri: string; sha256: string; name: string }[] }
  }[]
  const [attachment] = event?.data.attachments ?? []
  assert.equal(attachment?.name, 'invoice.pdf')
  assert.equal(attachment.sha256, createHash('sha256').update(PDF).digest('hex'))
  assert.deepEqual(readFileSync(fileURLToPath(attachment.uri)), PDF)
})
