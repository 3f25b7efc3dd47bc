import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { IngestError } from '../../shared/errors.ts'
import { openImap } from '../../shared/mailbox/imap.ts'
import { conversation } from '../support/conversation.ts'
import { accessTo, collect, withSession } from '../support/imap-session.ts'
import { fetchRow, startScriptedImap } from '../support/scripted-imap.ts'

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
  async function said(
    capabilities: string,
    questions: readonly string[] = [],
    end = '{tag} OK signed in\r\n',
  ): Promise<string[]> {
    const waiting = [...questions]
    const ask = ({ tag, say }: { tag: string; say(text: string): void }): void => {
      const question = waiting.shift()
      say(question === undefined ? end.replace('{tag}', tag) : `+ ${base64(question)}\r\n`)
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
      return [...server.lines].filter((line) => / LOGIN|AUTHENTICATE|^[A-Za-z0-9+/=]+$/.test(line))
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

  test('goes by PLAIN, in one step where the server takes it', async () => {
    const plain = base64('\0testuser\0testpass')
    const without = (lines: readonly string[]) => lines.map((line) => line.replace(/^\S+ (?=\S)/, ''))
    assert.deepEqual(without(await said('IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=LOGIN')), [
      `AUTHENTICATE PLAIN ${plain}`,
    ])
    assert.deepEqual(without(await said('IMAP4rev1 AUTH=PLAIN', [''])), ['AUTHENTICATE PLAIN', plain])
  })

  test('is not said a second time to a server that asks once more', async () => {
    await assert.rejects(said('IMAP4rev1 AUTH=PLAIN', ['', 'again?'], '{tag} BAD cancelled\r\n'), {
      code: 'AUTHENTICATION_FAILED',
    })
  })

  test('is asked for ten times at most', async () => {
    const server = await startScriptedImap({
      capabilities: 'IMAP4rev1 LOGINDISABLED AUTH=LOGIN',
      answers: [[/^AUTHENTICATE/, ({ say }) => say(`+ ${base64('Password:')}\r\n`.repeat(1_000))]],
    })
    try {
      await assert.rejects(openImap(accessTo(server)), { code: 'PROTOCOL_VIOLATION', scope: 'session' })
    } finally {
      await server.close()
    }
  })

  test('with what no quoted string may hold is a literal of UTF-8, waited for where it has to be', async () => {
    for (const [capabilities, lines] of [
      ['IMAP4rev1', ['LOGIN "test\\"user" {8}', 'p\xc3\xa4ssw\xc3\xb6']],
      ['IMAP4rev1 LITERAL+', ['LOGIN "test\\"user" {8+}', 'p\xc3\xa4ssw\xc3\xb6']],
    ] as const) {
      let tag = ''
      const server = await startScriptedImap({
        capabilities,
        answers: [
          [
            /^LOGIN/,
            (client) => {
              tag = client.tag
              if (!capabilities.includes('LITERAL')) client.say('+ go on\r\n')
            },
          ],
          [/^$/, ({ say }) => say(`${tag} OK in\r\n`)],
        ],
      })
      try {
        const access = accessTo(server, { user: 'test"user', password: async () => 'pässwö' })
        await withSession(openImap, access, async () => {})
        const at = server.lines.findIndex((line) => line.includes('LOGIN'))
        assert.deepEqual(
          server.lines.slice(at, at + 2).map((line) => line.replace(/^\S+ (?=LOGIN)/, '')),
          lines,
        )
      } finally {
        await server.close()
      }
    }
  })
})

