import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { POP3 } from '../../shared/limits.ts'
import type { MailboxAccess, ServerId } from '../../shared/mailbox/mailbox.ts'
import { isSessionId } from '../../shared/mailbox/mailbox.ts'
import { openPop3, pop3Opener } from '../../shared/mailbox/pop3.ts'
import { openSpool } from '../../shared/octets.ts'
import { makeAuthority } from '../support/certificates.ts'
import { accessTo, collect, withSession } from '../support/imap-session.ts'
import {
  type MaildropMessage,
  type Pop3Server,
  type Pop3ServerOptions,
  startPop3Server,
} from '../support/pop3-server.ts'

function mail(number: number, body = `Text of ${number}.`): MaildropMessage {
  return {
    uidl: `uidl-${number}`,
    octets: Buffer.from(`From: a${number}@example.net\r\nSubject: message ${number}\r\n\r\n${body}\r\n`),
  }
}

const mails = (count: number): MaildropMessage[] =>
  Array.from({ length: count }, (_, index) => mail(index + 1))

async function withServer(
  options: Pop3ServerOptions,
  use: (server: Pop3Server) => Promise<void>,
): Promise<void> {
  const server = await startPop3Server(options)
  try {
    await use(server)
  } finally {
    await server.close()
  }
}

async function refusal(options: Pop3ServerOptions, access: Partial<MailboxAccess> = {}): Promise<string> {
  let code = 'none'
  await withServer(options, async (server) => {
    await assert.rejects(openPop3(accessTo(server, access)), (error: Error & { code?: string }) => {
      assert.match(error.message, /^127\.0\.0\.1 \(/)
      assert.doesNotMatch(error.message, /testpass|secret/)
      code = String(error.code)
      return true
    })
  })
  return code
}

describe('POP3 mailbox', () => {
  test('lists the maildrop and fetches every message octet by octet', async () => {
    const messages = [...mails(3), mail(4, '.\r\n..\r\n.dot'), { uidl: 'e', octets: Buffer.from('\r\n') }]
    await withServer({ messages }, async (server) => {
      await withSession(openPop3, accessTo(server), async (session) => {
        assert.deepEqual(await session.folders(), ['INBOX'])
        const listing = await session.list('INBOX')
        assert.deepEqual([listing.epoch, listing.ids], ['uidl', messages.map(({ uidl }) => uidl)])

        const fetched = await collect(session, listing)

        assert.deepEqual(
          fetched.map(({ id, octets }) => [id, octets?.buffer?.toString('latin1')]),
          messages.map(({ uidl, octets }) => [uidl, octets.toString('latin1')]),
        )
      })
    })
  })

  test('asks for many messages before the first has come where PIPELINING is offered', async () => {
    await withServer({ messages: mails(100) }, async (server) => {
      await withSession(openPop3, accessTo(server), async (session) => {
        assert.equal((await collect(session, await session.list('INBOX'))).length, 100)
      })
      assert.ok(server.mostAhead() >= 50, `${server.mostAhead()} commands ahead`)
    })
  })

  test('asks for one message after the other where it is not', async () => {
    await withServer({ messages: mails(20), capabilities: ['UIDL', 'USER'] }, async (server) => {
      await withSession(openPop3, accessTo(server), async (session) => {
        assert.equal((await collect(session, await session.list('INBOX'))).length, 20)
      })
      assert.equal(server.mostAhead(), 1)
    })
  })

  test('never asks for more octets ahead than the window, however many messages that is', async () => {
    const messages = Array.from({ length: 30 }, (_, index) => mail(index + 1, 'x'.repeat(10_000)))
    await withServer({ messages }, async (server) => {
      const open = pop3Opener({ ...POP3, pipelineOctets: 35_000, pipelineOctetsMost: 35_000 })
      await withSession(open, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        let received = 0
        for await (const fetched of session.fetch(listing, listing.ids, options())) {
          await fetched.octets?.discard()
          received++
          const asked = server.commands.filter((line) => line.startsWith('RETR')).length
          assert.ok(asked - received <= 3, `${asked} asked, ${received} received`)
        }
        assert.equal(received, 30)
      })
    })
  })

  test('asks for more ahead where octets come fast', async () => {
    const messages = Array.from({ length: 100 }, (_, index) => mail(index + 1, 'x'.repeat(10_000)))
    await withServer({ messages }, async (server) => {
      const open = pop3Opener({ ...POP3, pipelineOctets: 35_000, pipelineOctetsMost: 250_000 })
      await withSession(open, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        let received = 0
        let most = 0
        for await (const fetched of session.fetch(listing, listing.ids, options())) {
          await fetched.octets?.discard()
          received++
          const asked = server.commands.filter((line) => line.startsWith('RETR')).length
          most = Math.max(most, asked - received)
        }
        assert.equal(received, 100)
        assert.ok(most > 3 && most <= 25, `${most} ahead`)
      })
    })
  })

  test('stops asking when told to, and yields what it had asked for', async () => {
    await withServer({ messages: mails(50), capabilities: ['UIDL'] }, async (server) => {
      await withSession(openPop3, accessTo(server), async (session) => {
        let left = 7
        const fetched = await collect(session, await session.list('INBOX'), { keepGoing: () => left-- > 0 })
        assert.equal(fetched.length, 7)
      })
    })
  })

  test('deletes at QUIT and not before, and says so by close', async () => {
    await withServer({ messages: mails(5) }, async (server) => {
      const session = await openPop3(accessTo(server))
      const listing = await session.list('INBOX')
      const ids = listing.ids.slice(0, 3)

      assert.equal(await session.acknowledge(listing, ids, { kind: 'delete' }), 'deleted')
      assert.deepEqual(
        await session.outstanding(listing, listing.ids, { kind: 'delete' }),
        listing.ids.slice(3),
      )
      assert.equal(server.maildrop.length, 5)

      await session.close()
      assert.deepEqual(
        server.maildrop.map(({ uidl }) => uidl),
        ['uidl-4', 'uidl-5'],
      )
    })
  })

  test('an aborted session deletes nothing', async () => {
    await withServer({ messages: mails(2) }, async (server) => {
      const session = await openPop3(accessTo(server))
      const listing = await session.list('INBOX')
      await session.acknowledge(listing, listing.ids, { kind: 'delete' })
      session.abort()
      await withSession(openPop3, accessTo(server), async (next) => {
        assert.equal((await next.list('INBOX')).ids.length, 2)
      })
    })
  })

  test('a QUIT that is refused or unanswered after deletions is an error; without deletions it is none', async () => {
    for (const quit of ['-ERR some deleted messages not removed\r\n', undefined])
      await withServer(
        {
          messages: mails(1),
          answer: (line, { close }) => {
            if (line !== 'QUIT') return undefined
            if (quit === undefined) close()
            return quit ?? ''
          },
        },
        async (server) => {
          const harmless = await openPop3(accessTo(server))
          await harmless.close()
          const session = await openPop3(accessTo(server))
          const listing = await session.list('INBOX')
          await session.acknowledge(listing, listing.ids, { kind: 'delete' })
          await assert.rejects(session.close(), { code: quit ? 'SERVER_UNAVAILABLE' : 'CONNECTION_LOST' })
        },
      )
  })

  test('can neither flag nor move, and says so', async () => {
    await withServer({ messages: mails(1) }, async (server) => {
      await withSession(openPop3, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        for (const action of [{ kind: 'seen' }, { kind: 'move', folder: 'x' }] as const)
          await assert.rejects(session.acknowledge(listing, listing.ids, action), {
            code: 'ACKNOWLEDGEMENT_REFUSED',
          })
      })
    })
  })

  test('a message larger than allowed is not fetched, and the others are', async () => {
    await withServer({ messages: [mail(1), mail(2, 'x'.repeat(5000)), mail(3)] }, async (server) => {
      await withSession(openPop3, accessTo(server), async (session) => {
        const fetched = await collect(session, await session.list('INBOX'), { maxOctets: 1000 })
        assert.deepEqual(fetched.map(({ id, error }) => [id, error?.code]).sort(), [
          ['uidl-1', undefined],
          ['uidl-2', 'MESSAGE_TOO_LARGE'],
          ['uidl-3', undefined],
        ])
        assert.ok(!server.commands.includes('RETR 2'))
      })
    })
  })

  test('a large message goes to the spool, octet by octet, and leaves nothing behind', async () => {
    const large = mail(1, 'line of a large message\r\n'.repeat(400_000))
    await withServer({ messages: [large] }, async (server) => {
      await withSession(openPop3, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        for await (const { octets } of session.fetch(listing, listing.ids, options())) {
          assert.ok(octets?.path !== undefined)
          assert.equal(Buffer.concat(await octets.open().toArray()).compare(large.octets), 0)
          await octets.discard()
        }
      })
    })
  })

  test('signs in with USER and PASS where SASL PLAIN is not offered, and with a prompt where the line would be too long', async () => {
    const password = 'p'.repeat(300)
    await withServer({ capabilities: ['UIDL', 'USER'] }, async (server) => {
      await withSession(openPop3, accessTo(server), async () => {})
      assert.deepEqual(server.commands.slice(0, 3), ['CAPA', 'USER testuser', 'PASS testpass'])
    })
    await withServer({ password }, async (server) => {
      await withSession(openPop3, accessTo(server), async () => {})
      assert.equal(server.commands[1], 'AUTH PLAIN')
    })
  })

  test('shows the conversation without secrets to who asks for it', async () => {
    for (const capabilities of [['UIDL'], ['UIDL', 'SASL PLAIN']])
      await withServer({ capabilities, messages: mails(1) }, async (server) => {
        const lines: string[] = []
        const transcript = (line: string): void => {
          lines.push(line)
        }
        await withSession(openPop3, accessTo(server, { transcript }), async (session) => {
          await session.list('INBOX')
        })
        assert.ok(lines.includes('C: UIDL') && lines.includes('S: +OK signed in'))
        assert.doesNotMatch(lines.join('\n'), /testpass|dGVzdHBhc3M/)
      })
  })
})

