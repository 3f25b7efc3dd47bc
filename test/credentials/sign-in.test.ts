import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { mailboxOpener } from '../../functions/compose.ts'
import { type MailboxConfig, validateConfig } from '../../shared/contract/config.ts'
import { openLogins } from '../../shared/credentials/logins.ts'
import { maskOf } from '../../shared/credentials/masking.ts'
import { IngestError } from '../../shared/errors.ts'
import { startImapServer } from '../support/imap-server.ts'
import { startPop3Server } from '../support/pop3-server.ts'
import { startScriptedImap } from '../support/scripted-imap.ts'
import { MemorySecrets } from '../support/secret-store.ts'
import { startTokenServer } from '../support/token-server.ts'

const SECRET = 'Marked"Secret\\4711'

function mailbox(changes: object): MailboxConfig {
  const { config, problems } = validateConfig({
    queues: { default: 'q' },
    mailboxes: [
      {
        id: 'a',
        protocol: 'imap',
        host: '127.0.0.1',
        tls: 'none',
        user: 'testuser',
        credential: 'ssm:/p',
        ...changes,
      },
    ],
  })
  assert.ok(config?.mailboxes[0], problems?.join('\n'))
  return config.mailboxes[0]
}

function opener(config: MailboxConfig, secrets: MemorySecrets, transcript?: (line: string) => void) {
  const credentials = { login: openLogins({ store: secrets }) }
  return mailboxOpener(config, { credentials, authorities: {}, transcript })
}

describe('a password that was changed', () => {
  for (const protocol of ['imap', 'pop3'] as const)
    test(`counts at once, and without a restart (${protocol})`, async () => {
      const start = protocol === 'imap' ? startImapServer : startPop3Server
      const before = await start({ password: 'old-password' })
      const secrets = new MemorySecrets({ 'ssm:/p': 'old-password' })
      const open = opener(mailbox({ protocol, port: before.port }), secrets)
      await (await open()).close()
      await before.close()

      const after = await start({ password: 'new-password' })
      secrets.secrets.set('ssm:/p', 'new-password')
      const reopened = opener(mailbox({ protocol, port: after.port }), secrets)
      try {
        await (await reopened()).close()
        secrets.secrets.set('ssm:/p', 'not this one')
        await (await reopened()).close()
        assert.equal(secrets.reads, 2, 'one for each opener: what works is kept')
      } finally {
        await after.close()
      }
    })

  test('is tried once more and no further; one that is the same is not', async () => {
    const server = await startPop3Server({ password: 'right-password' })
    try {
      const secrets = new MemorySecrets({ 'ssm:/p': 'wrong-1' })
      const open = opener(mailbox({ protocol: 'pop3', port: server.port }), secrets)
      const attempts = (): number => server.commands.filter((line) => /^(PASS|AUTH)/.test(line)).length
      await assert.rejects(open(), { code: 'AUTHENTICATION_FAILED' })
      assert.equal(attempts(), 1)
      secrets.secrets.set('ssm:/p', 'wrong-2')
      await assert.rejects(open(), { code: 'AUTHENTICATION_FAILED' })
      assert.equal(attempts(), 3)
      secrets.secrets.set('ssm:/p', 'right-password')
      await (await open()).close()
    } finally {
      await server.close()
    }
  })

  test('is not tried again when the server is only busy', async () => {
    const server = await startPop3Server({
      answer: (line) => (line.startsWith('AUTH') ? '-ERR [SYS/TEMP] later\r\n' : undefined),
    })
    try {
      const secrets = new MemorySecrets({ 'ssm:/p': 'p4ss' })
      const open = opener(mailbox({ protocol: 'pop3', port: server.port }), secrets)
      await assert.rejects(open(), { code: 'SERVER_UNAVAILABLE' })
      // Another one by now: still no reason to knock again at once.
      secrets.secrets.set('ssm:/p', 'another')
      await assert.rejects(open(), { code: 'SERVER_UNAVAILABLE' })
      assert.equal(server.commands.filter((line) => line.startsWith('AUTH')).length, 2)
    } finally {
      await server.close()
    }
  })
})

