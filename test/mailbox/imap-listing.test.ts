import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { IMAP } from '../../shared/limits.ts'
import { imapOpener, openImap } from '../../shared/mailbox/imap.ts'
import type { MailboxAccess } from '../../shared/mailbox/mailbox.ts'
import { accessTo, collect, withSession } from '../support/imap-session.ts'
import {
  fetchRow,
  type ScriptedImap,
  type ScriptedImapOptions,
  startScriptedImap,
  uidsAsked,
} from '../support/scripted-imap.ts'

describe('IMAP, before the first message', () => {
  const servers: ScriptedImap[] = []
  after(() => Promise.all(servers.map((server) => server.close())))

  /** What is said to the server until INBOX, or the one folder, is listed. */
  async function said(
    options: ScriptedImapOptions,
    changes: Partial<MailboxAccess> = {},
  ): Promise<readonly string[]> {
    const server = await startScriptedImap(options)
    servers.push(server)
    let before: readonly string[] = []
    await withSession(openImap, accessTo(server, changes), async (session) => {
      for (const folder of await session.folders()) await session.list(folder)
      before = [...server.commands]
    })
    return before
  }

  test('of the extensions only UTF8=ACCEPT is enabled, which changes what a message is, and before a folder is selected', async () => {
    const capabilities = 'IMAP4rev1 ENABLE CONDSTORE'
    assert.ok(!(await said({ capabilities })).some((line) => line.startsWith('ENABLE')))
    const commands = await said({ capabilities: `${capabilities} UTF8=ACCEPT` })
    assert.deepEqual(commands.slice(2, 4), ['ENABLE UTF8=ACCEPT', 'SELECT INBOX'])
  })

  test('nothing is compressed, also where it is offered: the socket is read without imapflow', async () => {
    const commands = await said({ capabilities: 'IMAP4rev1 COMPRESS=DEFLATE' })
    assert.ok(!commands.some((line) => line.startsWith('COMPRESS')))
  })

  test('folders are asked for where there may be others than INBOX', async () => {
    const asks = async (folders: string[]): Promise<boolean> =>
      (await said({}, { folders })).some((line) => /^(LIST "" "\*"|LIST "" INBOX|LSUB)/.test(line))
    assert.equal(await asks(['INBOX']), false)
    assert.equal(await asks(['inbox']), false)
    assert.equal(await asks(['INBOX', 'Done']), true)
    assert.equal(await asks(['INBOX*']), true)
    assert.equal(await asks(['Done']), true)
  })

  test('a name is given before a folder is selected, for some servers take no SELECT before', async () => {
    let named = false
    const answers: ScriptedImapOptions['answers'] = [
      [
        /^ID \("name" "Mailsluice"/,
        ({ say }) => {
          named = true
          say('* ID NIL\r\n{tag} OK done\r\n')
        },
      ],
      [
        /^SELECT/,
        ({ say }) =>
          say(named ? '* OK [UIDVALIDITY 1] ok\r\n{tag} OK done\r\n' : '{tag} NO SELECT Unsafe Login\r\n'),
      ],
    ]
    const commands = await said({ capabilities: 'IMAP4rev1 ID', answers })
    assert.equal(commands.filter((line) => line.startsWith('ID ')).length, 1)
  })

  test('an INBOX that is not there after all is missing', async () => {
    await assert.rejects(said({ answers: [[/^SELECT/, '{tag} NO no such mailbox\r\n']] }), {
      code: 'FOLDER_MISSING',
      scope: 'mailbox',
    })
  })

  test('a probe of INBOX asks for its state alone', async () => {
    const server = await startScriptedImap({ exists: 3 })
    servers.push(server)
    await withSession(openImap, accessTo(server), async (session) => {
      const signedIn = server.commands.length
      assert.deepEqual(await session.status(), [
        { folder: 'INBOX', epoch: '1', messages: 3, uidNext: 4, ids: undefined },
      ])
      assert.equal(server.commands.length, signedIn + 1)
    })
  })

  test('the sizes of the first messages are asked for with the search, and the others when they are fetched', async () => {
    const asked: string[] = []
    const exists = 10
    const server = await startScriptedImap({
      exists,
      answers: [
        [
          /FETCH/,
          ({ line, say }) => {
            asked.push(line.replace(/ \(.*/, ''))
            const [, low, high] = /^FETCH (\d+):(\d+)/.exec(line) ?? []
            const uids = low === undefined ? uidsAsked(line) : uidsAsked(`UID FETCH ${low}:${high}`)
            const source = line.includes('BODY') ? { source: 'hello' } : {}
            say(`${uids.map((uid) => fetchRow(uid, { size: 5, ...source })).join('')}{tag} OK done\r\n`)
          },
        ],
      ],
    })
    servers.push(server)
    await withSession(imapOpener({ ...IMAP, sizesWithSearch: 4 }), accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      const newest = { ...listing, ids: listing.ids.slice(-2) }
      assert.equal((await collect(session, newest, { of: listing })).length, 2)
      assert.equal((await collect(session, listing)).length, exists)
    })
    assert.deepEqual(asked, [
      'UID FETCH 1:4',
      'UID FETCH 9:10',
      'UID FETCH 9:10',
      'UID FETCH 1:4',
      'UID FETCH 5:8',
      'UID FETCH 5:10',
    ])
  })

  describe('a folder whose UIDNEXT was known', () => {
    const UIDNEXT = 9
    /** UIDs 1 to 10, of which 9 and 10 have come since. */
    const answers: NonNullable<ScriptedImapOptions['answers']> = [
      [
        /^UID FETCH 9:508 \(UID RFC822\.SIZE\)/,
        `${fetchRow(9, { size: 5 })}${fetchRow(10, { size: 5 })}{tag} OK done\r\n`,
      ],
      [
        /^UID FETCH/,
        ({ line, say }) => {
          const source = line.includes('BODY') ? { source: 'hello' } : {}
          say(
            `${uidsAsked(line)
              .map((uid) => fetchRow(uid, { size: 5, ...source }))
              .join('')}{tag} OK done\r\n`,
          )
        },
      ],
    ]
    async function listed(options: ScriptedImapOptions, lastUidNext: number): Promise<readonly string[]> {
      const server = await startScriptedImap({ exists: 10, ...options })
      servers.push(server)
      await withSession(openImap, accessTo(server), async (session) => {
        const listing = await session.list('INBOX', lastUidNext)
        assert.deepEqual(listing.ids, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        const newest = { ...listing, ids: listing.ids.slice(-2) }
        assert.equal((await collect(session, newest, { of: listing })).length, 2)
      })
      return server.commands
        .slice(server.commands.indexOf('SELECT INBOX') + 1)
        .filter((line) => line !== 'LOGOUT')
    }

    test('is searched, and the sizes of what has come are asked for, without waiting to be told how much there is', async () => {
      const seen: string[] = []
      let answered = (): void => {}
      const all = [/^SELECT/, /^UID SEARCH ALL/, /^UID FETCH 9:508/] as const
      const server = await startScriptedImap({
        exists: 10,
        answers: all.map((command, at) => [
          command,
          ({ line, say }) => {
            seen.push(line)
            // Nothing is answered before all have come.
            const before = answered
            answered = () => {
              before()
              if (at === 0)
                say('* 10 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 11] ok\r\n{tag} OK done\r\n')
              else if (at === 1) say('* SEARCH 1 2 3 4 5 6 7 8 9 10\r\n{tag} OK done\r\n')
              else say(`${fetchRow(9, { size: 5 })}{tag} OK done\r\n`)
            }
            if (seen.length === all.length) answered()
          },
        ]),
      })
      servers.push(server)
      await withSession(openImap, accessTo(server), async (session) =>
        assert.equal((await session.list('INBOX', UIDNEXT)).ids.length, 10),
      )
    })

    test('costs no command for sizes when its new messages are fetched', async () => {
      assert.deepEqual(
        (await listed({ answers }, UIDNEXT)).map((line) => line.replace(/ \(.*BODY.*/, ' …')),
        ['UID SEARCH ALL', 'UID FETCH 9:508 (UID RFC822.SIZE)', 'UID FETCH 9:10 …'],
      )
    })

    test('is listed right where the server takes nothing behind SELECT, or tells no sizes', async () => {
      const refusing: ScriptedImapOptions['answers'] = [
        [
          /^UID SEARCH ALL/,
          ({ times, say }) =>
            say(
              times === 0
                ? '{tag} BAD one at a time\r\n'
                : '* SEARCH 1 2 3 4 5 6 7 8 9 10\r\n{tag} OK done\r\n',
            ),
        ],
        [/^UID FETCH 9:508/, 'BAD what\r\n'],
      ]
      for (const odd of [
        refusing,
        [[/^UID FETCH 9:508/, '{tag} NO\r\n'] as const],
        [[/^UID FETCH 9:508/, '* 10 EXISTS\r\n+ what\r\n{tag} OK done\r\n'] as const],
      ])
        await listed({ answers: [...odd, ...answers] }, UIDNEXT)
    })

    test('takes nothing for its own that is said before it is selected', async () => {
      const commands = await listed(
        {
          answers: [
            [
              /^SELECT/,
              `* SEARCH 99\r\n${fetchRow(9, { size: 77 })}* 10 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n{tag} OK done\r\n`,
            ],
            [/^UID FETCH 9:508/, '{tag} OK done\r\n'],
            ...answers,
          ],
        },
        UIDNEXT,
      )
      assert.ok(commands.some((line) => line.startsWith('UID FETCH 9:10 (UID RFC822.SIZE)')))
    })

    test('that is gone is missing, whatever the server says to what was asked of it', async () => {
      const server = await startScriptedImap({
        answers: [
          [/^SELECT/, '{tag} NO no such mailbox\r\n'],
          [/^UID/, '{tag} NO [UNAVAILABLE] nothing is selected\r\n'],
        ],
      })
      servers.push(server)
      await withSession(openImap, accessTo(server), async (session) => {
        await assert.rejects(session.list('INBOX', UIDNEXT), { code: 'FOLDER_MISSING' })
      })
    })
  })

  test('a listing is right whatever the server says in between, and whether it tells the sizes or not', async () => {
    const between =
      '* 4 EXISTS\r\n* OK [ALERT] x {y}\r\n* 2 FETCH (FLAGS (\\Seen))\r\n* SEARCHED 9\r\nM7 OK what\r\n+ go\r\n'
    for (const sizes of [
      '{tag} NO not now\r\n',
      '{tag} OK done\r\n',
      'BAD\r\n',
      `${fetchRow(3, { size: 5 })}{tag} OK done\r\n`,
    ]) {
      const server = await startScriptedImap({
        exists: 3,
        answers: [
          [
            /^UID SEARCH ALL/,
            `${between}* SEARCH 1\r\n${between}* SEARCH 2 3\r\n{tag} OK done\r\n${between}`,
          ],
          [/^FETCH/, `${between}${sizes}`],
          [
            /^UID FETCH/,
            ({ line, say }) =>
              say(
                `${uidsAsked(line)
                  .map((uid) => fetchRow(uid, { size: 5, source: 'hello' }))
                  .join('')}{tag} OK done\r\n`,
              ),
          ],
        ],
      })
      servers.push(server)
      await withSession(openImap, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        assert.deepEqual(listing.ids, [1, 2, 3])
        assert.deepEqual(
          (await collect(session, listing)).map((message) => message.octets?.buffer?.toString()),
          ['hello', 'hello', 'hello'],
        )
      })
    }
  })

  test('a search that is refused for a reason of the session ends it', async () => {
    await assert.rejects(
      said({ exists: 3, answers: [[/^UID SEARCH/, '{tag} NO [UNAVAILABLE] backend down\r\n']] }),
      { code: 'SERVER_UNAVAILABLE', scope: 'session', message: /backend down/ },
    )
  })
})
