import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { main } from '../../functions/mailsluice.cli.ts'
import { collector, runCli, startCli } from '../support/cli.ts'
import {
  CLIENT_SECRET,
  type MarkedServers,
  PASSWORD,
  REFRESH_TOKEN,
  REFUSED,
  SECRETS,
  startMarkedServers,
} from '../support/marked-secrets.ts'

// Marked secrets go through every command, with servers that take them, refuse them and send them back; then everything that was said and
// written is searched for them. The functions and the relay as they are deployed are in secrets-deployed.test.ts.

let folder: string
let config: string
let servers: MarkedServers
let said = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailsluice-secrets-'))
  servers = await startMarkedServers()
  for (const [name, secret] of Object.entries(SECRETS))
    await writeFile(join(folder, name), secret, { mode: 0o600 })
  config = join(folder, 'mailsluice.yaml')
  const mailboxes = servers.mailboxes((secret) => (secret === 'password' ? 'env:PASSWORD' : `file:${secret}`))
  await writeFile(config, JSON.stringify({ queues: { default: 'q' }, mailboxes }))
})
after(async () => {
  await servers.close()
  await rm(folder, { recursive: true })
})

const given = (): string[] => ['--config', config, `--local=${join(folder, 'local')}`]

async function run(...command: string[]): Promise<string> {
  const { stdout, stderr } = await runCli([...command, ...given()], { PASSWORD })
  const text = `${command.join(' ')}\n${stdout}\n${stderr}\n`
  said += text
  return text
}

describe('marked secrets, through every command', () => {
  test('with servers that take them, refuse them and send them back', async () => {
    const drained = await run('drain', '--json')
    for (const [id, code] of Object.entries(REFUSED))
      assert.match(drained, new RegExp(`${id} \\(127\\.0\\.0\\.1:\\d+\\): ${code}`), drained)
    for (const command of [
      ['check', '--debug'],
      ['check', '--json'],
      ['drain', '--debug', '--json'],
      ['drain', '--dry-run'],
      ['ledger', 'show', '--json'],
      ['ledger', 'verify'],
      ['archive', 'list', '--json'],
      ['events', 'receive', '--full', '--keep'],
      ['events', 'receive', '--json'],
      ['apply'],
    ])
      await run(...command)
    assert.ok(servers.accessTokens.length > 0)
    assert.match(said, /S: -ERR \[AUTH\] you said PASS \*\*\*/)
    assert.match(said, /"type": ?"mailsluice\.message\.archived\.v1"/)
  })

  test('and the relay, which suspends the mailboxes and says so by events', async () => {
    const relay = startCli(['relay', '--debug', '--json', ...given()], { PASSWORD })
    try {
      for (const id of Object.keys(REFUSED))
        await relay.until('stdout', new RegExp(`"mailbox":"${id}","kind":"suspended"`))
      relay.child.kill('SIGTERM')
      const { status, stdout, stderr } = await relay.ended
      assert.equal(status, 0, stderr)
      said += stdout + stderr
    } finally {
      relay.child.kill('SIGKILL')
    }
    assert.match(await run('events', 'receive', '--full', '--keep'), /mailsluice\.mailbox\.suspended\.v1/)
    assert.match(await run('check'), /suspended since/)
  })

  test('and init, where they are typed', async () => {
    const answers = { imap: PASSWORD, 'bearer-imap': CLIENT_SECRET, withdrawn: REFRESH_TOKEN }
    const mailboxes = servers.mailboxes(() => '') as { id: string; protocol: string; port: number }[]
    for (const [id, secret] of Object.entries(answers)) {
      const mailbox = mailboxes.find((each) => each.id === id)
      assert.ok(mailbox)
      const { oauth2 } = mailbox as { oauth2?: { grant: string; clientId: string; tokenUrl: string } }
      const file = join(folder, `init-${id}.yaml`)
      const options = [
        ...['init', 'a@example.org', '--config', file, '--debug', '--id', id, '--user', 'testuser'],
        ...['--host', '127.0.0.1', '--tls', 'none', '--protocol', mailbox.protocol],
        ...['--port', String(mailbox.port), '--credential', `file:typed-${id}`],
        ...(oauth2
          ? [
              '--auth',
              'oauth2',
              '--grant',
              oauth2.grant,
              '--token-url',
              oauth2.tokenUrl,
              '--client-id',
              'app',
            ]
          : []),
      ]
      const typed = [
        'a@example.org',
        ...(oauth2?.grant === 'client-credentials' ? ['secret'] : []),
        secret,
        'y',
      ]
      const [stdout, stderr] = [collector(), collector()]
      await main(options, {
        stdout: stdout.stream,
        stderr: stderr.stream,
        stdin: Readable.from(typed.map((line) => `${line}\n`)),
        environment: {},
      })
      assert.equal(await readFile(join(folder, `typed-${id}`), 'utf8'), `${secret}\n`, stderr.text())
      assert.match(stderr.text(), new RegExp(REFUSED[id as keyof typeof REFUSED]))
      said += stdout.text() + stderr.text() + (await readFile(file, 'utf8'))
    }
  })

  test('and mistakes in the configuration', async () => {
    const broken = join(folder, 'broken.yaml')
    for (const line of [
      `credential: ${CLIENT_SECRET}`,
      `password: ${REFRESH_TOKEN}`,
      `oauth2: { clientSecret: ${REFRESH_TOKEN} }`,
    ]) {
      await writeFile(
        broken,
        `queues: { default: q }\nmailboxes:\n  - id: a\n    provider: microsoft365\n    user: u\n    ${line}\n`,
      )
      const { status, stdout, stderr } = await runCli(['check', '--config', broken, '--local'])
      assert.equal(status, 2)
      said += stdout + stderr
    }
  })

  test('stand nowhere in what was said', () => servers.assertWithoutSecrets(said, 'the output'))

  test('nor in archive, ledger, queues and state', async () => {
    const files = (await readdir(join(folder, 'local'), { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile(),
    )
    assert.ok(files.some(({ parentPath }) => parentPath.includes('suspensions')))
    for (const { parentPath, name } of files) {
      const path = join(parentPath, name)
      servers.assertWithoutSecrets((await readFile(path)).toString('latin1'), path)
    }
  })
})