test('an access token that was revoked is replaced, and the mailbox opened with another', async () => {
  const tokens = await startTokenServer({ clients: { app: { secret: 'app-secret', user: 'testuser' } } })
  const server = await startPop3Server({
    capabilities: ['UIDL', 'SASL XOAUTH2'],
    answer(line) {
      if (line === 'AUTH XOAUTH2') return '+ \r\n'
      const [, token] = /auth=Bearer ([\w.-]+)/.exec(Buffer.from(line, 'base64').toString()) ?? []
      if (token === undefined) return undefined
      return tokens.userOf(token) === 'testuser' ? '+OK\r\n' : '-ERR [AUTH] Invalid credentials\r\n'
    },
  })
  try {
    const config = mailbox({
      protocol: 'pop3',
      port: server.port,
      auth: 'oauth2',
      oauth2: { grant: 'client-credentials', tokenUrl: tokens.url, clientId: 'app' },
    })
    const open = opener(config, new MemorySecrets({ 'ssm:/p': 'app-secret' }))
    ;(await open()).abort()
    ;(await open()).abort()
    assert.equal(tokens.requests.length, 1)
    tokens.revokeAll()
    ;(await open()).abort()
    assert.equal(tokens.requests.length, 2)
  } finally {
    await server.close()
    await tokens.close()
  }
})

describe('a secret that a server sends back', () => {
  const echoes = (sent: string): string => `invalid: ${sent}`
  const hidden = [SECRET, SECRET.replace(/[\\"]/g, '\\$&')].flatMap((form) => [
    form,
    Buffer.from(form).toString('base64'),
    Buffer.from(`\0testuser\0${form}`).toString('base64'),
  ])

  function assertClean(text: string): void {
    for (const form of hidden) assert.ok(!text.includes(form), `${form} stands in ${text}`)
  }

  for (const protocol of ['pop3', 'imap'] as const)
    test(`stands neither in the error, nor in its cause, nor in the transcript (${protocol})`, async () => {
      const server =
        protocol === 'pop3'
          ? await startPop3Server({
              capabilities: ['UIDL', 'USER'],
              answer: (line) => (line.startsWith('PASS') ? `-ERR [AUTH] ${echoes(line)}\r\n` : undefined),
            })
          : await startScriptedImap({
              answers: [
                [/^LOGIN/, ({ line, say }) => say(`{tag} NO [AUTHENTICATIONFAILED] ${echoes(line)}\r\n`)],
              ],
            })
      const transcript: string[] = []
      try {
        const open = opener(
          mailbox({ protocol, port: server.port }),
          new MemorySecrets({ 'ssm:/p': SECRET }),
          (line) => transcript.push(line),
        )
        const error = await open().then(
          () => assert.fail('let in'),
          (reason: unknown) => reason,
        )
        assert.ok(error instanceof IngestError)
        assert.equal(error.code, 'AUTHENTICATION_FAILED')
        assert.match(error.message, /\*\*\*/)
        assertClean(inspect(error, { depth: 10, showHidden: true }))
        assertClean(transcript.join('\n'))
        assert.ok(transcript.some((line) => line.startsWith('S: ') && line.includes('***')))
      } finally {
        await server.close()
      }
    })

  test('is taken out in each form in which it goes over the wire, and very short ones are left', () => {
    const access = { user: 'u', host: 'h', port: 995 }
    const token = maskOf({ kind: 'access-token', accessToken: 'tok.en', expiresAt: new Date() }, access)
    const xoauth2 = Buffer.from('user=u\x01auth=Bearer tok.en\x01\x01').toString('base64')
    const bearer = Buffer.from('n,a=u,\x01host=h\x01port=995\x01auth=Bearer tok.en\x01\x01').toString(
      'base64',
    )
    assert.equal(token(`a tok.en b ${xoauth2} c ${bearer}`), 'a *** b *** c ***')
    assert.equal(maskOf({ kind: 'password', password: 'a' }, access)('a banana'), 'a banana')
  })
})