describe('POP3 servers without UIDL', () => {
  test('messages are told by their header and size, in every session the same', async () => {
    await withServer({ messages: mails(3), without: ['UIDL'] }, async (server) => {
      const seen: (readonly ServerId[])[] = []
      for (let session = 0; session < 2; session++)
        await withSession(openPop3, accessTo(server), async (each) => {
          const { epoch, ids } = await each.list('INBOX')
          assert.equal(epoch, 'top')
          seen.push(ids)
        })
      assert.deepEqual(seen[0], seen[1])
      assert.equal(new Set(seen[0]).size, 3)
      assert.ok(!seen[0]?.some(isSessionId))
    })
  })

  test('messages that share header and size, or a UIDL, are fetched by every session, all of them', async () => {
    const same = { uidl: 'same', octets: mail(1).octets }
    for (const without of [['UIDL'], []])
      await withServer({ messages: [same, mail(2), same], without }, async (server) => {
        await withSession(openPop3, accessTo(server), async (session) => {
          const listing = await session.list('INBOX')
          assert.deepEqual(listing.ids.map(isSessionId), [true, false, true])
          assert.equal((await collect(session, listing)).filter(({ octets }) => octets).length, 3)
        })
      })
  })

  test('without TOP too, ids mean nothing after the session', async () => {
    await withServer({ messages: mails(2), without: ['UIDL', 'TOP'] }, async (server) => {
      await withSession(openPop3, accessTo(server), async (session) => {
        assert.ok((await session.list('INBOX')).ids.every(isSessionId))
      })
    })
  })

  test('a message that UIDL or LIST left out is there all the same', async () => {
    const answer = (line: string): string | undefined =>
      line === 'UIDL' ? '+OK\r\n1 uidl-1\r\n.\r\n' : undefined
    await withServer({ messages: mails(2), answer }, async (server) => {
      await withSession(openPop3, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        assert.deepEqual(listing.ids.map(isSessionId), [false, true])
        assert.equal((await collect(session, listing)).filter(({ octets }) => octets).length, 2)
      })
    })
  })
})

