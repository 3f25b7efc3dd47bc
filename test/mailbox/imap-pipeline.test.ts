import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { IMAP } from '../../shared/limits.ts'
import { imapOpener, openImap } from '../../shared/mailbox/imap.ts'
import { connectImap } from '../../shared/mailbox/imap-connection.ts'
import { fetchMessages } from '../../shared/mailbox/imap-fetch.ts'
import { knowing } from '../../shared/mailbox/imap-known.ts'
import type { Fetched } from '../../shared/mailbox/mailbox.ts'
import { isUid, sortedUids } from '../../shared/mailbox/uid-set.ts'
import { openSpool } from '../../shared/octets.ts'
import { conversation } from '../support/conversation.ts'
import { accessTo, collect, withSession } from '../support/imap-session.ts'
import {
  fetchRow,
  type ScriptedClient,
  type ScriptedImap,
  startScriptedImap,
  uidsAsked,
} from '../support/scripted-imap.ts'

const SIZES: [RegExp, (client: ScriptedClient) => void] = [
  /^UID FETCH (?!.*BODY)/,
  ({ line, say }) =>
    say(
      `${uidsAsked(line)
        .map((uid) => fetchRow(uid, { size: 5 }))
        .join('')}{tag} OK done\r\n`,
    ),
]
const BODIES = /^UID FETCH .*BODY/
const hello = (uid: number): string => fetchRow(uid, { size: 5, source: 'hello' })
const hellos = (line: string): string => uidsAsked(line).map(hello).join('')

