import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { main } from '../../functions/mailsluice.cli.ts'
import { parseConfig } from '../../shared/contract/config-text.ts'
import type { Network } from '../../shared/discovery/discovery.ts'
import { collector } from '../support/cli.ts'
import { type ImapServer, startImapServer } from '../support/imap-server.ts'
import { startPop3Server } from '../support/pop3-server.ts'
import { noPseudoTerminal, typeInto } from '../support/pseudo-terminal.ts'
import { startTokenServer } from '../support/token-server.ts'

const LAUNCH = fileURLToPath(new URL('../../functions/launch.mjs', import.meta.url))
const PASSWORD = 'Marked-Password-4711'
const CLIENT_SECRET = 'Marked~client~secret'
const NOBODY: Network = { mx: async () => [], srv: async () => [], page: async () => undefined }

let imap: ImapServer
let folder: string
let at = 0
before(async () => {
  imap = await startImapServer({ password: PASSWORD, messages: [{ raw: 'Subject: x\r\n\r\nx\r\n' }] })
  folder = await mkdtemp(join(tmpdir(), 'mailsluice-init-'))
})
after(async () => {
  await imap.close()
  await rm(folder, { recursive: true })
})

/** A configuration that is not there yet. */
function newFile(): string {
  return join(folder, `${++at}.yaml`)
}

async function init(
  options: readonly string[],
  {
    answers,
    environment = {},
    network = NOBODY,
  }: { answers?: readonly string[]; environment?: Record<string, string>; network?: Network } = {},
) {
  const [stdout, stderr] = [collector(), collector()]
  const stdin = answers && Readable.from(answers.map((answer) => `${answer}\n`))
  const status = await main(['init', ...options], {
    stdout: stdout.stream,
    stderr: stderr.stream,
    stdin,
    environment,
    network,
  })
  return { status, stdout: stdout.text(), stderr: stderr.text() }
}

async function written(file: string) {
  const { config, problems } = parseConfig(await readFile(file, 'utf8'))
  assert.ok(config, problems?.join('\n'))
  return config.mailboxes
}

const here = (): string[] => [
  '--host',
  '127.0.0.1',
  '--port',
  String(imap.port),
  '--tls',
  'none',
  '--user',
  'testuser',
]