describe('POP3 refusals', () => {
  test('by response code, and by the words of the standard where there is none', async () => {
    const refused = (text: string) => (line: string) =>
      /^(PASS|AUTH)/.test(line) ? `-ERR ${text}\r\n` : undefined
    for (const [text, code] of [
      ['[IN-USE] another session', 'MAILDROP_LOCKED'],
      ['maildrop already locked', 'MAILDROP_LOCKED'],
      ['[LOGIN-DELAY] wait', 'THROTTLED'],
      ['[SYS/TEMP] later', 'SERVER_UNAVAILABLE'],
      ['[SYS/PERM] never', 'SERVER_UNAVAILABLE'],
      ['[AUTH] wrong', 'AUTHENTICATION_FAILED'],
      ['invalid password', 'AUTHENTICATION_FAILED'],
    ] as const)
      assert.equal(await refusal({ answer: refused(text) }), code, text)
  })

  test('a wrong password', async () => {
    assert.equal(await refusal({}, { password: async () => 'wrong secret' }), 'AUTHENTICATION_FAILED')
  })

  test('a user or password with a line break never reaches the server', async () => {
    for (const access of [{ user: 'a\r\nDELE 1' }, { password: async () => 'a\nDELE 1' }])
      for (const capabilities of [[], ['SASL PLAIN']]) {
        const server = await startPop3Server({ capabilities })
        try {
          await assert.rejects(openPop3(accessTo(server, access)), { code: 'AUTHENTICATION_FAILED' })
          assert.ok(!server.commands.some((line) => /DELE|AUTH|PASS/.test(line)))
        } finally {
          await server.close()
        }
      }
  })

  test('a greeting that refuses, or is of another protocol', async () => {
    assert.equal(await refusal({ greeting: '-ERR [SYS/TEMP] down\r\n' }), 'SERVER_UNAVAILABLE')
    assert.equal(await refusal({ greeting: '* OK IMAP4rev1 ready\r\n' }), 'PROTOCOL_VIOLATION')
  })

  test('one RETR that is refused fails one message; trouble of the server ends the session', async () => {
    const answer = (text: string) => (line: string) => (line === 'RETR 2' ? `-ERR ${text}\r\n` : undefined)
    await withServer({ messages: mails(3), answer: answer('cannot open message') }, async (server) => {
      await withSession(openPop3, accessTo(server), async (session) => {
        const fetched = await collect(session, await session.list('INBOX'))
        assert.deepEqual(
          fetched.map(({ octets, error }) => error?.code ?? octets?.length),
          [mail(1).octets.length, 'MESSAGE_UNFETCHABLE', mail(3).octets.length],
        )
      })
    })
    await withServer({ messages: mails(3), answer: answer('[SYS/TEMP] disk') }, async (server) => {
      const session = await openPop3(accessTo(server))
      const listing = await session.list('INBOX')
      await assert.rejects(collect(session, listing), { code: 'SERVER_UNAVAILABLE' })
      session.abort()
    })
  })

  test('a log-in in clear is refused but to this machine', async () => {
    await assert.rejects(openPop3(accessTo({ port: 9 }, { host: 'mail.example.com' })), {
      code: 'TLS_UNAVAILABLE',
    })
  })

  test('a host that does not exist and a port where nobody listens', async () => {
    await assert.rejects(openPop3(accessTo({ port: 1 })), { code: 'CONNECTION_FAILED' })
    await assert.rejects(
      openPop3(accessTo({ port: 995 }, { host: 'no-such-host.invalid', tls: 'implicit' })),
      {
        code: 'CONNECTION_FAILED',
      },
    )
  })
})

