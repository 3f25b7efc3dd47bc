import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runCli } from '../support/cli.ts'
import { startImapServer } from '../support/imap-server.ts'
import { startPop3Server } from '../support/pop3-server.ts'
import { startScriptedImap } from '../support/scripted-imap.ts'
import { startTokenServer } from '../support/token-server.ts'

// Marked secrets go through every command, with servers that take them, refuse them and send them back; then everything that was said and
// written is searched for them.

const PASSWORD = 'Marked"Password\\4711'
const CLIENT_SECRET = 'Marked~client secret/4712'
const REFRESH_TOKEN = 'Marked-refresh-token-4713'
const MAIL = 'From: a@example.net\r\nSubject: x\r\n\r\nText.\r\n'

let folder: string
let config: string
let said = ''
/** The access tokens that were given out. */
const accessTokens: string[] = []
const closing: (() => Promise<unknown>)[] = []

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailsluice-secrets-'))
  const imap = await startImapServer({ password: PASSWORD, messages: [{ raw: MAIL }] })
  const echoingPop3 = await startPop3Server({
    capabilities: ['UIDL', 'USER'],
    answer: (line) => (line.startsWith('PASS') ? `-ERR [AUTH] you said ${line}\r\n` : undefined),
  })
  const echoingImap = await startScriptedImap({
    answers: [[/^LOGIN/, ({ line, say }) => say(`{tag} NO [AUTHENTICATIONFAILED] you said ${line}\r\n`)]],
  })
  const tokens = await startTokenServer({
    clients: { app: { secret: CLIENT_SECRET } },
    refreshTokens: { [REFRESH_TOKEN]: 'jane' },
  })
  const echoingTokens = await startTokenServer({
    answer: (request) => ({
      status: 400,
      body: {
        error: 'invalid_grant',
        error_description: `you said ${request} ${[...request.values()].join(' ')}`,
      },
    }),
  })
  const bearer = await startPop3Server({
    messages: [{ uidl: 'a', octets: Buffer.from(MAIL) }],
    capabilities: ['UIDL', 'SASL XOAUTH2'],
    answer(line) {
      if (line === 'AUTH XOAUTH2') return '+ \r\n'
      const [, token] = /auth=Bearer (.*)\x01\x01$/.exec(Buffer.from(line, 'base64').toString()) ?? []
      if (token === undefined) return undefined
      accessTokens.push(token)
      return `-ERR [AUTH] you said ${line} which is ${token}\r\n`
    },
  })
  closing.push(
    imap.close,
    echoingPop3.close,
    echoingImap.close,
    tokens.close,
    echoingTokens.close,
    bearer.close,
  )

  const secret = (name: string, text: string): Promise<void> =>
    writeFile(join(folder, name), text, { mode: 0o600 })
  await secret('client.json', JSON.stringify({ clientSecret: CLIENT_SECRET, expires: '2020-01-01' }))
  await secret('refresh', REFRESH_TOKEN)
  await secret('broken.json', `{"clientSecret": "${CLIENT_SECRET}"`)
  const plain = (id: string, protocol: string, port: number): string =>
    `  - { id: ${id}, protocol: ${protocol}, host: 127.0.0.1, port: ${port}, tls: none, user: testuser, credential: env:PASSWORD }\n`
  const oauth2 = (id: string, file: string, url: string, grant = 'client-credentials'): string =>
    `  - { id: ${id}, protocol: pop3, host: 127.0.0.1, port: ${bearer.port}, tls: none, user: testuser, credential: "file:${file}", auth: oauth2, oauth2: { grant: ${grant}, clientId: app, tokenUrl: "${url}" } }\n`
  config = join(folder, 'mailsluice.yaml')
  await writeFile(
    config,
    `queues: { default: q }\nmailboxes:\n${plain('good', 'imap', imap.port)}${plain('pop3', 'pop3', echoingPop3.port)}${plain('imap', 'imap', echoingImap.port)}${oauth2('bearer', 'client.json', tokens.url)}${oauth2('refused', 'client.json', echoingTokens.url)}${oauth2('withdrawn', 'refresh', echoingTokens.url, 'refresh-token')}${oauth2('broken', 'broken.json', tokens.url)}`,
  )
})
after(async () => {
  await Promise.all(closing.map((close) => close()))
  await rm(folder, { recursive: true })
})

async function run(...command: string[]): Promise<string> {
  const { stdout, stderr } = await runCli(
    [...command, '--config', config, `--local=${join(folder, 'local')}`],
    {
      PASSWORD,
    },
  )
  const text = `${command.join(' ')}\n${stdout}\n${stderr}\n`
  said += text
  return text
}

/** As it is, quoted, in base64 (also within a SASL message), in a form. */
function formsOf(secret: string): string[] {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    base64(secret),
    base64(`\0testuser\0${secret}`),
    base64(`user=testuser\x01auth=Bearer ${secret}\x01\x01`),
    encodeURIComponent(secret),
    new URLSearchParams({ a: secret }).toString().slice(2),
  ]
}

function assertWithoutSecrets(text: string, where: string): void {
  for (const secret of [PASSWORD, CLIENT_SECRET, REFRESH_TOKEN, ...accessTokens])
    for (const form of formsOf(secret))
      assert.ok(
        !text.includes(form),
        `${form} stands in ${where}: ${text.slice(Math.max(0, text.indexOf(form) - 200), text.indexOf(form) + 200)}`,
      )
  assert.doesNotMatch(text, /Marked/, where)
}

describe('marked secrets, through every command', () => {
  test('with servers that take them, refuse them and send them back', async () => {
    const drained = await run('drain', '--json')
    for (const [id, code] of [
      ['pop3', 'AUTHENTICATION_FAILED'],
      ['imap', 'AUTHENTICATION_FAILED'],
      ['bearer', 'ACCESS_TOKEN_REJECTED'],
      ['refused', 'TOKEN_REFUSED'],
      ['withdrawn', 'GRANT_EXPIRED'],
      ['broken', 'CREDENTIAL_UNUSABLE'],
    ])
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
    assert.ok(accessTokens.length > 0)
    assert.match(said, /S: -ERR \[AUTH\] you said PASS \*\*\*/)
    assert.match(said, /"type": ?"mailsluice\.message\.archived\.v1"/)
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

  test('stand nowhere in what was said', () => assertWithoutSecrets(said, 'the output'))

  test('nor in archive, ledger, queues and state', async () => {
    const files = (await readdir(join(folder, 'local'), { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile(),
    )
    assert.ok(files.length > 3, `${files.length} files`)
    for (const { parentPath, name } of files) {
      const path = join(parentPath, name)
      assertWithoutSecrets((await readFile(path)).toString('latin1'), path)
    }
  })
})
