import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { IngestError } from '../../shared/errors.ts'
import type { MailboxAccess } from '../../shared/mailbox/mailbox.ts'
import { openPop3 } from '../../shared/mailbox/pop3.ts'
import { accessTo, withSession } from '../support/imap-session.ts'
import { type Pop3Server, type Pop3ServerOptions, startPop3Server } from '../support/pop3-server.ts'

const TOKEN = `ya29.${'t'.repeat(300)}`
const SHORT = 'short.token'
const USER = 'jane=doe,x@example.com'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const xoauth2 = (token: string, user = USER): string => base64(`user=${user}\x01auth=Bearer ${token}\x01\x01`)

/**
 * The server's side of log-ins: a line of the client and the answer to it, in this order; what is not listed is the business of an ordinary
 * server that has let the client in.
 */
async function conversation(
  lines: readonly (readonly [client: string, server: string])[],
  capabilities: readonly string[],
  use: (server: Pop3Server, transcript: string[], open: () => Promise<unknown>) => Promise<void>,
  access: Partial<MailboxAccess> = { accessToken: async () => TOKEN },
): Promise<void> {
  let at = 0
  const signedIn = { LIST: '+OK\r\n.\r\n', UIDL: '+OK\r\n.\r\n', QUIT: '+OK\r\n' } as Record<string, string>
  const options: Pop3ServerOptions = {
    capabilities: ['UIDL', ...capabilities],
    answer(line) {
      const next = lines[at]
      if (next && line === next[0]) {
        at++
        return `${next[1]}\r\n`
      }
      return signedIn[line]
    },
  }
  const server = await startPop3Server(options)
  const transcript: string[] = []
  const to = accessTo(server, {
    user: USER,
    password: async () => assert.fail('no password was wanted'),
    transcript: (line) => transcript.push(line),
    ...access,
  })
  try {
    await use(server, transcript, () =>
      withSession(openPop3, to, async (session) => void (await session.status())),
    )
    assert.equal(at, lines.length, `the client said ${server.commands.join(' | ')}`)
  } finally {
    await server.close()
  }
}