describe('POP3 odd servers', () => {
  /** Opens a session on a server that answers a command in its own way, and fetches everything. */
  async function fetchFrom(
    answer: Pop3ServerOptions['answer'],
    limits: Partial<Record<keyof typeof POP3, number>> = {},
    capabilities: readonly string[] = ['UIDL', 'PIPELINING'],
  ) {
    const server = await startPop3Server({ messages: mails(3), capabilities, ...(answer ? { answer } : {}) })
    try {
      const session = await pop3Opener({ ...POP3, ...limits })(accessTo(server))
      try {
        return await collect(session, await session.list('INBOX'))
      } finally {
        session.abort()
      }
    } finally {
      await server.close()
    }
  }

  test('one that closes in the middle of a message is an error, never a short message', async () => {
    const answer: Pop3ServerOptions['answer'] = (line, { write, close }) => {
      if (line !== 'RETR 2') return undefined
      write('+OK\r\nSubject: cut\r\n\r\nhalf of')
      setTimeout(close, 20)
      return ''
    }
    await assert.rejects(fetchFrom(answer, {}, ['UIDL']), { code: 'CONNECTION_LOST', message: /RETR 2/ })
  })

  test('one that says nothing any more is given up after the idle time', async () => {
    await assert.rejects(
      fetchFrom((line) => (line === 'RETR 2' ? '' : undefined), { idleMs: 80 }),
      {
        code: 'TIMED_OUT',
        message: /nothing received for 80 ms/,
      },
    )
  })

  test('one that drips an octet now and then is given up after the time that the answer may take', async () => {
    const timers: NodeJS.Timeout[] = []
    const answer: Pop3ServerOptions['answer'] = (line, { write }) => {
      if (line !== 'RETR 2') return undefined
      write('+OK\r\n')
      timers.push(setInterval(() => write('x'), 20))
      return ''
    }
    await assert.rejects(fetchFrom(answer, { idleMs: 1000, commandMs: 200 }), {
      code: 'TIMED_OUT',
      message: /took too long in all/,
    })
    for (const timer of timers) clearInterval(timer)
  })

  test('one that sends an endless line or list is given up within the limits', async () => {
    const endless = 'x'.repeat(20_000)
    await assert.rejects(
      fetchFrom((line) => (line === 'RETR 2' ? endless : undefined)),
      { code: 'PROTOCOL_VIOLATION' },
    )
    const list = `+OK\r\n${'1 a\r\n'.repeat(1000)}.\r\n`
    await assert.rejects(
      fetchFrom((line) => (line === 'UIDL' ? list : undefined), { listOctets: 500 }),
      {
        code: 'PROTOCOL_VIOLATION',
      },
    )
    await assert.rejects(
      fetchFrom((line) => (line === 'UIDL' ? list : undefined), { listRows: 500 }),
      {
        code: 'PROTOCOL_VIOLATION',
      },
    )
  })

  test('one that speaks garbage instead of a status', async () => {
    await assert.rejects(
      fetchFrom((line) => (line === 'RETR 2' ? 'HTTP/1.1 400\r\n' : undefined)),
      {
        code: 'PROTOCOL_VIOLATION',
      },
    )
  })

  test('one that sends more than it announced is read to the end of the message, and the next one is whole', async () => {
    const answer: Pop3ServerOptions['answer'] = (line) => {
      if (line === 'LIST') return '+OK\r\n1 10\r\n2 10\r\n3 10\r\n.\r\n'
      return line === 'RETR 2' ? `+OK\r\n${'long line\r\n'.repeat(10_000)}.\r\n` : undefined
    }
    const server = await startPop3Server({ messages: mails(3), answer })
    await withSession(openPop3, accessTo(server), async (session) => {
      const fetched = await collect(session, await session.list('INBOX'), { maxOctets: 1000 })
      assert.deepEqual(
        fetched.map(({ octets, error, announcedOctets }) => [error?.code ?? octets?.length, announcedOctets]),
        [
          [mail(1).octets.length, 10],
          ['MESSAGE_TOO_LARGE', 10],
          [mail(3).octets.length, 10],
        ],
      )
    })
    await server.close()
  })

  test('a slow receiver holds the server up, and memory stays small', async () => {
    const authority = makeAuthority()
    const large = mail(1, 'x'.repeat(76).concat('\r\n').repeat(800_000))
    const tls = { ...authority.issue({ names: ['127.0.0.1'] }), mode: 'implicit' } as const
    for (const options of [{}, { tls }])
      await withServer({ messages: [large], ...options }, async (server) => {
        const access = 'tls' in options ? { tls: 'implicit' as const, ca: authority.caPem } : {}
        await withSession(openPop3, accessTo(server, access), async (session) => {
          const listing = await session.list('INBOX')
          let most = 0
          const spool = {
            ...openSpool(),
            async collect(source: AsyncIterable<Buffer>) {
              let octets = 0
              for await (const piece of source) {
                octets += piece.length
                most = Math.max(most, piece.length)
                for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
              }
              assert.equal(octets, large.octets.length)
              throw new RangeError('read to its end')
            },
          }
          await assert.rejects(collect(session, listing, { spool }), RangeError)
          // What is read ahead comes in one piece.
          assert.ok(most < 512 * 1024, `${most} octets`)
          session.abort()
        })
      })
  })

  test('the maildrop is listed with the last CAPA where the server takes several commands at once, and signed out of all the same when nobody looks', async () => {
    for (const looks of [true, false])
      await withServer({ messages: mails(2) }, async (server) => {
        const session = await openPop3(accessTo(server))
        if (looks) assert.equal((await session.list('INBOX')).ids.length, 2)
        await session.close()

        assert.deepEqual(server.commands.slice(-4), ['CAPA', 'UIDL', 'LIST', 'QUIT'])
        assert.equal(server.mostAhead(), 3)
      })
  })

  test('a list that comes in many pieces is read as it was sent', async () => {
    const { octets } = mail(1)
    const messages = Array.from({ length: 20_000 }, (_, index) => ({
      uidl: `${index}-${'u'.repeat(60)}`,
      octets,
    }))
    await withServer({ messages }, (server) =>
      withSession(openPop3, accessTo(server), async (session) => {
        const { ids } = await session.list('INBOX')
        assert.deepEqual(
          ids,
          messages.map(({ uidl }) => uidl),
        )
      }),
    )
  })
})

