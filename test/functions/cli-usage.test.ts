import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { makeAuthority } from '../support/certificates.ts'
import { CliFolder, mailboxOn, runCli } from '../support/cli.ts'
import { type ImapServer, startImapServer } from '../support/imap-server.ts'
import { mail } from '../support/imap-session.ts'

const ENVIRONMENT = { PASSWORD: 'testpass' }
const folder = new CliFolder()
const LOCAL = folder.local('stores')

let imap: ImapServer
let config: string

before(async () => {
  imap = await startImapServer({ messages: [mail(1)] })
  config = folder.config('mailsluice.yaml', mailboxOn(imap))
})

after(async () => {
  await imap.close()
  folder.remove()
})

describe('mistakes of usage end with status 2 and nothing on stdout', () => {
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['an unknown command', ['drian'], /unknown command 'drian'\n\(Did you mean drain\?\)/],
    ['no command', [], /^Usage: mailsluice/],
    ['half a command', ['events'], /^Usage: mailsluice events/],
    ['an unknown option', ['drain', '--unknown'], /unknown option '--unknown'\nTry mailsluice --help/],
    ['an operand too many', ['archive', 'get', 'a', 'b'], /too many arguments/],
    ['an operand too few', ['archive', 'get'], /missing required argument 'id'/],
    ['a number that is none', ['events', 'receive', '--max', '0'], /Expected a whole number above 0/],
    ['a wait that SQS has not', ['events', 'receive', '--wait', '21'], /Expected seconds from 0 to 20/],
    [
      'a time without unit',
      ['drain', '--for', '5'],
      /5 is not a duration; expected a number and a unit: 90s, 5m, 1h or 1d/,
    ],
    ['a local folder without name', ['drain', '--local='], /Expected a folder, or --local alone/],
    ['a mailbox that is not configured', ['drain', 'nobody'], /nobody is not configured; there are orders/],
    [
      'a queue that is not configured',
      ['events', 'receive', '--queue', 'constructor'],
      /constructor is not configured; there are default/,
    ],
    [
      'what names no message',
      ['archive', 'get', 'xyz'],
      /xyz names no message; expected a SHA-256 or its first 6 digits/,
    ],
  ]
  for (const [name, arguments_, said] of cases)
    test(name, async () => {
      const { status, stdout, stderr } = await runCli(['--config', config, LOCAL, ...arguments_], ENVIRONMENT)
      assert.deepEqual([status, stdout], [2, ''])
      assert.match(stderr, said)
    })

  test('queues of AWS cannot be served', async () => {
    const { status, stderr } = await runCli(['events', 'serve', '--config', withBucket()])
    assert.equal(status, 2)
    assert.match(
      stderr,
      /events serve: 1 mistake\n {2}serves the queues of one machine; expected --local\[=DIR\]/,
    )
  })

  test('applying needs a bucket that the Lambdas read', async () => {
    const { status, stderr } = await runCli(['apply', '--config', withBucket()])
    assert.equal(status, 2)
    assert.match(stderr, /state\.bucket: missing; expected the bucket that the Lambdas read/)
  })

  const withBucket = (): string =>
    folder.write(
      'bucket.yaml',
      JSON.stringify({
        archive: { bucket: 'acme-mail' },
        queues: { default: 'q' },
        mailboxes: [mailboxOn(imap)],
      }),
    )
})