describe('init on a terminal', { skip: noPseudoTerminal() }, () => {
  test('a password mailbox: asked, typed unseen, tried, written, and ready to be drained', async () => {
    const cwd = await mkdtemp(join(folder, 'pty-'))
    const command = [
      process.execPath,
      LAUNCH,
      'init',
      '--host',
      '127.0.0.1',
      '--port',
      String(imap.port),
      '--tls',
      'none',
    ]
    const { status, screen } = await typeInto(
      command,
      [
        [/E-mail address: /, 'not an address'],
        [/expected an address[\s\S]*E-mail address: /, 'Invoices.2026@example.org'],
        [/Protocol \(imap, pop3\) \[imap\]: /, ''],
        [/Name to sign in with \[Invoices\.2026@example\.org\]: /, 'testuser'],
        [/Id of the mailbox \[invoices-2026\]: /, ''],
        [/Where the secret is kept .* \[file:secrets\/invoices-2026\]: /, ''],
        [/Password \(it is not shown\): /, PASSWORD],
      ],
      { cwd },
    )

    assert.equal(status, 0, screen)
    assert.match(screen, /Signed in to 127\.0\.0\.1:\d+ \(TLS none\): INBOX, 1 message\./)
    assert.match(screen, /Wrote mailsluice\.yaml with mailbox invoices-2026/)
    assert.ok(!screen.includes(PASSWORD), 'the password is on the screen')
    const secret = join(cwd, 'secrets/invoices-2026')
    assert.equal(await readFile(secret, 'utf8'), `${PASSWORD}\n`)
    assert.equal((await stat(secret)).mode & 0o777, 0o600)
    assert.equal(await readFile(join(cwd, 'secrets/.gitignore'), 'utf8'), '*\n')
    const [mailbox] = await written(join(cwd, 'mailsluice.yaml'))
    assert.deepEqual([mailbox?.id, mailbox?.credential], ['invoices-2026', 'file:secrets/invoices-2026'])
  })

  test('Microsoft 365 by POP3: what the administrator has to do, tenant, client id, client secret, and a log-in by access token', async () => {
    const tokens = await startTokenServer({ clients: { 'app-id': { secret: CLIENT_SECRET } } })
    const server = await startPop3Server({
      capabilities: ['UIDL', 'SASL PLAIN XOAUTH2'],
      answer(line) {
        if (line === 'AUTH XOAUTH2') return '+ \r\n'
        const [, user, token] =
          /^user=(.*)\x01auth=Bearer (.*)\x01\x01$/.exec(Buffer.from(line, 'base64').toString()) ?? []
        if (token === undefined) return { LIST: '+OK\r\n.\r\n', UIDL: '+OK\r\n.\r\n' }[line]
        const good = user === 'orders@contoso.example' && tokens.userOf(token) !== undefined
        return good ? '+OK\r\n' : '-ERR Authentication failure: unknown user name or bad password.\r\n'
      },
    })
    const cwd = await mkdtemp(join(folder, 'pty-'))
    try {
      const command = [
        ...[process.execPath, LAUNCH, 'init', 'orders@contoso.example', '--provider', 'microsoft365'],
        ...['--host', '127.0.0.1', '--port', String(server.port), '--tls', 'none', '--token-url', tokens.url],
      ]
      const { status, screen } = await typeInto(
        command,
        [
          [/E-mail address \[orders@contoso\.example\]: /, ''],
          [/Protocol \(imap, pop3\) \[imap\]: /, 'pop3'],
          [/New-ServicePrincipal[\s\S]*Application \(client\) id: /, 'app-id'],
          [/Name to sign in with \[orders@contoso\.example\]: /, ''],
          [/Id of the mailbox \[orders\]: /, ''],
          [/Where the secret is kept .*: /, ''],
          [/or "secret" to type a client secret: /, 'secret'],
          [/Client secret \(it is not shown\): /, CLIENT_SECRET],
        ],
        { cwd },
      )

      assert.equal(status, 0, screen)
      assert.match(screen, /POP\.AccessAsApp[\s\S]*Add-MailboxPermission/)
      assert.match(screen, /Signed in to 127\.0\.0\.1/)
      assert.ok(!screen.includes(CLIENT_SECRET), 'the secret is on the screen')
      assert.equal(tokens.requests[0]?.get('scope'), 'https://outlook.office365.com/.default')
      const [mailbox] = await written(join(cwd, 'mailsluice.yaml'))
      assert.equal(mailbox?.provider, 'microsoft365')
      assert.equal(mailbox?.oauth2?.clientId, 'app-id')
    } finally {
      await server.close()
      await tokens.close()
    }
  })

  test('Ctrl-C writes nothing', async () => {
    const cwd = await mkdtemp(join(folder, 'pty-'))
    const { status, screen } = await typeInto(
      [process.execPath, LAUNCH, 'init', 'a@gmx.net'],
      [[/E-mail address .*: /, '\x03']],
      { cwd },
    )
    assert.equal(status, 2, screen)
    await assert.rejects(stat(join(cwd, 'mailsluice.yaml')), { code: 'ENOENT' })
  })
})

