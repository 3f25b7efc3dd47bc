import assert from 'node:assert/strict'
import { startImapServer } from './imap-server.ts'
import { startPop3Server } from './pop3-server.ts'
import { startScriptedImap } from './scripted-imap.ts'
import { startTokenServer } from './token-server.ts'

// Secrets that can be told from everything else, and servers that take them, refuse them, and send them back in what they say.

export const PASSWORD = 'Marked"Password\\4711'
export const CLIENT_SECRET = 'Marked~client secret/4712'
export const REFRESH_TOKEN = 'Marked-refresh-token-4713'

/** What stands where the credentials of the mailboxes point to, by the last part of the reference. */
export const SECRETS = {
  password: PASSWORD,
  client: JSON.stringify({ clientSecret: CLIENT_SECRET, expires: '2020-01-01' }),
  refresh: REFRESH_TOKEN,
  broken: `{"clientSecret": "${CLIENT_SECRET}"`,
} as const

/** Of the mailboxes that are refused: the error of each. */
export const REFUSED = {
  pop3: 'AUTHENTICATION_FAILED',
  imap: 'AUTHENTICATION_FAILED',
  bearer: 'ACCESS_TOKEN_REJECTED',
  'bearer-imap': 'ACCESS_TOKEN_REJECTED',
  refused: 'TOKEN_REFUSED',
  withdrawn: 'GRANT_EXPIRED',
  broken: 'CREDENTIAL_UNUSABLE',
} as const

const MAIL = 'From: a@example.net\r\nSubject: x\r\n\r\nText.\r\n'

export interface MarkedServers {
  /** One that is let in (`good`), and those of REFUSED. `reference` says where a secret is. */
  mailboxes(reference: (secret: keyof typeof SECRETS) => string): readonly object[]
  /** Those that were given out and sent to a mail server. */
  readonly accessTokens: readonly string[]
  /** Fails when a secret stands in it, as it is or as it goes over a wire. */
  assertWithoutSecrets(text: string, where: string): void
  close(): Promise<void>
}

export async function startMarkedServers(): Promise<MarkedServers> {
  const accessTokens: string[] = []
  /** Of a SASL message in base64. */
  const tokenIn = (message: string): string | undefined => {
    const [, token] = /auth=Bearer (.*)\x01\x01$/.exec(Buffer.from(message, 'base64').toString()) ?? []
    if (token !== undefined) accessTokens.push(token)
    return token
  }
  const servers = {
    imap: await startImapServer({ password: PASSWORD, messages: [{ raw: MAIL }] }),
    echoingPop3: await startPop3Server({
      capabilities: ['UIDL', 'USER'],
      answer: (line) => (line.startsWith('PASS') ? `-ERR [AUTH] you said ${line}\r\n` : undefined),
    }),
    echoingImap: await startScriptedImap({
      answers: [[/^LOGIN/, ({ line, say }) => say(`{tag} NO [AUTHENTICATIONFAILED] you said ${line}\r\n`)]],
    }),
    bearer: await startPop3Server({
      messages: [{ uidl: 'a', octets: Buffer.from(MAIL) }],
      capabilities: ['UIDL', 'SASL XOAUTH2'],
      answer(line) {
        const token = tokenIn(line)
        return token === undefined ? undefined : `-ERR [AUTH] you said ${line} which is ${token}\r\n`
      },
    }),
    bearerImap: await startScriptedImap({
      capabilities: 'IMAP4rev1 SASL-IR AUTH=XOAUTH2',
      answers: [
        [
          /^AUTHENTICATE/,
          ({ line, say }) => {
            const token = tokenIn(line.split(' ')[2] ?? '')
            say(`{tag} NO [AUTHENTICATIONFAILED] you said ${line} which is ${token}\r\n`)
          },
        ],
      ],
    }),
    tokens: await startTokenServer({
      clients: { app: { secret: CLIENT_SECRET } },
      refreshTokens: { [REFRESH_TOKEN]: 'jane' },
    }),
    echoingTokens: await startTokenServer({
      answer: (request) => ({
        status: 400,
        body: {
          error: 'invalid_grant',
          error_description: `you said ${request} ${[...request.values()].join(' ')}`,
        },
      }),
    }),
  }
  return {
    accessTokens,
    mailboxes(reference) {
      const { imap, echoingPop3, echoingImap, bearer, bearerImap, tokens, echoingTokens } = servers
      const local = { host: '127.0.0.1', tls: 'none', user: 'testuser' }
      const plain = (id: string, protocol: string, { port }: { port: number }): object => ({
        ...{ id, protocol, ...local, port, credential: reference('password') },
      })
      const oauth2 = (
        id: string,
        { port }: { port: number },
        secret: keyof typeof SECRETS,
        { url: tokenUrl }: { url: string },
        grant = 'client-credentials',
      ): object => ({
        ...{ id, protocol: id.endsWith('imap') ? 'imap' : 'pop3', ...local, port },
        ...{
          credential: reference(secret),
          auth: 'oauth2',
          oauth2: { grant, clientId: 'app', tokenUrl },
        },
      })
      return [
        plain('good', 'imap', imap),
        plain('pop3', 'pop3', echoingPop3),
        plain('imap', 'imap', echoingImap),
        oauth2('bearer', bearer, 'client', tokens),
        oauth2('bearer-imap', bearerImap, 'client', tokens),
        oauth2('refused', bearer, 'client', echoingTokens),
        oauth2('withdrawn', bearer, 'refresh', echoingTokens, 'refresh-token'),
        oauth2('broken', bearer, 'broken', tokens),
      ]
    },
    assertWithoutSecrets(text, where) {
      for (const secret of [PASSWORD, CLIENT_SECRET, REFRESH_TOKEN, ...accessTokens])
        for (const form of formsOf(secret)) {
          const at = text.indexOf(form)
          assert.ok(at < 0, `${form} stands in ${where}: ${text.slice(Math.max(0, at - 200), at + 200)}`)
        }
      assert.doesNotMatch(text, /Marked/, where)
    },
    async close() {
      await Promise.all(Object.values(servers).map((server) => server.close()))
    },
  }
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