describe('mistakes of configuration end with status 2 and all of them on stderr', () => {
  const check = (file: string, ...more: string[]) => runCli(['check', '--config', file, ...more], ENVIRONMENT)

  test('a file that is not there', async () => {
    const { status, stderr } = await check(join(folder.path, 'none.yaml'), LOCAL)
    assert.equal(status, 2)
    assert.match(stderr, /none\.yaml: 1 mistake\n {2}cannot be read: ENOENT.*; name it with --config FILE/)
  })

  test('a folder in its place', async () => {
    const { status, stderr } = await check(folder.path, LOCAL)
    assert.equal(status, 2)
    assert.match(stderr, /cannot be read: EISDIR/)
  })

  test('no bucket, and neither --local', async () => {
    const { status, stderr } = await check(config)
    assert.equal(status, 2)
    assert.match(stderr, /archive\.bucket: missing; .*--local/)
  })

  test('what is no YAML, with its line', async () => {
    const { status, stderr } = await check(folder.write('broken.yaml', 'queues: {\n'), LOCAL)
    assert.equal(status, 2)
    assert.match(stderr, /broken\.yaml: 1 mistake\n {2}line 2, column 1: not valid YAML: /)
  })

  test('many at once, each with its path and what is expected, and the secret in none', async () => {
    const file = folder.write(
      'mistakes.yaml',
      `
archiv: { bucket: x }
queues: { main: mail-events }
routes:
  - { queue: nowhere, when: { to: "a@*" } }
mailboxes:
  - { id: Invoices, protocol: imap, host: imap.example.com, user: u, credential: env:X }
  - { id: b, protocol: smtp, host: h.example.com, user: u, credential: env:X }
  - { id: c, protocol: imap, host: h.example.com, tls: none, user: u, credential: "plain password" }
  - { id: d, protocol: pop3, host: h.example.com, user: u, credential: env:X, folders: ["*"], afterArchive: seen, every: 5 }
  - { id: e, protocol: imap, host: h.example.com, port: 99999, user: u, credential: env:X, colour: red }
`,
    )
    const { status, stdout, stderr } = await check(file, LOCAL)

    assert.deepEqual([status, stdout], [2, ''])
    const [first = '', ...lines] = stderr.trimEnd().split('\n')
    assert.match(first, /^mailsluice: .*mistakes\.yaml: 12 mistakes$/)
    assert.deepEqual(
      lines.map((line) => /^ {2}(\S+): .*(expected|allowed only|POP3 has)/.exec(line)?.[1]),
      [
        'archiv',
        'mailboxes[0].id',
        'mailboxes[1].protocol',
        'mailboxes[2].credential',
        'mailboxes[2].tls',
        'mailboxes[3].afterArchive',
        'mailboxes[3].every',
        'mailboxes[3].folders',
        'mailboxes[4].colour',
        'mailboxes[4].port',
        'queues',
        'routes[0].queue',
      ],
    )
    assert.doesNotMatch(stderr, /plain password/)
  })

  test('a private CA that is not there, and one that is none', async () => {
    folder.write('no-ca.pem', 'hello')
    folder.write('broken-ca.pem', makeAuthority().caPem.replace(/\n[^\n]{20}/, '\n'))
    const file = folder.config(
      'ca.yaml',
      mailboxOn(imap, { id: 'a', ca: 'nowhere.pem' }),
      mailboxOn(imap, { id: 'b', ca: 'no-ca.pem' }),
      mailboxOn(imap, { id: 'c', ca: 'broken-ca.pem' }),
    )
    const { status, stderr } = await check(file, LOCAL)
    assert.equal(status, 2)
    assert.match(stderr, /3 mistakes\n {2}mailboxes\[0\]\.ca: cannot be read: ENOENT/)
    assert.match(stderr, /mailboxes\[1\]\.ca: no-ca\.pem holds no certificate; expected PEM/)
    assert.match(stderr, /mailboxes\[2\]\.ca: broken-ca\.pem holds no certificate; expected PEM/)
  })
})

describe('help', () => {
  for (const command of [
    'check',
    'drain',
    'events receive',
    'events serve',
    'archive list',
    'archive get',
    'archive verify',
    'ledger show',
    'ledger verify',
    'ledger reconcile',
    'quarantine list',
    'quarantine show',
    'quarantine retry',
    'quarantine dismiss',
    'routes test',
    'apply',
  ])
    test(`of ${command} has its options, those of every command, and examples of it`, async () => {
      const { status, stdout, stderr } = await runCli([...command.split(' '), '--help'])
      assert.deepEqual([status, stderr], [0, ''])
      assert.match(stdout, /^ {2}--local\[=DIR\] /m)
      assert.match(stdout, new RegExp(`^Examples:\\n {2}npx mailsluice ${command}`, 'm'))
    })

  test('of the whole tells what the exit status means', async () => {
    assert.match((await runCli(['--help'])).stdout, /Exit status: 0 done, 1 something failed .*, 2 usage/)
  })

  test('and the version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    assert.deepEqual(await runCli(['--version']), { status: 0, stdout: `${version}\n`, stderr: '' })
  })
})

describe('archive get --output', () => {
  const get = (file: string) =>
    runCli(['archive', 'get', '--output', file, '--config', config, folder.local('got'), sha], ENVIRONMENT)
  let sha = ''

  before(async () => {
    await runCli(['drain', '--config', config, folder.local('got')], ENVIRONMENT)
    const { stdout } = await runCli(['archive', 'list', '--json', '--config', config, folder.local('got')])
    sha = (JSON.parse(stdout) as { sha256: string }).sha256
  })

  test('writes the octets to a file', async () => {
    const file = join(folder.path, 'message.eml')
    assert.equal((await get(file)).status, 0)
    assert.equal(readFileSync(file, 'utf8'), mail(1).raw)
  })

  test('leaves a file alone that is there', async () => {
    const file = folder.write('there.eml', 'mine')
    const { status, stderr } = await get(file)
    assert.equal(status, 1)
    assert.match(stderr, /^mailsluice: --output .*there\.eml: EEXIST: /)
    assert.equal(readFileSync(file, 'utf8'), 'mine')
  })

  test('says when the file cannot be written', async () => {
    const { status, stderr } = await get(join(folder.path, 'nowhere', 'message.eml'))
    assert.equal(status, 1)
    assert.match(stderr, /^mailsluice: --output .*: ENOENT: /)
  })
})