async function refusal(open: () => Promise<unknown>): Promise<IngestError> {
  const error = await open().then(
    () => assert.fail('let in'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof IngestError, String(error))
  return error
}

describe('POP3: an access token', () => {
  test('goes by XOAUTH2 in two lines, as Microsoft wants it, also when it would fit into one', async () => {
    for (const token of [TOKEN, SHORT])
      await conversation(
        [
          ['AUTH XOAUTH2', '+ '],
          [xoauth2(token), '+OK'],
        ],
        ['SASL PLAIN XOAUTH2'],
        (_, __, open) => open().then(() => {}),
        { accessToken: async () => token },
      )
  })

  test('goes by OAUTHBEARER where it is offered, with host, port and an escaped name, in one line where it fits', async () => {
    const message = (server: Pop3Server, token: string): string =>
      base64(
        `n,a=jane=3Ddoe=2Cx@example.com,\x01host=127.0.0.1\x01port=${server.port}\x01auth=Bearer ${token}\x01\x01`,
      )
    for (const token of [SHORT, TOKEN]) {
      const seen: string[] = []
      const server = await startPop3Server({
        capabilities: ['UIDL', 'SASL XOAUTH2 OAUTHBEARER'],
        answer(line) {
          seen.push(line)
          if (line === 'AUTH OAUTHBEARER') return '+ \r\n'
          if (line.endsWith(message(server, token))) return '+OK\r\n'
          return { LIST: '+OK\r\n.\r\n', UIDL: '+OK\r\n.\r\n' }[line]
        },
      })
      try {
        const access = accessTo(server, { user: USER, accessToken: async () => token })
        await withSession(openPop3, access, async (session) => void (await session.status()))
        const auth = seen.slice(seen.findIndex((line) => line.startsWith('AUTH'))).slice(0, 2)
        const inOneLine = `AUTH OAUTHBEARER ${message(server, token)}`
        if (token === SHORT) assert.equal(auth[0], inOneLine)
        else assert.deepEqual(auth, ['AUTH OAUTHBEARER', message(server, token)])
        for (const line of seen) if (line.startsWith('AUTH')) assert.ok(line.length + 2 <= 255, line)
      } finally {
        await server.close()
      }
    }
  })

  test('goes by XOAUTH2 to a server that has no CAPA', async () => {
    const server = await startPop3Server({
      capabilities: [],
      answer: (line) =>
        ({
          'AUTH XOAUTH2': '+ \r\n',
          [xoauth2(TOKEN)]: '+OK\r\n',
          LIST: '+OK\r\n.\r\n',
          UIDL: '+OK\r\n.\r\n',
        })[line],
    })
    try {
      await withSession(
        openPop3,
        accessTo(server, { user: USER, accessToken: async () => TOKEN }),
        async () => {},
      )
    } finally {
      await server.close()
    }
  })

  for (const [mechanism, answer, breaker] of [
    ['XOAUTH2', [xoauth2(TOKEN)], ''],
    ['OAUTHBEARER', undefined, 'AQ=='],
  ] as const)
    test(`refused by ${mechanism}: the error is answered with "${breaker}", and its status stands in ours`, async () => {
      const json = base64('{"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}')
      const seen: string[] = []
      const server = await startPop3Server({
        capabilities: ['UIDL', `SASL ${mechanism}`],
        answer(line) {
          seen.push(line)
          if (line === `AUTH ${mechanism}`) return '+ \r\n'
          if (line === breaker && seen.length > 3) return '-ERR [AUTH] Invalid credentials\r\n'
          if (answer ? answer.some((each) => each === line) : line.length > 100) return `+ ${json}\r\n`
          return undefined
        },
      })
      try {
        const access = accessTo(server, { user: USER, accessToken: async () => TOKEN })
        const error = await refusal(() => openPop3(access))
        assert.deepEqual([error.code, error.scope], ['ACCESS_TOKEN_REJECTED', 'mailbox'])
        assert.match(
          error.message,
          /\[AUTH\] Invalid credentials \(status 401, scope https:\/\/mail\.google\.com\/\)$/,
        )
        assert.equal(seen.at(-1), breaker)
      } finally {
        await server.close()
      }
    })

  test('refused as Microsoft does it, without a code', async () => {
    await conversation(
      [
        ['AUTH XOAUTH2', '+ '],
        [xoauth2(TOKEN), '-ERR Authentication failure: unknown user name or bad password.'],
      ],
      ['SASL PLAIN XOAUTH2'],
      async (_, __, open) => assert.equal((await refusal(open)).code, 'ACCESS_TOKEN_REJECTED'),
    )
  })

  test('is not sent to a server that offers no way for it', async () => {
    await conversation([], ['SASL PLAIN', 'USER'], async (server, _, open) => {
      const error = await refusal(open)
      assert.match(error.message, /no way to sign in with an access token/)
      assert.ok(!server.commands.some((line) => /AUTH|USER|PASS/.test(line)))
    })
  })

  test('with a control character in it, or in the name, reaches no server', async () => {
    for (const access of [
      { accessToken: async () => 'a\x01auth=Bearer b' },
      { accessToken: async () => TOKEN, user: 'jane\x01auth=Bearer b' },
    ])
      await conversation(
        [],
        ['SASL XOAUTH2'],
        async (server, _, open) => {
          await refusal(open)
          assert.ok(!server.commands.some((line) => line.startsWith('AUTH')))
        },
        access,
      )
  })

  test('is in no transcript', async () => {
    await conversation(
      [
        ['AUTH XOAUTH2', '+ '],
        [xoauth2(TOKEN), '+OK'],
      ],
      ['SASL XOAUTH2'],
      async (_, transcript, open) => {
        await open()
        assert.deepEqual(
          transcript.filter((line) => /AUTH|\*\*\*/.test(line)),
          ['C: AUTH XOAUTH2', 'C: ***'],
        )
        assert.ok(!transcript.some((line) => line.includes(TOKEN) || line.includes(xoauth2(TOKEN))))
      },
    )
  })
})

describe('POP3: a password', () => {
  const access = { password: async () => 'pass word' }

  test('goes by LOGIN to a server that has taken USER away and knows no PLAIN', async () => {
    await conversation(
      [
        ['AUTH LOGIN', '+ VXNlcm5hbWU6'],
        [base64(USER), '+ UGFzc3dvcmQ6'],
        [base64('pass word'), '+OK'],
      ],
      ['SASL LOGIN'],
      async (_, transcript, open) => {
        await open()
        assert.ok(!transcript.some((line) => line.includes(base64('pass word'))))
      },
      access,
    )
  })

  test('goes by PLAIN where LOGIN is offered too, and by USER where that is better known', async () => {
    await conversation(
      [[`AUTH PLAIN ${base64(`\0${USER}\0pass word`)}`, '+OK']],
      ['SASL LOGIN PLAIN'],
      (_, __, open) => open().then(() => {}),
      access,
    )
    await conversation(
      [
        [`USER ${USER}`, '+OK'],
        ['PASS pass word', '+OK'],
      ],
      ['SASL LOGIN', 'USER'],
      (_, __, open) => open().then(() => {}),
      access,
    )
  })

  test('refused at the name: the password is not sent', async () => {
    await conversation(
      [
        ['AUTH LOGIN', '+ VXNlcm5hbWU6'],
        [base64(USER), '-ERR [AUTH] no such user'],
      ],
      ['SASL LOGIN'],
      async (server, _, open) => {
        assert.equal((await refusal(open)).code, 'AUTHENTICATION_FAILED')
        assert.ok(!server.commands.includes(base64('pass word')))
      },
      access,
    )
  })
})

describe('POP3: a maildrop that is refused after the log-in', () => {
  const gmail =
    '[SYS/PERM] Your account is not enabled for POP access. Please visit your Gmail settings page.'

  for (const pipelining of [[], ['PIPELINING']])
    test(`is not an empty one (${pipelining[0] ?? 'one command at a time'})`, async () => {
      const server = await startPop3Server({
        capabilities: ['UIDL', 'USER', ...pipelining],
        answer: (line) => (/^(UIDL|LIST|STAT)$/.test(line) ? `-ERR ${gmail}\r\n` : undefined),
      })
      try {
        const session = await openPop3(accessTo(server))
        for (const look of [() => session.status(), () => session.list('INBOX')]) {
          const error = await refusal(look)
          assert.deepEqual([error.code, error.scope], ['ACCESS_DISABLED', 'mailbox'])
        }
        session.abort()
      } finally {
        await server.close()
      }
    })

  test('a UIDL that fails for a moment does not make other ids of the messages', async () => {
    const server = await startPop3Server({
      messages: [{ uidl: 'a', octets: Buffer.from('Subject: x\r\n\r\n') }],
      answer: (line) => (line === 'UIDL' ? '-ERR [SYS/TEMP] try later\r\n' : undefined),
    })
    try {
      const session = await openPop3(accessTo(server))
      assert.equal((await refusal(() => session.list('INBOX'))).code, 'SERVER_UNAVAILABLE')
      session.abort()
    } finally {
      await server.close()
    }
  })
})
