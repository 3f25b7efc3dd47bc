import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CliFolder, jsonLines, mailboxOn, runCli, startCli } from '../support/cli.ts'
import { runExample } from '../support/examples.ts'
import { type ImapServer, startImapServer } from '../support/imap-server.ts'

// From the mailbox to the folder: drained by the command line, served by it, consumed by the example.

const folder = new CliFolder()
const ENVIRONMENT = { PASSWORD: 'testpass' }
const PDF = '%PDF-1.4 one'
const XML = '<?xml version="1.0"?><Invoice/>'

function mail(subject: string, ...parts: readonly [type: string, name: string, content: string][]): string {
  const body = parts.map(
    ([type, name, content]) =>
      `--b\r\nContent-Type: ${type}\r\nContent-Disposition: attachment; filename="${name}"\r\nContent-Transfer-Encoding: base64\r\n\r\n${Buffer.from(content).toString('base64')}\r\n`,
  )
  return `From: billing@supplier.example\r\nSubject: ${subject}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee attached\r\n${body.join('')}--b--\r\n`
}

const MESSAGES = [
  mail('both', ['application/pdf', 'Rechnung März.pdf', PDF], ['text/xml', 'xrechnung.xml', XML]),
  mail('no document', ['image/png', 'logo.png', 'png']),
  mail('no type', ['application/octet-stream', '../../etc/passwd', `${PDF} two`]),
  mail('same name', ['application/pdf', 'Rechnung März.pdf', `${PDF} three`]),
  `Auto-Submitted: auto-replied\r\n${mail('a machine', ['application/pdf', 'x.pdf', PDF])}`,
]

let imap: ImapServer
before(async () => {
  imap = await startImapServer({ messages: MESSAGES.map((raw) => ({ raw: Buffer.from(raw) })) })
})
after(async () => {
  await imap.close()
  folder.remove()
})

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

for (const [how, route] of Object.entries({
  'out of the messages': {},
  'that a route extracts': { extract: ['application/pdf', '*/xml'] },
}))
  test(`the example of invoices keeps PDF and XML ${how}, with a manifest`, async () => {
    const local = how.replaceAll(' ', '-')
    const config = folder.write(
      `${local}.yaml`,
      JSON.stringify({
        queues: { default: 'events', invoices: 'invoices' },
        routes: [{ queue: 'invoices', when: {}, ...route }],
        mailboxes: [mailboxOn(imap)],
      }),
    )
    const { status, stderr } = await runCli(['drain', '--config', config, folder.local(local)], ENVIRONMENT)
    assert.equal(status, 0, stderr)
    const serving = startCli(['events', 'serve', '--json', '--config', config, folder.local(local)])
    try {
      await serving.until('stdout', /\n/)
      const [{ endpoint = '', queues = {} } = {}] = jsonLines(serving.stdout())
      const FOLDER = join(folder.path, `${local}-invoices`)
      const environment = {
        QUEUE_URL: (queues as Record<string, string>).invoices ?? '',
        AWS_ENDPOINT_URL_SQS: endpoint as string,
        LOCAL: join(folder.path, local),
        FOLDER,
      }

      await runExample('invoices', environment)
      const manifest = jsonLines(readFileSync(join(FOLDER, 'manifest.ndjson'), 'utf8'))
      const found = manifest.sort((a, b) => String(a.subject).localeCompare(String(b.subject)))

      assert.deepEqual(
        found.map(({ subject, from, sha256 }) => [subject, from, sha256]),
        [
          ['both', 'billing@supplier.example', sha256(PDF)],
          ['both', 'billing@supplier.example', sha256(XML)],
          ['no type', 'billing@supplier.example', sha256(`${PDF} two`)],
          ['same name', 'billing@supplier.example', sha256(`${PDF} three`)],
        ],
      )
      const files = readdirSync(FOLDER).filter((name) => !['.seen', 'manifest.ndjson'].includes(name))
      assert.deepEqual(files.sort(), found.map(({ file }) => file).sort())
      for (const { file, sha256: digest } of found)
        assert.equal(sha256(readFileSync(join(FOLDER, String(file)), 'utf8')), digest)
    } finally {
      serving.child.kill()
      await serving.ended
    }
  })