describe('POP3 over TLS', () => {
  const authority = makeAuthority()
  const stranger = makeAuthority()
  const leaf = (names: readonly string[] = ['127.0.0.1'], dates: { validFrom?: Date; validTo?: Date } = {}) =>
    authority.issue({ names, ...dates })
  const servers: Pop3Server[] = []
  after(async () => {
    for (const server of servers) await server.close()
  })
  async function start(
    mode: 'implicit' | 'stls',
    pair = leaf(),
    options: Pop3ServerOptions = {},
  ): Promise<Pop3Server> {
    const server = await startPop3Server({ messages: mails(2), tls: { ...pair, mode }, ...options })
    servers.push(server)
    return server
  }

  for (const [mode, tls] of [
    ['implicit', 'implicit'],
    ['stls', 'starttls'],
  ] as const) {
    test(`${tls}: signs in and fetches, and knows the certificate`, async () => {
      const server = await start(mode)
      await withSession(openPop3, accessTo(server, { tls, ca: authority.caPem }), async (session) => {
        assert.match(session.server.tls, /^TLSv1\.[23]$/)
        assert.match(session.server.certificateSha256 ?? '', /^[0-9a-f]{64}$/)
        assert.equal((await collect(session, await session.list('INBOX'))).length, 2)
      })
      assert.equal(server.commands.filter((line) => /^(AUTH|PASS)/.test(line)).length, 1)
    })

    test(`${tls}: a certificate of a stranger, for another name, or expired is refused before anything is signed in`, async () => {
      const day = 86_400_000
      const cases = [
        [leaf(), stranger.caPem],
        [leaf(['mail.example.com']), authority.caPem],
        [
          leaf(['127.0.0.1'], {
            validFrom: new Date(Date.now() - 9 * day),
            validTo: new Date(Date.now() - day),
          }),
          authority.caPem,
        ],
      ] as const
      for (const [pair, ca] of cases) {
        const server = await start(mode, pair)
        await assert.rejects(openPop3(accessTo(server, { tls, ca })), { code: 'CERTIFICATE_REJECTED' })
        assert.ok(!server.commands.some((line) => /^(AUTH|USER|PASS)/.test(line)))
      }
    })
  }

  test('a server that refuses STLS, or whose offer was taken out on the way, gets no password', async () => {
    const server = await startPop3Server({ messages: mails(1) })
    servers.push(server)
    await assert.rejects(openPop3(accessTo(server, { tls: 'starttls', ca: authority.caPem })), {
      code: 'TLS_UNAVAILABLE',
    })
    assert.deepEqual(server.commands, ['STLS'])
  })

  test('octets in clear that follow the answer to STLS are refused: somebody on the path may have put them there', async () => {
    const server = await start('stls', leaf(), {
      answer: (line) => (line === 'STLS' ? '+OK begin\r\n+OK injected\r\n' : undefined),
    })
    await assert.rejects(openPop3(accessTo(server, { tls: 'starttls', ca: authority.caPem })), {
      code: 'PROTOCOL_VIOLATION',
      message: /in clear before the handshake/,
    })
    assert.deepEqual(server.commands, ['STLS'])
  })

  test('a server that speaks clear on a TLS port is told from a bad certificate', async () => {
    const server = await startPop3Server({})
    servers.push(server)
    await assert.rejects(openPop3(accessTo(server, { tls: 'implicit', ca: authority.caPem })), {
      code: 'TLS_UNAVAILABLE',
    })
  })
})

const SPOOL = openSpool()
after(() => SPOOL.close())

function options() {
  return { maxOctets: 1_000_000_000, keepGoing: () => true, spool: SPOOL }
}