describe('IMAP, several FETCHes at a time', () => {
  const servers: ScriptedImap[] = []
  after(() => Promise.all(servers.map((server) => server.close())))

  /** `bodies` answers the FETCHes of messages; every message is announced with 5 octets. */
  async function start(
    exists: number,
    bodies: string | ((client: ScriptedClient) => void),
  ): Promise<ScriptedImap> {
    const server = await startScriptedImap({ exists, answers: [[BODIES, bodies], SIZES] })
    servers.push(server)
    return server
  }

  /** Of each message its UID, and its text or what was wrong. */
  function outcome(messages: readonly Fetched[]): unknown[] {
    return messages.map((m) => [
      Number(m.id),
      m.octets ? (m.octets.buffer?.toString() ?? 'spooled') : m.error.code,
    ])
  }

  test('the next ones are on the wire before the first is answered', async () => {
    const held: ScriptedClient[] = []
    const server = await start(8, (client) => {
      held.push(client)
      // A server that waits for four commands would wait for ever for a client that waits for its answer.
      if (held.length === 4) for (const { line, say } of held) say(`${hellos(line)}{tag} OK done\r\n`)
    })

    const lines: string[] = []
    const access = accessTo(server, { transcript: (line) => lines.push(line) })
    await withSession(imapOpener({ ...IMAP, batchMessages: 2 }), access, async (session) => {
      const listing = await session.list('INBOX')
      lines.splice(0)
      assert.deepEqual(
        outcome(await collect(session, listing)),
        listing.ids.map((id) => [id, 'hello']),
      )
    })
    assert.equal(conversation(lines).waits, 1)
    assert.ok(lines.some((line) => /^C: M1 UID FETCH 1:2 /.test(line)))
    assert.ok(lines.some((line) => line === 'S: M1 OK done'))
    assert.ok(!lines.some((line) => line.includes('hello')))
  })

  test('no more is asked for than may be on its way, in octets and in commands', async () => {
    let asked = 0
    let answered = 0
    const behind: number[] = []
    const server = await start(12, ({ line, say }) => {
      asked += uidsAsked(line).length
      behind.push(asked - answered)
      setTimeout(() => {
        answered += uidsAsked(line).length
        say(`${hellos(line)}{tag} OK done\r\n`)
      }, 10)
    })

    for (const [limits, most] of [
      [{ batchMessages: 1, windowBatches: 3 }, 3],
      [{ batchMessages: 1, windowBatches: 8, windowOctets: 10, windowOctetsMost: 10 }, 2],
    ] as const) {
      behind.splice(0)
      await withSession(imapOpener({ ...IMAP, ...limits }), accessTo(server), async (session) => {
        assert.equal((await collect(session, await session.list('INBOX'))).length, 12)
      })
      assert.equal(Math.max(...behind), most)
    }
  })

  test('answers are the same octet by octet, with everything in between that a server may say', async () => {
    const said = [
      '* 9 EXISTS\r\n',
      '* 3 EXPUNGE\r\n',
      '* CAPABILITY IMAP4rev1 UIDPLUS\r\n',
      '* OK [ALERT] braces {x}\r\n',
      '* LIST () "/" {5}\r\nIN\r\nB\r\n',
      '* 1 FETCH (FLAGS (\\Seen))\r\n',
      '* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n',
      '* 7 FETCH (UID 99 RFC822.SIZE 4 BODY[] {4}\r\n)\r\n*)\r\n',
      '* 1 FETCH (UID 1 FLAGS (\\Seen\r\n',
      '+ go on\r\n',
      'A99 OK nobody asked\r\n',
      'M99 OK nobody asked\r\n',
      '\r\n',
    ]
    const server = await start(2, ({ say }) => {
      const octets = `${said.join('')}${hello(1)}${said.join('')}${hello(1)}${hello(2)}{tag} OK done\r\n`
      for (const part of octets
        .split('{tag}')
        .flatMap((text, at) => (at === 0 ? [...text] : ['{tag}', ...text])))
        say(part)
    })

    await withSession(openImap, accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      assert.deepEqual(outcome(await collect(session, listing)), [
        [1, 'hello'],
        [2, 'hello'],
      ])
      // imapflow has its socket back.
      assert.deepEqual(await session.acknowledge(listing, [], { kind: 'seen' }), 'seen')
      assert.equal((await session.list('INBOX')).ids.length, 2)
    })
  })

  test('imapflow learns what the server said meanwhile, and reads on', async () => {
    const server = await startScriptedImap({
      exists: 3,
      answers: [
        [
          BODIES,
          ({ line, say }) => say(`* 5 EXISTS\r\n${hellos(line)}* 1 EXPUNGE\r\n{tag} OK done\r\n* 7 EXI`),
        ],
        [/^NOOP/, 'STS\r\n{tag} OK done\r\n'],
        SIZES,
      ],
    })
    servers.push(server)
    const connection = await connectImap(accessTo(server), IMAP)
    const { client } = connection
    await client.mailboxOpen('INBOX')
    const counts: number[] = []
    client.on('exists', ({ count }) => counts.push(count))
    client.on('expunge', () => counts.push(client.mailbox ? client.mailbox.exists : -1))
    const spool = openSpool()
    const options = { maxOctets: 100, spool, keepGoing: () => true }
    const uids = sortedUids([1, 2, 3].filter(isUid))
    for await (const message of fetchMessages(connection, knowing(uids), uids, options))
      assert.equal(message.octets?.length, 5)

    await client.noop()
    assert.deepEqual(counts, [5, 4, 7])
    await connection.close()
    await spool.close()
  })

  test("a response that the server has sent by half is imapflow's to the end before its socket is taken", async () => {
    const server = await startScriptedImap({
      exists: 3,
      answers: [
        [
          /^SELECT/,
          ({ say }) => {
            say('* 3 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n{tag} OK [READ-WRITE] done\r\n* 9 EXI')
            setTimeout(() => say('STS\r\n'), 50)
          },
        ],
        [BODIES, ({ line, say }) => say(`${hellos(line)}{tag} OK done\r\n`)],
        SIZES,
      ],
    })
    servers.push(server)
    const connection = await connectImap(accessTo(server), IMAP)
    const { client } = connection
    await client.mailboxOpen('INBOX')
    const counts: number[] = []
    client.on('exists', ({ count }) => counts.push(count))
    const uids = sortedUids([1, 2, 3].filter(isUid))
    const options = { maxOctets: 100, spool: openSpool(), keepGoing: () => true }
    const fetched: Fetched[] = []
    for await (const message of fetchMessages(connection, knowing(uids), uids, options)) fetched.push(message)
    assert.equal(fetched.length, 3)
    await client.noop()
    assert.equal(counts.at(-1), 9)
    await connection.close()
  })

  test('a FETCH may be answered before one that was asked for earlier', async () => {
    const held: ScriptedClient[] = []
    const server = await start(4, (client) => {
      held.push(client)
      if (held.length === 2)
        for (const { line, say } of held.reverse()) say(`${hellos(line)}{tag} OK done\r\n`)
    })

    await withSession(imapOpener({ ...IMAP, batchMessages: 2 }), accessTo(server), async (session) => {
      const messages = await collect(session, await session.list('INBOX'))
      assert.deepEqual(
        messages.map(({ id }) => id),
        [3, 4, 1, 2],
      )
    })
  })

  test('a FETCH that is refused among others costs only what it asked for', async () => {
    const server = await start(20, ({ line, say }) => {
      const uids = uidsAsked(line)
      if (uids.includes(4))
        say(
          `${uids
            .filter((uid) => uid < 4)
            .map(hello)
            .join('')}{tag} NO broken\r\n`,
        )
      else say(`${hellos(line)}{tag} OK done\r\n`)
    })

    await withSession(imapOpener({ ...IMAP, batchMessages: 2 }), accessTo(server), async (session) => {
      const messages = outcome(await collect(session, await session.list('INBOX')))
      assert.deepEqual(messages, [
        ...[1, 2, 3, 5, 6, 7, 8, 9, 10].map((uid) => [uid, 'hello']),
        [4, 'MESSAGE_UNFETCHABLE'],
        ...[11, 12, 13, 14, 15, 16, 17, 18, 19, 20].map((uid) => [uid, 'hello']),
      ])
    })
    // 3:4 in the first go, and 4 alone before it is given up.
    assert.equal(server.commands.filter((line) => BODIES.test(line) && uidsAsked(line).includes(4)).length, 2)
  })

  test('a server that takes one FETCH at a time is found out in the first window', async () => {
    let pending = 0
    let refusals = 0
    const server = await start(40, ({ line, say }) => {
      if (pending > 0) {
        refusals++
        say('{tag} BAD one at a time\r\n')
        return
      }
      pending++
      setTimeout(() => {
        pending--
        say(`${hellos(line)}{tag} OK done\r\n`)
      }, 10)
    })

    await withSession(imapOpener({ ...IMAP, batchMessages: 2 }), accessTo(server), async (session) => {
      const messages = outcome(await collect(session, await session.list('INBOX')))
      assert.deepEqual(
        messages,
        Array.from({ length: 40 }, (_, index) => [index + 1, 'hello']),
      )
    })
    assert.equal(refusals, 3)
  })

  test('a refusal without a tag is one of the FETCH that is awaited', async () => {
    const server = await start(1, 'BAD "not now"\r\n')
    await withSession(openImap, accessTo(server), async (session) => {
      assert.deepEqual(outcome(await collect(session, await session.list('INBOX'))), [
        [1, 'MESSAGE_UNFETCHABLE'],
      ])
    })
  })

  test('messages that are gone are told from those that cannot be read, also where the server says NO to all', async () => {
    const server = await startScriptedImap({
      exists: 3,
      answers: [
        [
          BODIES,
          ({ line, say }) =>
            say(
              `${uidsAsked(line)
                .filter((uid) => uid !== 2)
                .map(hello)
                .join('')}{tag} NO Some of the requested messages no longer exist.\r\n`,
            ),
        ],
        [/^UID FETCH 2 \(UID FLAGS/, '{tag} OK done\r\n'],
        SIZES,
      ],
    })
    servers.push(server)
    await withSession(openImap, accessTo(server), async (session) => {
      assert.deepEqual(outcome(await collect(session, await session.list('INBOX'))), [
        [1, 'hello'],
        [3, 'hello'],
        [2, 'MESSAGE_GONE'],
      ])
    })
  })

  test('a message far larger than announced goes to the spool, and one beyond the limit nowhere', async () => {
    const server = await start(3, ({ line, say }) =>
      say(
        `${uidsAsked(line)
          .map((uid) => fetchRow(uid, { size: 5, source: 'x'.repeat([0, 5, 700, 900][uid] ?? 0) }))
          .join('')}{tag} OK done\r\n`,
      ),
    )
    const spool = openSpool()
    await withSession(imapOpener({ ...IMAP, wholeMessageOctets: 500 }), accessTo(server), async (session) => {
      const messages = await collect(session, await session.list('INBOX'), { spool, maxOctets: 800 })
      assert.deepEqual(outcome(messages), [
        [1, 'xxxxx'],
        [3, 'MESSAGE_TOO_LARGE'],
        [2, 'spooled'],
      ])
      const spooled = messages.at(-1)?.octets
      assert.equal((await spooled?.open().toArray())?.join(''), 'x'.repeat(700))
    })
    await spool.close()
  })

  test('what a server announces beyond all limits ends the session before it is read', async () => {
    const limits = { ...IMAP, literalOctets: 1_000, rowOctets: 500 }
    for (const answer of [
      '* 1 FETCH (UID 1 BODY[] {1001}\r\n',
      '* 1 FETCH (UID 1 BODY[] {99999999999999999999}\r\n',
      `* 1 FETCH (UID 1 FLAGS (${'x '.repeat(300)}`,
      '* 1 FETCH (UID 1 X-GM-LABELS ({501}\r\n',
      `* ${'x'.repeat(600)}`,
    ]) {
      const server = await start(1, answer)
      await withSession(imapOpener(limits), accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        await assert.rejects(collect(session, listing, { maxOctets: 1_000 }), {
          code: 'PROTOCOL_VIOLATION',
          scope: 'session',
        })
      })
    }
  })

  test('BYE ends the session, with what the server says of it', async () => {
    for (const [bye, code] of [
      ['* BYE Session invalidated\r\n', 'CONNECTION_LOST'],
      ['* BYE [UNAVAILABLE] Too many connections\r\n', 'TOO_MANY_CONNECTIONS'],
      ['{tag} BYE for good\r\n', 'CONNECTION_LOST'],
    ] as const) {
      const server = await start(3, ({ say }) => say(`${hello(1)}${bye}`))
      const seen: unknown[] = []
      await withSession(openImap, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        const options = { maxOctets: 100, spool: openSpool(), keepGoing: () => true }
        await assert.rejects(
          async () => {
            for await (const message of session.fetch(listing, listing.ids, options))
              seen.push(...outcome([message]))
          },
          { code, scope: 'session' },
        )
      })
      assert.deepEqual(seen[0], [1, 'hello'])
    }
  })

  test('a server that falls silent, and one that drips, are left after their time', async () => {
    for (const [limits, dripMs] of [
      [{ idleMs: 200 }, 0],
      [{ idleMs: 60_000, commandMs: 300 }, 20],
    ] as const) {
      const server = await start(2, ({ say }) => {
        say(`${hello(1)}* 2 FETCH (UID 2 BODY[] {5}\r\n`)
        if (dripMs > 0) setInterval(() => say('* OK still here\r\n'), dripMs).unref()
      })
      const seen: unknown[] = []
      await withSession(
        imapOpener({ ...IMAP, ...limits, slowestOctetsPerSecond: 1e6 }),
        accessTo(server),
        async (session) => {
          const listing = await session.list('INBOX')
          const options = { maxOctets: 1e6, spool: openSpool(), keepGoing: () => true }
          await assert.rejects(
            async () => {
              for await (const message of session.fetch(listing, listing.ids, options))
                seen.push(...outcome([message]))
            },
            { code: /TIMED_OUT/, scope: 'session' },
          )
        },
      )
      assert.deepEqual(seen.slice(0, 1), [[1, 'hello']])
    }
  })

  test('a receiver may take longer than the server may be silent, and the server is left for it when it is its turn', async () => {
    const server = await startScriptedImap({
      exists: 3,
      answers: [
        [BODIES, ({ line, say }) => say(`${hellos(line)}{tag} OK done\r\n`)],
        SIZES,
        [/^UID STORE/, () => undefined],
      ],
    })
    servers.push(server)
    await withSession(imapOpener({ ...IMAP, idleMs: 100 }), accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      const options = { maxOctets: 100, spool: openSpool(), keepGoing: () => true }
      let count = 0
      for await (const message of session.fetch(listing, listing.ids, options)) {
        assert.equal(message.octets?.length, 5)
        count++
        await sleep(300)
      }
      assert.equal(count, 3)
      assert.deepEqual((await session.list('INBOX')).ids, listing.ids)
      await assert.rejects(session.acknowledge(listing, listing.ids, { kind: 'seen' }), { code: 'TIMED_OUT' })
    })
  })

  test('nothing is read for a receiver that does not take it', async () => {
    let written = 0
    const body = 'x'.repeat(64 * 1024)
    const server = await startScriptedImap({
      exists: 800,
      answers: [
        [
          BODIES,
          async ({ line, say, drained }) => {
            for (const uid of uidsAsked(line)) {
              say(fetchRow(uid, { size: body.length, source: body }))
              await drained()
              written += body.length
            }
            say('{tag} OK done\r\n')
          },
        ],
        [
          /^UID FETCH/,
          ({ line, say }) =>
            say(
              `${uidsAsked(line)
                .map((uid) => fetchRow(uid, { size: body.length }))
                .join('')}{tag} OK done\r\n`,
            ),
        ],
      ],
    })
    servers.push(server)
    const limits = { ...IMAP, windowOctets: 64 * 1024 * 1024 }
    await withSession(imapOpener(limits), accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      const options = { maxOctets: 1e6, spool: openSpool(), keepGoing: () => true }
      for await (const _ of session.fetch(listing, listing.ids, options)) {
        let before = -1
        // Until the server can write no more: the buffers of the sockets are full.
        while (written !== before) {
          before = written
          await sleep(100)
        }
        assert.ok(written < 30 * 1024 * 1024, `${written} of ${800 * body.length} octets`)
        break
      }
    })
  })

  test('a receiver that leaves ends the connection, for answers are on their way', async () => {
    const server = await start(50, ({ line, say }) => say(`${hellos(line)}{tag} OK done\r\n`))
    await withSession(imapOpener({ ...IMAP, batchMessages: 5 }), accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      const options = { maxOctets: 100, spool: openSpool(), keepGoing: () => true }
      for await (const _ of session.fetch(listing, listing.ids, options)) break
      await assert.rejects(session.list('INBOX'), { code: 'CONNECTION_LOST' })
    })
  })

  test('aborting ends a FETCH that waits', async () => {
    const server = await start(2, ({ say }) => say(hello(1)))
    const session = await openImap(accessTo(server))
    const listing = await session.list('INBOX')
    const options = { maxOctets: 100, spool: openSpool(), keepGoing: () => true }
    await assert.rejects(
      async () => {
        for await (const _ of session.fetch(listing, listing.ids, options))
          setTimeout(() => session.abort(), 20)
      },
      { code: 'CONNECTION_LOST' },
    )
    await session.close()
  })
})
