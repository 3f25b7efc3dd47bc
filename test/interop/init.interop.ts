import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { makeAuthority } from '../support/certificates.ts'
import { jsonLines, startCli } from '../support/cli.ts'
import { available, startDovecot } from '../support/dovecot.ts'
import { startOAuth2Dovecot } from '../support/dovecot-oauth2.ts'
import type { MailServer } from '../support/mail-server.ts'
import { noPseudoTerminal, typeInto } from '../support/pseudo-terminal.ts'
import { startTokenServer, type TokenServer } from '../support/token-server.ts'
import { letter, newUser } from './mail-servers.ts'

// A person at a terminal, with nothing but an address and what the provider gave: init asks, signs in and writes mailsluice.yaml, and what it has
// written is good for check and drain.

const LAUNCH = fileURLToPath(new URL('../../functions/launch.mjs', import.meta.url))
const missing = available() ?? (noPseudoTerminal() || undefined)

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailsluice-init-'))
})
after(() => rm(folder, { recursive: true }))

type Dialogue = Parameters<typeof typeInto>[1]

/** Types the answers in a folder of its own, which has the authority of the server as `ca.pem`; the folder and what was on the screen. */
async function initialize(server: MailServer, options: readonly string[], dialogue: Dialogue) {
  const cwd = await mkdtemp(join(folder, 'pty-'))
  await writeFile(join(cwd, 'ca.pem'), server.ca)
  const command = [process.execPath, LAUNCH, 'init', '--host', 'localhost', '--ca', 'ca.pem', ...options]
  const { status, screen } = await typeInto(command, dialogue, { cwd })
  assert.equal(status, 0, `${screen}\n${server.log()}`)
  return { cwd, screen }
}

/** What check and drain make of the written file, without anything else: the number of messages that were announced. */
async function checkAndDrain(cwd: string): Promise<number> {
  const run = async (command: string) => {
    const config = join(cwd, 'mailsluice.yaml')
    const { ended } = startCli([command, '--json', '--config', config, `--local=${join(cwd, 'local')}`])
    const { status, stdout, stderr } = await ended
    assert.equal(status, 0, `${command}: ${stderr}`)
    return jsonLines(stdout)
  }
  const checked = (await run('check')).find(({ kind }) => kind === 'mailbox')
  assert.equal(checked?.ok, true)
  const [report] = await run('drain')
  return Number(report?.announced)
}

const LETTERS = [letter(1), letter(2), letter(3)]

describe('init on a terminal, for a mailbox with a password on Dovecot', { skip: missing ?? false }, () => {
  let server: MailServer
  before(async () => {
    server = await startDovecot()
  })
  after(() => server.stop())

  for (const protocol of ['imap', 'pop3'] as const)
    test(`${protocol.toUpperCase()} over TLS: asked, tried, written; check finds it and drain empties it`, async () => {
      const user = newUser()
      await server.put(user, 'INBOX', LETTERS)
      const { cwd, screen } = await initialize(
        server,
        ['--port', String(server.ports[`${protocol}s`])],
        [
          [/E-mail address: /, user],
          [/Protocol \(imap, pop3\) \[imap\]: /, protocol],
          [/Name to sign in with \[.*\]: /, ''],
          [/Id of the mailbox \[.*\]: /, 'invoices'],
          [/Where the secret is kept .* \[file:secrets\/invoices\]: /, ''],
          [/Password \(it is not shown\): /, server.password],
        ],
      )

      assert.match(screen, /Signed in to localhost:\d+ \(TLS TLSv1\.[23]\): INBOX, 3 messages\./)
      assert.ok(!screen.includes(server.password), 'the password is on the screen')
      assert.equal(await checkAndDrain(cwd), 3)
    })

  test('a wrong password is told, and nothing is written unless it is wanted', async () => {
    const cwd = await mkdtemp(join(folder, 'pty-'))
    await writeFile(join(cwd, 'ca.pem'), server.ca)
    const options = ['--host', 'localhost', '--ca', 'ca.pem', '--port', String(server.ports.imaps)]
    const { status, screen } = await typeInto(
      [process.execPath, LAUNCH, 'init', newUser(), ...options, '--protocol', 'imap', '--id', 'a'],
      [
        [/E-mail address \[.*\]: /, ''],
        [/Name to sign in with \[.*\]: /, ''],
        [/Where the secret is kept .*: /, ''],
        [/Password \(it is not shown\): /, 'wrong'],
        [/AUTHENTICATION_FAILED[\s\S]*Write it all the same\? \(y\/n\) \[n\]: /, ''],
      ],
      { cwd },
    )
    assert.equal(status, 1, screen)
    assert.match(screen, /Nothing was written to mailsluice\.yaml/)
    await assert.rejects(readFile(join(cwd, 'mailsluice.yaml')), { code: 'ENOENT' })
  })
})

