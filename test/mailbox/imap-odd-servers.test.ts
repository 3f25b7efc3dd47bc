import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { IMAP } from '../../shared/limits.ts'
import { imapOpener, openImap } from '../../shared/mailbox/imap.ts'
import { openSpool } from '../../shared/octets.ts'
import { accessTo, collect, withSession } from '../support/imap-session.ts'
import { fetchRow, type ScriptedImap, startScriptedImap, uidsAsked } from '../support/scripted-imap.ts'

/** An ordinary answer to a FETCH of sizes or bodies: every message is `body`. */
function rows(line: string, body: string, size = body.length): string {
  const source = line.includes('BODY.PEEK[]') ? { source: body } : {}
  return uidsAsked(line)
    .map((uid) => fetchRow(uid, { size, ...source }))
    .join('')
}

describe('IMAP, servers that answer oddly', () => {
  const servers: ScriptedImap[] = []
  const start: typeof startScriptedImap = async (options) => {
    const server = await startScriptedImap(options)
    servers.push(server)
    return server
  }
  after(() => Promise.all(servers.map((server) => server.close())))

  describe('SEARCH', () => {
    const capped = (uids: readonly number[], cap: number) => (line: string) => {
      const [, low, high] = /UID (\d+):(\d+)/.exec(line) ?? ['', '1', '4294967295']
      const inside = uids.filter((uid) => uid >= Number(low) && uid <= Number(high))
      return `* SEARCH ${inside.slice(0, cap).join(' ')}\r\n{tag} OK done\r\n`
    }

    test('a server that answers with at most 1,000 UIDs hides none of 2,500', async () => {
      const uids = Array.from({ length: 2500 }, (_, index) => index + 1)
      const answer = capped(uids, 1000)
      const server = await start({
        exists: 2500,
        answers: [[/^UID SEARCH/, ({ line, say }) => say(answer(line))]],
      })

      await withSession(openImap, accessTo(server), async (session) => {
        assert.deepEqual((await session.list('INBOX')).ids, uids)
      })
      assert.ok(!server.commands.some((line) => line.startsWith('FETCH 1:*')))
    })

    test('criteria and outstanding acknowledgements are asked for in windows below the cap', async () => {
      const uids = Array.from({ length: 250 }, (_, index) => index + 1)
      const answer = capped(uids, 100)
      const server = await start({
        exists: 250,
        answers: [[/^UID SEARCH/, ({ line, say }) => say(answer(line))]],
      })

      await withSession(openImap, accessTo(server, { search: { subject: 'x' } }), async (session) => {
        const listing = await session.list('INBOX')
        assert.deepEqual(listing.selected, uids)
        assert.deepEqual(await session.outstanding(listing, listing.ids, { kind: 'seen' }), uids)
      })
    })

    test('a folder of more UIDs than the server answers with at once is asked for in windows, also under a cap', async () => {
      const uids = Array.from({ length: 50 }, (_, index) => 1 + index * 3)
      for (const cap of [Infinity, 7]) {
        const answer = capped(uids, cap)
        const server = await start({
          exists: 50,
          answers: [
            [
              /^SELECT/,
              '* 50 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 149] ok\r\n{tag} OK done\r\n',
            ],
            [/^UID SEARCH ALL/, '{tag} NO too many\r\n'],
            [/^UID SEARCH/, ({ line, say }) => say(answer(line))],
            [/^FETCH 1:\*/, `${uids.map((uid) => fetchRow(uid, {})).join('')}{tag} OK done\r\n`],
          ],
        })
        const windows = imapOpener({ ...IMAP, searchAnswerUids: 20, searchWindowUids: 40 })
        await withSession(windows, accessTo(server, { search: { subject: 'x' } }), async (session) => {
          const listing = await session.list('INBOX')
          assert.deepEqual(listing.ids, uids)
          assert.deepEqual(listing.selected, uids)
        })
        assert.equal(server.commands.filter((line) => line === 'UID SEARCH ALL').length, 1)
      }
    })

    test('UIDs far apart under a UIDNEXT of four thousand million are found in few commands', async () => {
      const uids = [3, 70_000, 4_000_000_000]
      const server = await start({
        answers: [
          [
            /^SELECT/,
            '* 3 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 4000000001] ok\r\n{tag} OK [READ-WRITE] done\r\n',
          ],
          [/^UID SEARCH ALL/, '* SEARCH 3 70000\r\n{tag} OK done\r\n'],
          [/^UID SEARCH/, ({ line, say }) => say(capped(uids, 2)(line))],
          [/^FETCH 1:\*/, `${uids.map((uid) => fetchRow(uid, {})).join('')}{tag} OK done\r\n`],
        ],
      })

      await withSession(openImap, accessTo(server), async (session) => {
        assert.deepEqual((await session.list('INBOX')).ids, uids)
      })
      assert.ok(server.commands.length < 150)
    })

    test('FETCH is believed where SEARCH is refused or finds less than EXISTS', async () => {
      for (const answer of [
        '{tag} NO cannot search\r\n',
        '* SEARCH\r\n{tag} OK done\r\n',
        '* SEARCH 2\r\n{tag} OK done\r\n',
      ]) {
        const server = await start({
          exists: 3,
          answers: [
            [/^UID SEARCH/, answer],
            [/^FETCH 1:\*/, `${[1, 2, 3].map((uid) => fetchRow(uid, {})).join('')}{tag} OK done\r\n`],
          ],
        })
        await withSession(openImap, accessTo(server), async (session) => {
          assert.deepEqual((await session.list('INBOX')).ids, [1, 2, 3])
        })
      }
    })

    test('UIDs are validated, listed once and ascending', async () => {
      const server = await start({
        exists: 3,
        answers: [[/^UID SEARCH/, '* SEARCH 9 4 4 9 7\r\n* SEARCH 4 5000000000\r\n{tag} OK done\r\n']],
      })

      await withSession(openImap, accessTo(server), async (session) => {
        assert.deepEqual((await session.list('INBOX')).ids, [4, 7, 9])
      })
    })
  })

  test('a folder without UIDVALIDITY, or with 0, cannot be drained', async () => {
    for (const code of ['', '* OK [UIDVALIDITY 0] ok\r\n']) {
      const server = await start({
        answers: [[/^SELECT/, `* 1 EXISTS\r\n${code}{tag} OK [READ-WRITE] done\r\n`]],
      })
      await withSession(openImap, accessTo(server), async (session) => {
        await assert.rejects(session.list('INBOX'), { code: 'EPOCH_UNUSABLE', scope: 'mailbox' })
      })
    }
  })

  test('folders below INBOX. may be named without the prefix, and shared ones never get it', async () => {
    const folders = ['INBOX', 'INBOX.Done', 'INBOX.Clients', 'Public.News']
    const server = await start({
      exists: 1,
      capabilities: 'IMAP4rev1 NAMESPACE UIDPLUS MOVE',
      answers: [
        [/^NAMESPACE/, '* NAMESPACE (("INBOX." ".")) NIL (("Public." "."))\r\n{tag} OK done\r\n'],
        [
          /^LIST/,
          `${folders.map((name) => `* LIST () "." ${name}\r\n`).join('')}* LIST (\\Noselect) "." Public\r\n* LIST (\\NonExistent) "." INBOX.Old\r\n{tag} OK done\r\n`,
        ],
      ],
    })

    await withSession(openImap, accessTo(server, { folders: ['Done', 'Cl*', 'Pub*'] }), async (session) => {
      assert.deepEqual([...(await session.folders())].sort(), ['INBOX.Clients', 'INBOX.Done', 'Public.News'])
      await session.list('Public.News')
      const listing = await session.list('INBOX')
      await session.acknowledge(listing, listing.ids, { kind: 'move', folder: 'Done' })
    })
    assert.ok(server.commands.includes('SELECT Public.News'))
    assert.ok(server.commands.includes('UID MOVE 1 INBOX.Done'))
  })

  describe('FETCH', () => {
    test('NIL for a body is asked for again and then names the message; it is never an empty message', async () => {
      const server = await start({
        exists: 3,
        answers: [
          [
            /^UID FETCH .*BODY/,
            ({ line, say }) =>
              say(
                `${uidsAsked(line)
                  .map((uid) => fetchRow(uid, { size: 5, source: uid === 2 ? null : 'hello' }))
                  .join('')}{tag} OK done\r\n`,
              ),
          ],
          [/^UID FETCH/, ({ line, say }) => say(`${rows(line, 'hello')}{tag} OK done\r\n`)],
        ],
      })

      await withSession(openImap, accessTo(server), async (session) => {
        const messages = await collect(session, await session.list('INBOX'))
        assert.deepEqual(
          messages.map((m) => [m.id, m.error?.code ?? m.octets?.length]),
          [
            [1, 5],
            [3, 5],
            [2, 'MESSAGE_UNFETCHABLE'],
          ],
        )
      })
      assert.equal(server.commands.filter((line) => /^UID FETCH 2 .*BODY/.test(line)).length, 1)
    })

    test('an empty literal for a message of some octets is no message; an empty message of size 0 is one', async () => {
      const server = await start({
        exists: 2,
        answers: [
          [
            /^UID FETCH/,
            ({ line, say }) =>
              say(
                `${uidsAsked(line)
                  .map((uid) =>
                    fetchRow(uid, {
                      size: uid === 1 ? 0 : 7,
                      ...(line.includes('BODY') ? { source: '' } : {}),
                    }),
                  )
                  .join('')}{tag} OK done\r\n`,
              ),
          ],
        ],
      })

      await withSession(openImap, accessTo(server), async (session) => {
        const messages = await collect(session, await session.list('INBOX'))
        assert.deepEqual(
          messages.map((m) => m.error?.code ?? m.octets?.length),
          [0, 'MESSAGE_UNFETCHABLE'],
        )
      })
    })

    test('rows of UIDs that were not asked for, and second rows, are ignored', async () => {
      const server = await start({
        exists: 2,
        answers: [
          [
            /^UID FETCH .*BODY/,
            `${fetchRow(99, { size: 3, source: 'foe' })}${fetchRow(1, { size: 3, source: 'one' })}${fetchRow(1, { size: 3, source: 'eno' })}${fetchRow(2, { size: 3, source: 'two' })}{tag} OK done\r\n`,
          ],
          [/^UID FETCH/, ({ line, say }) => say(`${rows(line, 'xxx')}{tag} OK done\r\n`)],
        ],
      })

      await withSession(openImap, accessTo(server), async (session) => {
        const messages = await collect(session, await session.list('INBOX'))
        assert.deepEqual(
          messages.map((m) => [m.id, m.octets?.buffer?.toString()]),
          [
            [1, 'one'],
            [2, 'two'],
          ],
        )
      })
    })

    test('a wrong RFC822.SIZE is accepted when the same octets come twice, and reported', async () => {
      const server = await start({
        exists: 1,
        answers: [[/^UID FETCH/, ({ line, say }) => say(`${rows(line, 'hello', 9)}{tag} OK done\r\n`)]],
      })

      await withSession(openImap, accessTo(server), async (session) => {
        const [message] = await collect(session, await session.list('INBOX'))
        assert.equal(message?.octets?.buffer?.toString(), 'hello')
        assert.equal(message?.announcedOctets, 9)
      })
      assert.equal(server.commands.filter((line) => line.includes('BODY')).length, 2)
    })

    test('a cut message is fetched again, and one that comes different each time is not stored', async () => {
      const server = await start({
        exists: 2,
        answers: [
          [
            /^UID FETCH .*BODY/,
            ({ line, times, say }) =>
              say(
                `${uidsAsked(line)
                  .map((uid) =>
                    fetchRow(uid, {
                      size: 5,
                      source: uid === 1 ? (times === 0 ? 'hel' : 'hello') : 'x'.repeat(times + 1),
                    }),
                  )
                  .join('')}{tag} OK done\r\n`,
              ),
          ],
          [/^UID FETCH/, ({ line, say }) => say(`${rows(line, 'hello')}{tag} OK done\r\n`)],
        ],
      })

      await withSession(openImap, accessTo(server), async (session) => {
        const messages = await collect(session, await session.list('INBOX'))
        assert.deepEqual(
          messages.map((m) => m.error?.code ?? m.octets?.buffer?.toString()),
          ['hello', 'MESSAGE_UNFETCHABLE'],
        )
        assert.equal(messages[0]?.announcedOctets, undefined)
      })
    })

    test('a server that counts every message wrong is not asked for everything twice', async () => {
      const server = await start({
        exists: 40,
        answers: [[/^UID FETCH/, ({ line, say }) => say(`${rows(line, 'hello', 6)}{tag} OK done\r\n`)]],
      })

      const limits = { ...IMAP, batchMessages: 10, windowBatches: 2 }
      await withSession(imapOpener(limits), accessTo(server), async (session) => {
        const messages = await collect(session, await session.list('INBOX'))
        assert.ok(messages.every((m) => m.octets?.length === 5 && m.announcedOctets === 6))
      })
      const bodies = server.commands.filter((line) => line.includes('BODY')).flatMap(uidsAsked)
      assert.equal(bodies.length, 60)
    })

    test('a message that turns out larger than announced, and than the limit, is too large', async () => {
      const answer = ({ line, say }: { line: string; say(text: string): void }) =>
        say(`${rows(line, 'hello', 4)}{tag} OK done\r\n`)
      const server = await start({ exists: 1, answers: [[/^UID FETCH/, answer]] })

      await withSession(openImap, accessTo(server), async (session) => {
        const [message] = await collect(session, await session.list('INBOX'), { maxOctets: 4 })
        assert.equal(message?.error?.code, 'MESSAGE_TOO_LARGE')
      })
    })

    test('one message that the server refuses is found among others and fails alone', async () => {
      const server = await start({
        exists: 20,
        answers: [
          [
            /^UID FETCH .*BODY/,
            ({ line, say }) => {
              const uids = uidsAsked(line)
              const good = uids.filter((uid) => uid < 13)
              if (uids.includes(13))
                say(
                  `${good.map((uid) => fetchRow(uid, { size: 5, source: 'hello' })).join('')}{tag} NO backend error\r\n`,
                )
              else say(`${rows(line, 'hello')}{tag} OK done\r\n`)
            },
          ],
          [/^UID FETCH/, ({ line, say }) => say(`${rows(line, 'hello')}{tag} OK done\r\n`)],
        ],
      })

      await withSession(openImap, accessTo(server), async (session) => {
        const messages = await collect(session, await session.list('INBOX'))
        const failed = messages.filter((m) => m.error)
        assert.equal(messages.length, 20)
        assert.deepEqual(
          failed.map((m) => [m.id, m.error?.code]),
          [[13, 'MESSAGE_UNFETCHABLE']],
        )
        assert.match(failed[0]?.error?.message ?? '', /backend error/)
      })
    })

    test('a server that refuses everything ends the session', async () => {
      const server = await start({
        exists: 400,
        answers: [
          [/^UID FETCH .*BODY/, '{tag} NO go away\r\n'],
          [/^UID FETCH/, ({ line, say }) => say(`${rows(line, 'hello')}{tag} OK done\r\n`)],
        ],
      })

      await withSession(openImap, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        await assert.rejects(collect(session, listing), { code: 'SERVER_UNAVAILABLE', message: /go away/ })
      })
    })

    test('[UNAVAILABLE] to a FETCH is about the session, not about the messages', async () => {
      const server = await start({
        exists: 4,
        answers: [[/^UID FETCH/, '{tag} NO [UNAVAILABLE] backend down\r\n']],
      })

      await withSession(openImap, accessTo(server), async (session) => {
        // The first one goes with the listing.
        await assert.rejects(session.list('INBOX'), { code: 'SERVER_UNAVAILABLE', message: /backend down/ })
      })
      assert.equal(server.commands.filter((line) => line.startsWith('UID FETCH')).length, 1)
    })

    test('a suggested back-off is throttling, and is not waited for', async () => {
      const answer = '{tag} BAD Request is throttled. Suggested Backoff Time: 250000 milliseconds\r\n'
      const server = await start({ exists: 1, answers: [[/^UID FETCH/, answer]] })

      await withSession(openImap, accessTo(server), async (session) => {
        await assert.rejects(session.list('INBOX'), { code: 'THROTTLED', scope: 'session' })
      })
    })

    test('a connection that breaks in mid-literal names the message it broke at and ends the session', async () => {
      const server = await start({
        exists: 3,
        answers: [
          [
            /^UID FETCH .*BODY/,
            ({ say, close }) => {
              say(
                `${fetchRow(1, { size: 5, source: 'hello' })}* 2 FETCH (UID 2 RFC822.SIZE 5 BODY[] {5}\r\nhe`,
              )
              setTimeout(close, 50)
            },
          ],
          [/^UID FETCH/, ({ line, say }) => say(`${rows(line, 'hello')}{tag} OK done\r\n`)],
        ],
      })

      const seen: unknown[] = []
      await withSession(openImap, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        const spool = { ...openSpool(), collect: () => assert.fail('nothing here is large') }
        await assert.rejects(
          (async () => {
            for await (const m of session.fetch(listing, listing.ids, {
              maxOctets: 100,
              spool,
              keepGoing: () => true,
            }))
              seen.push(m.octets === undefined ? [m.id, m.error.code] : [m.id, m.octets.length])
          })(),
          { code: 'CONNECTION_LOST', scope: 'session' },
        )
      })
      assert.deepEqual(seen, [
        [1, 5],
        [2, 'MESSAGE_UNFETCHABLE'],
      ])
    })
  })

  describe('partial FETCH', () => {
    const body = Array.from({ length: 500 }, (_, index) => `${String(index).padStart(8, '0')}\r\n`).join('')
    const small = { ...IMAP, wholeMessageOctets: 1_000, chunkOctets: 700 }
    const windowOf = (line: string): [number, number] | undefined => {
      const [, start, length] = /<(\d+)\.(\d+)>/.exec(line) ?? []
      return start === undefined ? undefined : [Number(start), Number(length)]
    }
    /** Refuses to send the message in one piece at first, so that it is asked for by chunks. */
    const partial = (
      answer: (line: string, window: [number, number] | undefined) => string,
      size = body.length,
    ) => {
      let refused = false
      return start({
        exists: 1,
        answers: [
          [
            /^UID FETCH/,
            ({ line, say }) => {
              if (line.includes('BODY') && !refused) {
                refused = true
                return say('{tag} NO too much in one piece\r\n')
              }
              say(
                `${fetchRow(1, { size, ...(line.includes('BODY') ? { source: answer(line, windowOf(line)) } : {}) })}{tag} OK done\r\n`,
              )
            },
          ],
        ],
      })
    }
    const cut = (window: [number, number] | undefined, most = Infinity): string =>
      window ? body.slice(window[0], window[0] + Math.min(window[1], most)) : body

    test('is not needed where a large message comes whole: it goes to the disk, by one FETCH', async () => {
      const server = await start({
        exists: 1,
        answers: [
          [
            /^UID FETCH/,
            ({ line, say }) => {
              const source = line.includes('BODY') ? { source: body } : {}
              say(`${fetchRow(1, { size: body.length, ...source })}{tag} OK done\r\n`)
            },
          ],
        ],
      })

      const spool = openSpool()
      await withSession(imapOpener(small), accessTo(server), async (session) => {
        const [message] = await collect(session, await session.list('INBOX'), { spool })
        assert.equal(message?.octets?.buffer, undefined)
        assert.equal((await message?.octets?.open().toArray())?.join(''), body)
      })
      await spool.close()
      assert.equal(server.commands.filter((line) => line.includes('BODY')).length, 1)
    })

    test('is one more way when a large message has another length than announced: two that agree are believed', async () => {
      const asked: string[] = []
      const server = await start({
        exists: 1,
        answers: [
          [
            /^UID FETCH/,
            ({ line, say }) => {
              if (line.includes('BODY')) asked.push(line)
              const source = line.includes('BODY') ? { source: cut(windowOf(line)) } : {}
              say(`${fetchRow(1, { size: body.length - 7, ...source })}{tag} OK done\r\n`)
            },
          ],
        ],
      })

      await withSession(imapOpener(small), accessTo(server), async (session) => {
        const [message] = await collect(session, await session.list('INBOX'))
        assert.equal(message?.octets?.length, body.length)
        assert.equal(message?.announcedOctets, body.length - 7)
      })
      assert.equal(asked.filter((line) => !windowOf(line)).length, 1)
    })

    test('is not tried after a connection that breaks within a large message, which is named', async () => {
      const server = await start({
        exists: 1,
        answers: [
          [
            /^UID FETCH .*BODY/,
            ({ say, close }) => {
              say(
                `* 1 FETCH (UID 1 RFC822.SIZE ${body.length} BODY[] {${body.length}}\r\n${body.slice(0, 100)}`,
              )
              close()
            },
          ],
          [/^UID FETCH/, `${fetchRow(1, { size: body.length })}{tag} OK done\r\n`],
        ],
      })

      await withSession(imapOpener(small), accessTo(server), async (session) => {
        const failures: unknown[] = []
        const listing = await session.list('INBOX')
        const options = { maxOctets: 10_000, spool: openSpool(), keepGoing: () => true }
        await assert.rejects(
          async () => {
            for await (const message of session.fetch(listing, listing.ids, options))
              failures.push(message.octets === undefined && message.error.code)
          },
          { code: 'CONNECTION_LOST' },
        )
        assert.deepEqual(failures, ['MESSAGE_UNFETCHABLE'])
        await options.spool.close()
      })
    })

    test('short chunks in the middle are not the end', async () => {
      const server = await partial((_, window) => cut(window, window?.[0] === 1400 ? 33 : Infinity))

      const spool = openSpool()
      await withSession(imapOpener(small), accessTo(server), async (session) => {
        const [message] = await collect(session, await session.list('INBOX'), { spool })
        assert.equal(message?.octets?.length, body.length)
        assert.equal((await message?.octets?.open().toArray())?.join(''), body)
      })
      await spool.close()
    })

    test('a message that ends early is fetched whole before anything is believed', async () => {
      const server = await partial((_, window) => (window && window[0] >= 1400 ? '' : cut(window)))

      await withSession(imapOpener(small), accessTo(server), async (session) => {
        const [message] = await collect(session, await session.list('INBOX'))
        assert.equal(message?.octets?.length, body.length)
        assert.equal(message?.announcedOctets, undefined)
      })
    })

    test('a wrong RFC822.SIZE of a large message is accepted when both ways agree, below and above the truth', async () => {
      for (const size of [body.length - 100, body.length + 100]) {
        const server = await partial((_, window) => cut(window), size)
        await withSession(imapOpener(small), accessTo(server), async (session) => {
          const [message] = await collect(session, await session.list('INBOX'))
          assert.equal(message?.octets?.length, body.length)
          assert.equal(message?.announcedOctets, size)
        })
      }
    })

    test('a server that ignores the window sends the whole message, and that is enough', async () => {
      const server = await partial(() => body)

      await withSession(imapOpener(small), accessTo(server), async (session) => {
        const [message] = await collect(session, await session.list('INBOX'))
        assert.equal(message?.octets?.length, body.length)
      })
      assert.equal(server.commands.filter((line) => line.includes('BODY')).length, 2)
    })

    test('a connection that breaks within a large message names it and ends the session', async () => {
      const server = await start({
        exists: 1,
        answers: [
          [/^UID FETCH .*BODY.PEEK\[\]\)/, '{tag} NO too much in one piece\r\n'],
          [/^UID FETCH .*<1400/, ({ close }) => close()],
          [
            /^UID FETCH/,
            ({ line, say }) => {
              const source = line.includes('BODY') ? { source: cut(windowOf(line)) } : {}
              say(`${fetchRow(1, { size: body.length, ...source })}{tag} OK done\r\n`)
            },
          ],
        ],
      })

      await withSession(imapOpener(small), accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        const failures: unknown[] = []
        const spool = openSpool()
        await assert.rejects(
          (async () => {
            for await (const m of session.fetch(listing, listing.ids, {
              maxOctets: 10_000,
              spool,
              keepGoing: () => true,
            }))
              failures.push(m.octets === undefined && m.error.code)
          })(),
          { code: 'CONNECTION_LOST' },
        )
        assert.deepEqual(failures, ['MESSAGE_UNFETCHABLE'])
        await spool.close()
      })
    })

    test('a refusal within one large message concerns that message only', async () => {
      const server = await start({
        exists: 2,
        answers: [
          [/^UID FETCH 1 .*BODY/, '{tag} NO cannot read it\r\n'],
          [/^UID FETCH 2 .*BODY/, `${fetchRow(2, { size: 5, source: 'hello' })}{tag} OK done\r\n`],
          [
            /^UID FETCH/,
            ({ line, say }) =>
              say(
                `${uidsAsked(line)
                  .map((uid) => fetchRow(uid, { size: uid === 1 ? 5000 : 5 }))
                  .join('')}{tag} OK done\r\n`,
              ),
          ],
        ],
      })

      await withSession(imapOpener(small), accessTo(server), async (session) => {
        const messages = await collect(session, await session.list('INBOX'))
        assert.deepEqual(
          messages.map((m) => m.error?.code ?? m.octets?.length),
          [5, 'MESSAGE_UNFETCHABLE'],
        )
      })
    })

    test('a message that turns out larger than the limit is not fetched to its end', async () => {
      const server = await partial((_, window) => 'x'.repeat(window?.[1] ?? 5), 2_000)

      await withSession(imapOpener(small), accessTo(server), async (session) => {
        const [message] = await collect(session, await session.list('INBOX'), { maxOctets: 3_000 })
        assert.equal(message?.error?.code, 'MESSAGE_TOO_LARGE')
      })
      assert.ok(server.commands.filter((line) => line.includes('BODY')).length <= 6)
    })
  })

  test('a keyword that the folder does not store is refused by name before anything is sent', async () => {
    const server = await start({
      exists: 1,
      answers: [
        [
          /^SELECT/,
          '* 1 EXISTS\r\n* OK [PERMANENTFLAGS (\\Seen)] ok\r\n* OK [UIDVALIDITY 1] ok\r\n{tag} OK [READ-WRITE] done\r\n',
        ],
      ],
    })

    await withSession(openImap, accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      await assert.rejects(session.acknowledge(listing, listing.ids, { kind: 'flag', keyword: 'Archived' }), {
        code: 'ACKNOWLEDGEMENT_REFUSED',
        message: /Archived.*\\Seen/,
      })
    })
    assert.ok(!server.commands.some((line) => line.startsWith('UID STORE')))
  })

  test('a flag is stored as the folder spells it, and one that it does not store is named', async () => {
    const server = await start({
      exists: 1,
      answers: [
        [
          /^SELECT/,
          '* 1 EXISTS\r\n* OK [PERMANENTFLAGS ($archived)] ok\r\n* OK [UIDVALIDITY 1] ok\r\n{tag} OK [READ-WRITE] done\r\n',
        ],
      ],
    })

    await withSession(openImap, accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      await session.acknowledge(listing, listing.ids, { kind: 'flag', keyword: '$Archived' })
      for (const kind of ['seen', 'delete'] as const)
        await assert.rejects(session.acknowledge(listing, listing.ids, { kind }), {
          code: 'ACKNOWLEDGEMENT_REFUSED',
          message: /does not store \\(Seen|Deleted)/,
        })
    })
    assert.deepEqual(
      server.commands.filter((line) => /^UID (STORE|EXPUNGE)/.test(line)),
      ['UID STORE 1 +FLAGS.SILENT ($archived)'],
    )
  })

  test('a keyword that no server could be sent is refused, not taken for a lost connection', async () => {
    const server = await start({ exists: 1 })

    await withSession(openImap, accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      await assert.rejects(
        session.acknowledge(listing, listing.ids, { kind: 'flag', keyword: 'two words' }),
        {
          code: 'ACKNOWLEDGEMENT_REFUSED',
        },
      )
    })
  })

  test('a folder that opens for reading only, or a refused STORE, is said and not swallowed', async () => {
    const readOnly = await start({
      exists: 1,
      answers: [[/^SELECT/, '* 1 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n{tag} OK [READ-ONLY] done\r\n']],
    })
    const refusing = await start({ exists: 1, answers: [[/^UID STORE/, '{tag} NO [NOPERM] not yours\r\n']] })

    for (const [server, message] of [
      [readOnly, /reading only/],
      [refusing, /not yours/],
    ] as const)
      await withSession(openImap, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        await assert.rejects(session.acknowledge(listing, listing.ids, { kind: 'seen' }), {
          code: 'ACKNOWLEDGEMENT_REFUSED',
          message,
        })
      })
  })

  test('a connection lost under an acknowledgement is a lost connection', async () => {
    const server = await start({ exists: 1, answers: [[/^UID STORE/, ({ close }) => close()]] })

    await withSession(openImap, accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      await assert.rejects(session.acknowledge(listing, listing.ids, { kind: 'seen' }), {
        code: 'CONNECTION_LOST',
      })
    })
  })

  test('thousands of scattered UIDs are acknowledged in lines of bounded length', async () => {
    const uids = Array.from({ length: 5_000 }, (_, index) => 1_000_000 + index * 2)
    const server = await start({
      exists: 5_000,
      answers: [[/^UID SEARCH ALL/, `* SEARCH ${uids.join(' ')}\r\n{tag} OK done\r\n`]],
    })

    await withSession(openImap, accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      await session.acknowledge(listing, listing.ids, { kind: 'delete' })
    })
    const expunges = server.commands.filter((line) => line.startsWith('UID EXPUNGE'))
    assert.ok(server.commands.every((line) => line.length < 8_000))
    assert.deepEqual(expunges.flatMap(uidsAsked), uids)
  })
})
