import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { CliFolder, jsonLines, runCli } from '../support/cli.ts'

const folder = new CliFolder()
after(() => folder.remove())

const CONFIG = folder.write(
  'mailsluice.yaml',
  `
archive: { bucket: acme-mail-archive }
queues: { default: mail-events, invoices: invoice-events, audit: audit-events }
routes:
  - { queue: audit, when: { not: { class: [bounce, auto-reply] } }, continue: true }
  - queue: [invoices, audit]
    when: { to: "invoices@*", any: [{ attachment: { type: "*/xml", minOctets: 3 } }, { header: { X-Kind: "inv*" } }] }
  - { queue: default, when: { subject: "*" } }
mailboxes:
  - { id: orders, protocol: imap, host: imap.example.com, user: u, credential: env:X }
  - { id: invoices, protocol: imap, host: imap.example.com, user: u, credential: env:X }
`,
)

const INVOICE = folder.write(
  'invoice.eml',
  'From: a@b.example\r\nTo: <invoices+4711@acme.example>\r\nX-Kind: Invoice\r\nSubject: \u001b[31m =?utf-8?q?=1b[2J=E2=80=AE?=\r\n\r\nHello.\r\n',
)

const routesTest = (...more: string[]) => runCli(['routes', 'test', ...more, '--config', CONFIG])

describe('routes test', () => {
  test('shows each route with what its conditions found, and where the message goes', async () => {
    const { status, stdout, stderr } = await routesTest(INVOICE)

    assert.deepEqual([status, stderr], [0, ''])
    assert.equal(
      stdout,
      `routes[0] to audit: takes it and continues
  + not
    - class bounce | auto-reply finds "ordinary"
routes[1] to invoices and audit: takes it
  + to invoices@* matches "invoices@acme.example"
  + any
    - any[0]
      - attachment type */xml, minOctets 3 finds nothing
    + any[1]
      + header.x-kind inv* matches "Invoice"
routes[2] to default: not looked at: a route above takes the message
  + subject * matches "[31m [2J\ufffd"
From mailbox orders (--mailbox names another) it goes to audit and invoices.
`,
    )
  })

  test('with --json says the same, one object for each route and one for the message', async () => {
    const lines = jsonLines((await routesTest(INVOICE, '--json', '--mailbox', 'invoices')).stdout)

    assert.deepEqual(
      lines.slice(0, 3).map(({ route, reached, taken, queues }) => [route, reached, taken, queues]),
      [
        [0, true, true, ['audit']],
        [1, true, true, ['invoices', 'audit']],
        [2, false, false, ['default']],
      ],
    )
    assert.deepEqual(lines[3], {
      mailbox: 'invoices',
      class: 'ordinary',
      parse: 'parsed',
      queues: ['audit', 'invoices'],
    })
  })

  test('of a message that no route takes says so', async () => {
    const config = folder.write(
      'narrow.yaml',
      'archive: { bucket: acme }\nqueues: { default: q }\nroutes: [{ queue: default, when: { from: "x@*" } }]\nmailboxes: [{ id: a, protocol: imap, host: h, user: u, credential: env:A }]',
    )
    const { stdout } = await runCli(['routes', 'test', INVOICE, '--config', config])
    assert.match(stdout, /^From mailbox a it goes to default, for no route takes it\.$/m)
  })

  test('needs neither bucket nor certificate nor deployment, and asks nobody', async () => {
    const config = (archive: string) => `
${archive}queues: { default: mail-events }
routes: [{ queue: default, when: { to: "invoices@*" } }]
mailboxes: [{ id: a, protocol: imap, host: h, user: u, credential: env:A, ca: ./nowhere.pem }]
`
    for (const [name, archive] of Object.entries({
      nothing: '',
      deployment: 'aws: { stack: nobody-deployed-it }\n',
      derived: 'derived: { bucket: acme-derived }\n',
    })) {
      const file = folder.write(`${name}.yaml`, config(archive))
      const { status, stdout, stderr } = await runCli(['routes', 'test', INVOICE, '--config', file], {
        AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
      })

      assert.deepEqual([status, stderr], [0, ''], name)
      assert.match(stdout, /^From mailbox a it goes to default\.$/m)
    }
  })

  test('of a configuration with mistakes names each of them and what is expected', async () => {
    const wrong = folder.write(
      'wrong.yaml',
      'queues: { default: q }\nroutes: [{ queue: nowhere, when: { form: "x@*" } }]\nmailboxes: [{ id: a, protocol: imap, host: h, user: u, credential: env:A }]',
    )

    const { status, stdout, stderr } = await runCli(['routes', 'test', INVOICE, '--config', wrong])

    assert.deepEqual([status, stdout], [2, ''])
    assert.match(stderr, /wrong\.yaml: 2 mistakes/)
    assert.match(stderr, /routes\[0\]\.queue: .*nowhere/)
    assert.match(stderr, /routes\[0\]\.when\.?.*form/)
    const missing = await runCli(['routes', 'test', INVOICE, '--config', 'nowhere.yaml'])
    assert.equal(missing.status, 2)
    assert.match(missing.stderr, /nowhere\.yaml.*\n.*cannot be read.*--config FILE/)
  })

  test('of a file that is not there, or of a mailbox that is not configured, is a usage error', async () => {
    const missing = await routesTest('nowhere.eml')
    assert.equal(missing.status, 2)
    assert.match(missing.stderr, /nowhere\.eml cannot be read: ENOENT/)
    const unknown = await routesTest(INVOICE, '--mailbox', 'nobody')
    assert.equal(unknown.status, 2)
    assert.match(unknown.stderr, /nobody is not configured; there are orders, invoices/)
  })
})
