import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, describe, test } from 'node:test'
import { IngestError } from '../../shared/errors.ts'
import { IMAP } from '../../shared/limits.ts'
import { imapOpener, openImap } from '../../shared/mailbox/imap.ts'
import type { MailboxAccess } from '../../shared/mailbox/mailbox.ts'
import { openSpool } from '../../shared/octets.ts'
import { startImapServer } from '../support/imap-server.ts'
import { accessTo, collect, mail, withSession } from '../support/imap-session.ts'
import { fetchRow, startScriptedImap, uidsAsked } from '../support/scripted-imap.ts'

const SECRET = 'correct-horse-battery'
const hasty = imapOpener({
  ...IMAP,
  connectMs: 300,
  greetingMs: 300,
  idleMs: 300,
  commandMs: 600,
  signInMs: 1_000,
  logoutMs: 300,
})

describe('IMAP connections', () => {
  const closing: (() => Promise<void>)[] = []
  after(() => Promise.all(closing.map((close) => close())))
  const script: typeof startScriptedImap = async (options) => {
    const server = await startScriptedImap(options)
    closing.push(server.close)
    return server
  }
  const refused = async (
    access: MailboxAccess,
    expected: { code: string; scope: string; message?: RegExp },
    open = openImap,
  ): Promise<void> => {
    await assert.rejects(open(access), (error) => {
      assert.ok(error instanceof IngestError, String(error))
      assert.deepEqual(
        { code: error.code, scope: error.scope },
        { code: expected.code, scope: expected.scope },
      )
      assert.ok(error.message.startsWith(`${access.host} (${access.user}): `), error.message)
      assert.ok(!JSON.stringify([error.message, error.stack]).includes(SECRET))
      if (expected.message) assert.match(error.message, expected.message)
      return true
    })
  }

  test('nothing is sent in clear to a host that is not this machine', async () => {
    await refused(
      accessTo(
        { port: 143 },
        { host: 'imap.example.com', password: () => assert.fail('not even asked for') },
      ),
      {
        code: 'TLS_UNAVAILABLE',
        scope: 'mailbox',
      },
    )
  })

  test('a server that stopped offering STARTTLS gets no credentials', async () => {
    const server = await script()

    await refused(accessTo(server, { tls: 'starttls', password: async () => SECRET }), {
      code: 'TLS_UNAVAILABLE',
      scope: 'mailbox',
    })
    assert.ok(!server.commands.some((line) => /LOGIN|AUTHENTICATE/.test(line)))
  })

  test('a greeting that claims to be signed in does not get around STARTTLS', async () => {
    const server = await script({ greeting: '* PREAUTH welcome\r\n', capabilities: 'IMAP4rev1 STARTTLS' })

    await refused(accessTo(server, { tls: 'starttls' }), { code: 'TLS_UNAVAILABLE', scope: 'mailbox' })
    assert.deepEqual(server.commands, [])
  })

  test('plaintext injected after the answer to STARTTLS is refused', async () => {
    const server = await script({
      capabilities: 'IMAP4rev1 STARTTLS',
      answers: [[/^STARTTLS/, '{tag} OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n']],
    })

    await refused(accessTo(server, { tls: 'starttls' }), {
      code: 'PROTOCOL_VIOLATION',
      scope: 'session',
      message: /injection/,
    })
    assert.ok(!server.commands.some((line) => /LOGIN|AUTHENTICATE/.test(line)))
  })

  test('a wrong password, with and without a code, is about the mailbox', async () => {
    for (const answer of ['{tag} NO [AUTHENTICATIONFAILED] wrong\r\n', '{tag} NO wrong\r\n']) {
      const server = await script({ answers: [[/^LOGIN/, answer]] })
      await refused(accessTo(server, { password: async () => SECRET }), {
        code: 'AUTHENTICATION_FAILED',
        scope: 'mailbox',
        message: /wrong/,
      })
    }
    const real = await startImapServer()
    closing.push(real.close)
    await refused(accessTo(real, { password: async () => SECRET }), {
      code: 'AUTHENTICATION_FAILED',
      scope: 'mailbox',
    })
  })

  test('a log-in that the server cannot check now is about the session', async () => {
    const server = await script({ answers: [[/^LOGIN/, '{tag} NO [UNAVAILABLE] try later\r\n']] })

    await refused(accessTo(server), { code: 'SERVER_UNAVAILABLE', scope: 'session', message: /try later/ })
  })

  test('"authenticated but not connected" is throttling, wherever Exchange says it', async () => {
    const text = 'BAD User is authenticated but not connected.\r\n'
    const atLogIn = await script({ answers: [[/^LOGIN/, `{tag} ${text}`]] })
    await refused(accessTo(atLogIn), { code: 'THROTTLED', scope: 'session' })
    const later = await script({ answers: [[/^SELECT/, `{tag} ${text}`]] })
    await withSession(openImap, accessTo(later), async (session) => {
      await assert.rejects(session.list('INBOX'), { code: 'THROTTLED', scope: 'session' })
    })
  })

  test('a server without a way to sign in by password says so', async () => {
    const server = await script({ capabilities: 'IMAP4rev1 LOGINDISABLED' })

    await refused(accessTo(server), { code: 'AUTHENTICATION_FAILED', scope: 'mailbox' })
  })

  test('an unknown host and a closed port are failed connections', async () => {
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const { port } = free.address() as AddressInfo
    free.close()
    await once(free, 'close')

    await refused(accessTo({ port }), {
      code: 'CONNECTION_FAILED',
      scope: 'session',
      message: /ECONNREFUSED/,
    })
    await refused(accessTo({ port: 993 }, { host: 'no-such-host.invalid', tls: 'implicit' }), {
      code: 'CONNECTION_FAILED',
      scope: 'session',
    })
  })

  test('a greeting that is not IMAP, a BYE and a closed door fail the connection', async () => {
    const garbage = await script({ greeting: '\x00\x01(((((garbage\r\n' })
    await refused(accessTo(garbage), { code: 'PROTOCOL_VIOLATION', scope: 'session' })
    for (const greeting of ['+OK POP3 ready', '220 mail.example.com ESMTP', 'HTTP/1.1 400 Bad Request']) {
      const other = await script({ greeting: `${greeting}\r\n` })
      await refused(accessTo(other), {
        code: 'PROTOCOL_VIOLATION',
        scope: 'session',
        message: /the greeting is not that of IMAP: /,
      })
    }
    const bye = await script({ greeting: '* BYE too busy\r\n' })
    await refused(accessTo(bye), { code: 'CONNECTION_FAILED', scope: 'session', message: /too busy/ })
    const closed = await script({ greeting: (socket) => socket.destroy() })
    await refused(accessTo(closed), { code: 'CONNECTION_FAILED', scope: 'session' })
  })

  test('a server that speaks no TLS on a TLS port is named as such', async () => {
    const server = await script()

    await refused(accessTo(server, { tls: 'implicit' }), { code: 'TLS_UNAVAILABLE', scope: 'mailbox' })
  })

  test('a black hole is left: before the greeting, at sign-in and at any command', async () => {
    const silent = await script({ greeting: () => {} })
    await refused(accessTo(silent), { code: 'TIMED_OUT', scope: 'session' }, hasty)
    const deaf = await script({ answers: [[/^LOGIN/, () => {}]] })
    await refused(accessTo(deaf), { code: 'TIMED_OUT', scope: 'session' }, hasty)
    const asleep = await script({ answers: [[/^SELECT/, () => {}]] })
    await withSession(hasty, accessTo(asleep), async (session) => {
      await assert.rejects(session.list('INBOX'), { code: 'TIMED_OUT', scope: 'session' })
    })
  })

  test('a command that took too long costs the connection, so that nothing can wait for it again', async () => {
    const impatient = imapOpener({ ...IMAP, commandMs: 300 })
    const server = await script({ answers: [[/^SELECT/, () => {}]] })

    const session = await impatient(accessTo(server))
    await assert.rejects(session.list('INBOX'), { code: 'TIMED_OUT', message: /SELECT INBOX/ })
    await assert.rejects(session.list('INBOX'), { code: 'TIMED_OUT', scope: 'session' })
    while (server.connections() > 0) await new Promise((resolve) => setTimeout(resolve, 10))
    assert.equal(server.commands.filter((line) => line.startsWith('SELECT')).length, 1)
    await session.close()
  })

  test('each command has its time, also where several are waited for together', async () => {
    const patient = imapOpener({ ...IMAP, commandMs: 2_000 })
    const slowly =
      (text: string) =>
      ({ say, tag }: { say(text: string): void; tag: string }): void =>
        void setTimeout(() => say(text.replace('{tag}', tag)), 1_200)
    let selected = (): void => {}
    const server = await script({
      exists: 1,
      answers: [
        [
          /^SELECT/,
          (client) => {
            slowly('* 1 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n{tag} OK done\r\n')(client)
            setTimeout(() => selected(), 1_200)
          },
        ],
        [
          /^UID SEARCH ALL/,
          (client) => {
            selected = () => slowly('* SEARCH 1\r\n{tag} OK done\r\n')(client)
          },
        ],
        [/^UID FETCH/, (client) => void setTimeout(() => client.say('{tag} OK done\r\n'), 2_400)],
      ],
    })
    await withSession(patient, accessTo(server), async (session) => {
      assert.deepEqual((await session.list('INBOX')).ids, [1])
    })
  })

  test('a server that drips octets does not hold a drain, though it is never silent', async () => {
    const server = await script({
      exists: 1,
      answers: [
        [
          /^UID FETCH/,
          ({ say }) => {
            say('* 1 FETCH (UID 1 RFC822.SIZE 500 FLAGS (')
            const drip = setInterval(() => say('x'), 50)
            closing.push(async () => clearInterval(drip))
          },
        ],
      ],
    })

    await withSession(hasty, accessTo(server), async (session) => {
      await assert.rejects(session.list('INBOX'), { code: 'TIMED_OUT', scope: 'session' })
    })
  })

  test('a receiver that takes its time does not time the server out', async () => {
    const server = await script({
      exists: 3,
      answers: [
        [
          /^UID FETCH/,
          ({ line, say }) =>
            say(
              `${uidsAsked(line)
                .map((uid) => fetchRow(uid, { size: 1, ...(line.includes('BODY') ? { source: 'x' } : {}) }))
                .join('')}{tag} OK done\r\n`,
            ),
        ],
      ],
    })

    await withSession(hasty, accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      const spool = { ...openSpool(), collect: () => assert.fail('nothing here is large') }
      const fetched = []
      for await (const message of session.fetch(listing, listing.ids, {
        maxOctets: 10,
        spool,
        keepGoing: () => true,
      })) {
        await new Promise((resolve) => setTimeout(resolve, 400))
        fetched.push(message.octets?.length)
      }
      assert.deepEqual(fetched, [1, 1, 1])
    })
  })

  test('an endless line and a monstrous literal end the session before they fill the memory', async () => {
    const octets = 128 * 1024
    const strict = imapOpener({ ...IMAP, lineOctets: octets, literalOctets: octets, listedUids: 50_000 })
    const numbers = await script({
      exists: 1,
      answers: [[/^UID SEARCH/, ({ say }) => say(`* SEARCH ${'1 '.repeat(100_000)}`)]],
    })
    await withSession(strict, accessTo(numbers), async (session) => {
      await assert.rejects(session.list('INBOX'), {
        code: 'PROTOCOL_VIOLATION',
        message: /more than 50000 messages/,
      })
    })
    const line = await script({
      exists: 1,
      answers: [[/^UID SEARCH/, ({ say }) => say(`* SEARCHED ${'1 '.repeat(100_000)}`)]],
    })
    await withSession(strict, accessTo(line), async (session) => {
      await assert.rejects(session.list('INBOX'), {
        code: 'PROTOCOL_VIOLATION',
        message: /line of more than 131072/,
      })
    })
    const literal = await script({
      exists: 1,
      answers: [[/^UID FETCH/, '* 1 FETCH (UID 1 BODY[] {99999999}\r\nx']],
    })
    await withSession(strict, accessTo(literal), async (session) => {
      await assert.rejects(session.list('INBOX'), { code: 'PROTOCOL_VIOLATION', message: /99999999/ })
    })
  })

  test('a BYE in the middle of a session ends it as a lost connection, in the words of the server', async () => {
    const server = await script({ exists: 1, answers: [[/^UID SEARCH/, '* BYE maintenance\r\n']] })

    await withSession(openImap, accessTo(server), async (session) => {
      await assert.rejects(session.list('INBOX'), { code: 'CONNECTION_LOST', message: /maintenance/ })
    })
  })

  test('the transcript shows the conversation without password and without messages', async () => {
    const server = await startImapServer({ messages: [mail(1)], password: SECRET })
    closing.push(server.close)
    const lines: string[] = []

    await withSession(
      openImap,
      accessTo(server, { transcript: (line) => lines.push(line) }),
      async (session) => {
        await collect(session, await session.list('INBOX'))
      },
    )
    const all = lines.join('\n')
    assert.match(all, /^C: \S+ SELECT INBOX$/m)
    assert.match(all, /^S: .*UIDVALIDITY/m)
    assert.ok(!all.includes(SECRET) && !all.includes(Buffer.from(SECRET).toString('base64')))
    assert.ok(!all.includes('Text of 1'))
  })

  test('closing twice is harmless, and a server that does not answer LOGOUT is left after a while', async () => {
    const server = await script({ answers: [[/^LOGOUT/, () => {}]] })

    const session = await hasty(accessTo(server))
    await session.close()
    await session.close()
    assert.equal(server.connections(), 1)
    while (server.connections() > 0) await new Promise((resolve) => setTimeout(resolve, 10))
    assert.equal(server.commands.filter((line) => line === 'LOGOUT').length, 1)
    session.abort()
  })

  test('abort drops the connection at once, and what was under way says so', async () => {
    const server = await script({ exists: 1, answers: [[/^UID SEARCH/, () => {}]] })

    const session = await openImap(accessTo(server))
    const listing = session.list('INBOX')
    setTimeout(() => session.abort(), 50)
    await assert.rejects(listing, { code: 'CONNECTION_LOST', scope: 'session' })
    await session.close()
  })
})