describe('init with answers from a file or from options', () => {
  test('lines on stdin are the answers', async () => {
    const file = newFile()
    const answers = ['a@example.org', 'imap', 'a', `file:secret-${at}`, PASSWORD]
    const { status, stdout, stderr } = await init(['--config', file, '--json', ...here()], { answers })

    assert.equal(status, 0, stderr)
    const { tested, mailbox } = JSON.parse(stdout)
    assert.deepEqual([tested, mailbox], [true, 'a'])
    assert.doesNotMatch(stdout + stderr + (await readFile(file, 'utf8')), /Marked/)
  })

  test('found by the MX of the domain: Microsoft 365 is asked for its tenant, which makes the token endpoint', async () => {
    const file = newFile()
    const network = { ...NOBODY, mx: async () => ['contoso-example.mail.protection.outlook.com'] }
    const answers = ['orders@contoso.example', 'y', 'imap', 'contoso.example', 'app-id', '', '', 'ssm:/m365']
    const { status, stderr } = await init(['--config', file, '--no-test'], { answers, network })

    assert.equal(status, 0, stderr)
    assert.match(stderr, /It is Microsoft 365 \(by MX contoso-example\.mail\.protection\.outlook\.com\)/)
    const [mailbox] = await written(file)
    assert.deepEqual(
      [mailbox?.host, mailbox?.user, mailbox?.oauth2?.tokenUrl],
      [
        'outlook.office365.com',
        'orders@contoso.example',
        'https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token',
      ],
    )
  })

  test('too few of them write nothing', async () => {
    const file = newFile()
    const { status, stderr } = await init(['--config', file, ...here()], { answers: ['a@example.org'] })
    assert.equal(status, 2)
    assert.match(stderr, /stopped before the last answer; nothing was written/)
    await assert.rejects(stat(file), { code: 'ENOENT' })
  })

  test('--yes asks nobody, and names the option of an answer that is missing', async () => {
    const file = newFile()
    const options = ['a@example.org', '--yes', '--config', file, '--credential', 'env:PW']
    const environment = { PW: PASSWORD }
    assert.match((await init(options, { environment })).stderr, /--host: missing; expected Mail server/)
    const { status, stderr } = await init([...options, ...here()], { environment })
    assert.equal(status, 0, stderr)
    assert.equal((await written(file))[0]?.user, 'testuser')
  })

  test('a log-in that is refused is told with what to do, and not written unless it is wanted', async () => {
    const file = newFile()
    const options = ['a@example.org', '--yes', '--config', file, '--credential', 'env:PW', ...here()]
    const { status, stderr } = await init(options, { environment: { PW: 'wrong' } })
    assert.equal(status, 1)
    assert.match(stderr, /AUTHENTICATION_FAILED: .*\n {2}Check user and credential/)
    await assert.rejects(stat(file), { code: 'ENOENT' })
    const untested = await init([...options, '--no-test'])
    assert.equal(untested.status, 0, untested.stderr)
  })

  test('a secret in place of its place is refused and not shown', async () => {
    const options = ['a@example.org', '--yes', '--config', newFile(), '--credential', PASSWORD, ...here()]
    const { status, stdout, stderr } = await init(options)
    assert.equal(status, 2)
    assert.match(stderr, /credential: expected where the secret is, and not the secret/)
    assert.doesNotMatch(stdout + stderr, /Marked/)
  })

  test('an unknown provider is named with those that are known', async () => {
    const { status, stderr } = await init([
      'a@b.example',
      '--yes',
      '--provider',
      'hotmail',
      '--config',
      newFile(),
    ])
    assert.equal(status, 2)
    assert.match(stderr, /--provider: hotmail is not known; expected gmail, google-workspace/)
  })
})

describe('init beside a configuration that is there', () => {
  const TEXT = `# ours
queues: { default: q } # the queue
mailboxes:
  - id: a # the first one
    protocol: pop3
    host: h.example
    user: u
    credential: env:A
`

  const addTo = (file: string, address: string) =>
    init([address, '--yes', '--no-test', '--config', file, '--credential', 'env:B'])

  test('adds the mailbox, and leaves comments and all the rest as they are', async () => {
    const file = newFile()
    await writeFile(file, TEXT)
    const { status, stderr } = await addTo(file, 'a@gmx.net')

    assert.equal(status, 0, stderr)
    const text = await readFile(file, 'utf8')
    assert.ok(text.startsWith(TEXT), text)
    assert.deepEqual(
      (await written(file)).map(({ id }) => id),
      ['a', 'a-2'],
    )
  })

  test('with mistakes in it does not touch it', async () => {
    const file = newFile()
    const broken = TEXT.replace('pop3', 'smtp')
    await writeFile(file, broken)
    const { status, stderr } = await addTo(file, 'b@gmx.net')
    assert.equal(status, 2)
    assert.match(stderr, /correct this first; nothing was written/)
    assert.equal(await readFile(file, 'utf8'), broken)
  })

  test('does not overwrite what somebody else writes meanwhile', async () => {
    const file = newFile()
    await writeFile(file, TEXT)
    const network: Network = {
      ...NOBODY,
      mx: async () => {
        await writeFile(file, `${TEXT}# theirs\n`)
        return ['aspmx.l.google.com']
      },
    }
    const options = [
      'b@acme.example',
      '--yes',
      '--no-test',
      '--config',
      file,
      '--credential',
      'file:key.json',
    ]
    const { status, stderr } = await init(options, { network })
    assert.equal(status, 2)
    assert.match(stderr, /somebody else has changed it meanwhile/)
    assert.match(await readFile(file, 'utf8'), /# theirs\n$/)
  })

  test('an id that is taken is refused', async () => {
    const file = newFile()
    await writeFile(file, TEXT)
    const { status, stderr } = await init(['b@gmx.net', '--yes', '--id', 'a', '--config', file])
    assert.equal(status, 2)
    assert.match(stderr, /--id: a is taken/)
  })
})
