import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { IngestError } from '../../shared/errors.ts'
import { openImap } from '../../shared/mailbox/imap.ts'
import { accessTo, withSession } from '../support/imap-session.ts'
import { startScriptedImap } from '../support/scripted-imap.ts'

const TOKEN = `ya29.${'t'.repeat(300)}`
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const XOAUTH2 = base64(`user=testuser\x01auth=Bearer ${TOKEN}\x01\x01`)

async function refusal(
  answer: string,
  capabilities = 'IMAP4rev1 SASL-IR AUTH=XOAUTH2',
): Promise<IngestError> {
  const server = await startScriptedImap({ capabilities, answers: [[/^AUTHENTICATE/, answer]] })
  try {
    const error = await openImap(accessTo(server, { accessToken: async () => TOKEN })).then(
      () => assert.fail('let in'),
      (reason: unknown) => reason,
    )
    assert.ok(error instanceof IngestError, String(error))
    assert.ok(!error.message.includes(TOKEN))
    return error
  } finally {
    await server.close()
  }
}

describe('IMAP: an access token', () => {
  for (const [capability, mechanism] of [
    ['AUTH=XOAUTH2', 'XOAUTH2'],
    ['AUTH=XOAUTH2 AUTH=OAUTHBEARER', 'OAUTHBEARER'],
  ] as const)
    test(`goes by ${mechanism}, and is in no transcript`, async () => {
      const server = await startScriptedImap({
        capabilities: `IMAP4rev1 SASL-IR AUTH=PLAIN ${capability}`,
        answers: [[/^AUTHENTICATE/, '{tag} OK signed in\r\n']],
      })
      const transcript: string[] = []
      try {
        const access = accessTo(server, {
          accessToken: async () => TOKEN,
          password: () => assert.fail('no password was wanted'),
          transcript: (line) => transcript.push(line),
        })
        await withSession(openImap, access, async () => {})
        const bearer = `n,a=testuser,\x01host=127.0.0.1\x01port=${server.port}\x01auth=Bearer ${TOKEN}\x01\x01`
        const message = mechanism === 'XOAUTH2' ? XOAUTH2 : base64(bearer)
        assert.ok(
          server.commands.includes(`AUTHENTICATE ${mechanism} ${message}`),
          server.commands.join('\n'),
        )
        assert.ok(transcript.some((line) => line.includes(`AUTHENTICATE ${mechanism}`)))
        assert.ok(!transcript.some((line) => line.includes(TOKEN) || line.includes(message)))
      } finally {
        await server.close()
      }
    })

  test('refused with the reason in a challenge: the status stands in the error', async () => {
    const json = base64('{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}')
    const error = await refusal(
      `+ ${json}\r\n{tag} NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n`,
    )

    assert.deepEqual([error.code, error.scope], ['ACCESS_TOKEN_REJECTED', 'mailbox'])
    assert.match(
      error.message,
      /Invalid credentials \(Failure\) \(status 400, scope https:\/\/mail\.google\.com\/\)$/,
    )
  })

  const answers = [
    ['as Microsoft does it', '{tag} NO AUTHENTICATE failed.\r\n', 'ACCESS_TOKEN_REJECTED'],
    [
      'because the store behind it is busy',
      '{tag} BAD User is authenticated but not connected.\r\n',
      'THROTTLED',
    ],
    [
      'because there are too many',
      '{tag} NO [ALERT] Too many simultaneous connections. (Failure)\r\n',
      'TOO_MANY_CONNECTIONS',
    ],
    [
      'because IMAP is off',
      '{tag} NO [ALERT] Your account is not enabled for IMAP use. (Failure)\r\n',
      'ACCESS_DISABLED',
    ],
    [
      'because the server is ill',
      '{tag} NO [UNAVAILABLE] Temporary authentication failure.\r\n',
      'SERVER_UNAVAILABLE',
    ],
  ] as const
  for (const [name, answer, code] of answers)
    test(`refused ${name}: ${code}`, async () => assert.equal((await refusal(answer)).code, code))

  test('is not sent to a server that offers no way for it', async () => {
    const error = await refusal('{tag} OK\r\n', 'IMAP4rev1 AUTH=PLAIN')
    assert.match(error.message, /no way to sign in with an access token/)
  })
})

describe('IMAP: a password', () => {
  /** What the client sends after CAPABILITY to be let in, each line without its tag. */
  async function said(capabilities: string, questions: readonly string[] = []): Promise<string[]> {
    const waiting = [...questions]
    const ask = ({ tag, say }: { tag: string; say(text: string): void }): void => {
      const question = waiting.shift()
      say(question === undefined ? `${tag} OK signed in\r\n` : `+ ${base64(question)}\r\n`)
    }
    let tag = ''
    const server = await startScriptedImap({
      capabilities,
      answers: [
        [
          /^AUTHENTICATE/,
          (client) => {
            tag = client.tag
            ask(client)
          },
        ],
        // An answer to a question has no tag.
        [/^$/, ({ say }) => ask({ tag, say })],
      ],
    })
    const transcript: string[] = []
    try {
      const access = accessTo(server, { transcript: (line) => transcript.push(line) })
      await withSession(openImap, access, async () => {})
      assert.ok(!transcript.some((line) => line.includes('testpass') || line.includes(base64('testpass'))))
      return [...server.lines].filter((line) => /LOGIN|AUTHENTICATE|^[A-Za-z0-9+/=]+$/.test(line))
    } finally {
      await server.close()
    }
  }

  test('goes by LOGIN to a server that knows no mechanism', async () => {
    assert.deepEqual(
      (await said('IMAP4rev1')).map((line) => line.replace(/^\S+ /, '')),
      ['LOGIN "testuser" "testpass"'],
    )
  })

  test('goes by AUTH=LOGIN, name and password each when they are asked for, to an old server that takes no LOGIN', async () => {
    const lines = await said('IMAP4rev1 LOGINDISABLED AUTH=LOGIN', ['Username:', 'Password:'])
    assert.deepEqual(
      [lines[0]?.replace(/^\S+ /, ''), ...lines.slice(1)],
      ['AUTHENTICATE LOGIN', base64('testuser'), base64('testpass')],
    )
  })
})