describe('init on a terminal, for Microsoft 365 in the person of Dovecot and a token server', {
  skip: missing ?? false,
}, () => {
  const SECRET = 'Marked~client~secret'
  const certificate = makeAuthority().issue({ names: ['mailsluice'], key: 'rsa' })
  const [bySecret, byCertificate] = [newUser(), newUser()]
  let tokens: TokenServer
  let server: MailServer
  before(async () => {
    tokens = await startTokenServer({
      clients: {
        'secret-app': { secret: SECRET, user: bySecret },
        'certificate-app': { certificatePem: certificate.certPem, user: byCertificate },
      },
    })
    server = await startOAuth2Dovecot('xoauth2', tokens.introspectionUrl)
  })
  after(async () => {
    await server.stop()
    await tokens.close()
  })

  const optionsOf = (user: string, port: number) => [
    ...[user, '--provider', 'microsoft365', '--port', String(port), '--token-url', tokens.url],
  ]

  test('IMAP with a client secret: what the administrator has to do, asked, tried, written, checked and drained', async () => {
    await server.put(bySecret, 'INBOX', LETTERS)
    const { cwd, screen } = await initialize(server, optionsOf(bySecret, server.ports.imaps), [
      [/E-mail address \[.*\]: /, ''],
      [/Protocol \(imap, pop3\) \[imap\]: /, ''],
      [/New-ServicePrincipal[\s\S]*Application \(client\) id: /, 'secret-app'],
      [/Name to sign in with \[.*\]: /, ''],
      [/Id of the mailbox \[.*\]: /, 'orders'],
      [/Where the secret is kept .*: /, ''],
      [/or "secret" to type a client secret: /, 'secret'],
      [/Client secret \(it is not shown\): /, SECRET],
    ])

    assert.match(screen, /IMAP\.AccessAsApp[\s\S]*Add-MailboxPermission[\s\S]*Set-CASMailbox/)
    assert.match(screen, /Signed in to localhost:\d+/)
    assert.ok(!screen.includes(SECRET), 'the secret is on the screen')
    assert.equal(tokens.requests.at(-1)?.get('scope'), 'https://outlook.office365.com/.default')
    assert.equal(await checkAndDrain(cwd), 3)
  })

  test('POP3 with a certificate from a file', async () => {
    await server.put(byCertificate, 'INBOX', LETTERS)
    const pem = join(folder, 'key-and-certificate.pem')
    await writeFile(pem, `${certificate.keyPem}${certificate.certPem}`)
    const { cwd } = await initialize(server, optionsOf(byCertificate, server.ports.pop3s), [
      [/E-mail address \[.*\]: /, ''],
      [/Protocol \(imap, pop3\) \[imap\]: /, 'pop3'],
      [/Application \(client\) id: /, 'certificate-app'],
      [/Name to sign in with \[.*\]: /, ''],
      [/Id of the mailbox \[.*\]: /, 'orders'],
      [/Where the secret is kept .*: /, ''],
      [/Path of a PEM file .*: /, pem],
    ])

    assert.ok(tokens.claims.length > 0, 'no assertion was signed')
    assert.equal(await checkAndDrain(cwd), 3)
  })
})