describe('IMAP: what the server can do', () => {
  /** What is said to the server but for the log-in, until INBOX is listed. */
  const asks = async (options: Parameters<typeof startScriptedImap>[0]): Promise<readonly string[]> => {
    const server = await startScriptedImap(options)
    try {
      await withSession(openImap, accessTo(server), async (session) => {
        await session.list('INBOX')
      })
      return server.commands.filter((line) => !/^(LOGIN|LOGOUT|UID)/.test(line))
    } finally {
      await server.close()
    }
  }
  const told = '[CAPABILITY IMAP4rev1 IDLE]'

  test('is asked for only where it is not said, before the log-in and after it', async () => {
    const greeting = `* OK ${told} hello\r\n`
    assert.deepEqual(await asks({ greeting }), ['SELECT INBOX'])
    assert.deepEqual(await asks({ greeting: '* OK hello\r\n' }), ['CAPABILITY', 'SELECT INBOX'])
    for (const answer of [`{tag} OK ${told} in\r\n`, '* CAPABILITY IMAP4rev1\r\n{tag} OK in\r\n'])
      assert.deepEqual(await asks({ greeting, answers: [[/^LOGIN/, answer]] }), ['SELECT INBOX'])
    assert.deepEqual(await asks({ greeting, answers: [[/^LOGIN/, '{tag} OK in\r\n']] }), [
      'CAPABILITY',
      'SELECT INBOX',
    ])
  })

  test('is waited for where it was kept until the log-in, for UTF8=ACCEPT is enabled before a folder is selected', async () => {
    const commands = await asks({
      greeting: '* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n',
      answers: [
        [/^AUTHENTICATE/, '+ \r\n'],
        [/^$/, 'M1 OK in\r\n'],
        [/^CAPABILITY/, '* CAPABILITY IMAP4rev1 ENABLE UTF8=ACCEPT\r\n{tag} OK done\r\n'],
      ],
    })
    assert.deepEqual(commands.slice(-3), ['CAPABILITY', 'ENABLE UTF8=ACCEPT', 'SELECT INBOX'])
  })

  test('is asked for again with SELECT where all was named before the log-in, and known before a message is fetched', async () => {
    const lines: string[] = []
    const server = await startScriptedImap({
      greeting: '* OK [CAPABILITY IMAP4rev1 UIDPLUS ENABLE UTF8=ACCEPT ID] hello\r\n',
      exists: 1,
      answers: [
        [/^CAPABILITY/, '* CAPABILITY IMAP4rev1 UIDPLUS OBJECTID\r\n{tag} OK done\r\n'],
        [/^LOGIN/, '{tag} OK in\r\n'],
        [/^UID FETCH .*BODY/, `${fetchRow(1, { size: 1, source: 'x' })}{tag} OK done\r\n`],
        [/^UID FETCH/, `${fetchRow(1, { size: 1 })}{tag} OK done\r\n`],
      ],
    })
    try {
      const access = accessTo(server, { transcript: (line) => lines.push(line) })
      await withSession(openImap, access, async (session) => {
        await collect(session, await session.list('INBOX'))
      })
      assert.deepEqual(
        server.commands.slice(1, 5).map((line) => line.split(' ')[0]),
        ['CAPABILITY', 'ENABLE', 'ID', 'SELECT'],
      )
      assert.ok(server.commands.some((line) => /BODY\.PEEK\[\] EMAILID THREADID/.test(line)))
      // Log-in, folder, message.
      assert.equal(conversation(lines).waits, 3)
    } finally {
      await server.close()
    }
  })

  test('is what it said before the log-in where it refuses to say', async () => {
    const server = await startScriptedImap({
      greeting: `* OK ${told} hello\r\n`,
      answers: [
        [/^LOGIN/, '{tag} OK in\r\n'],
        [/^CAPABILITY/, '{tag} BAD what\r\n'],
      ],
    })
    try {
      await withSession(openImap, accessTo(server), async (session) =>
        assert.deepEqual(session.server.capabilities, ['IMAP4rev1', 'IDLE']),
      )
    } finally {
      await server.close()
    }
  })

  test('does not matter to a greeting that has signed in already', async () => {
    assert.deepEqual(await asks({ greeting: `* PREAUTH ${told} hello\r\n` }), ['SELECT INBOX'])
  })
})
