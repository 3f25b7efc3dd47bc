import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openImap } from '../../shared/mailbox/imap.ts'
import type { MailboxAccess, MailboxSession } from '../../shared/mailbox/mailbox.ts'
import { makeAuthority } from '../support/certificates.ts'
import { conversation } from '../support/conversation.ts'
import { corpus, corpusMissing } from '../support/corpus.ts'
import { fetchAlone } from '../support/fetch-alone.ts'
import { collect, withSession } from '../support/imap-session.ts'
import type { MailServer } from '../support/mail-server.ts'
import {
  accessOn,
  type Candidate,
  type Changes,
  largeLetter,
  letter,
  MEMORY_MIB,
  newUser,
  onWire,
  sha256,
} from './mail-servers.ts'

/** Tests of the IMAP adapter on a real server, which is running when they do. */
export function imapOn({ byImap, waits }: Candidate, running: () => MailServer): void {
  const imap = (user: string, changes: Changes = {}): MailboxAccess =>
    accessOn(running(), 'imap', user, changes)
  const inSession = (
    user: string,
    use: (session: MailboxSession) => Promise<void>,
    changes: Changes = {},
  ): Promise<void> => withSession(openImap, imap(user, changes), use)

  describe('IMAP', () => {
    for (const tls of ['implicit', 'starttls'] as const) {
      test(`signs in over TLS (${tls}) under a private CA and fetches`, async () => {
        const user = newUser()
        await running().put(user, 'INBOX', [letter(1)])

        for (const host of ['localhost', '127.0.0.1'])
          await inSession(
            user,
            async (session) => {
              const [message] = await collect(session, await session.list('INBOX'))
              assert.deepEqual(message?.octets?.buffer, onWire(letter(1)))
              assert.match(session.server.tls, /^TLSv1\.[23]$/)
              assert.match(session.server.certificateSha256 ?? '', /^[0-9a-f]{64}$/)
            },
            { tls, host },
          )
      })

      test(`refuses an unknown authority and another name before it signs in (${tls})`, async () => {
        for (const changes of [
          { ca: undefined },
          { ca: makeAuthority().caPem },
          // Another way to write the address, which the certificate does not name.
          { host: '127.1' },
        ])
          await assert.rejects(openImap(imap(newUser(), { tls, ...changes })), {
            code: 'CERTIFICATE_REJECTED',
            scope: 'mailbox',
          })
      })
    }

    test('is waited for no more often than it has to be', async () => {
      const user = newUser()
      await running().put(user, 'INBOX', [letter(1)])
      const lines: string[] = []
      await inSession(
        user,
        async (session) => {
          assert.equal((await collect(session, await session.list('INBOX'))).length, 1)
        },
        { transcript: (line) => lines.push(line) },
      )
      assert.equal(conversation(lines).waits, waits.imap, lines.join('\n'))
    })

    test('a wrong password is about the mailbox', async () => {
      await assert.rejects(openImap(imap(newUser(), { password: async () => 'wrong' })), {
        code: 'AUTHENTICATION_FAILED',
        scope: 'mailbox',
      })
    })

    test('fetches octets, INTERNALDATE and flags without changing any', async () => {
      const user = newUser()
      const eightBit = Buffer.from('Subject: caf\xe9\n\n\xff\xfe\x80 \t\n', 'latin1')
      await running().put(user, 'INBOX', [letter(1), { octets: eightBit, flags: 'FS' }, letter(3)])
      const before = await running().files(user)

      await inSession(user, async (session) => {
        const messages = await collect(session, await session.list('INBOX'))
        assert.deepEqual(
          messages.map((message) => message.octets?.buffer),
          [
            onWire(letter(1)),
            Buffer.from('Subject: caf\xe9\r\n\r\n\xff\xfe\x80 \t\r\n', 'latin1'),
            onWire(letter(3)),
          ],
        )
        for (const { octets, announcedOctets } of messages) {
          assert.ok(octets)
          assert.equal(announcedOctets, undefined)
        }
        const [, flagged] = messages
        assert.ok(flagged?.octets)
        assert.deepEqual(
          flagged.metadata.flags?.filter((flag) => flag !== '\\Recent'),
          ['\\Flagged', '\\Seen'],
        )
        const age = Date.now() - Date.parse(flagged.metadata.internalDate ?? '')
        assert.ok(age > -2_000 && age < 3_600_000 * 24 * 3650)
      })
      assert.deepEqual((await running().files(user)).map(withoutSize), before.map(withoutSize))
    })

    test('a listing holds what is new in the next session, under the same UIDVALIDITY', async () => {
      const user = newUser()
      await running().put(user, 'INBOX', [letter(1), letter(2)])
      let epoch: unknown
      await inSession(user, async (session) => {
        const listing = await session.list('INBOX')
        assert.deepEqual(listing.ids, [1, 2])
        epoch = listing.epoch
      })

      await running().put(user, 'INBOX', [letter(3)])
      await inSession(user, async (session) => {
        const [status] = await session.status()
        const listing = await session.list('INBOX')
        assert.deepEqual(listing.ids, [1, 2, 3])
        assert.equal(listing.epoch, epoch)
        assert.deepEqual(status, { folder: 'INBOX', epoch, messages: 3, uidNext: 4, ids: undefined })
        const [third] = await collect(session, { ...listing, ids: listing.ids.slice(2) }, { of: listing })
        assert.deepEqual(third?.octets?.buffer, onWire(letter(3)))
      })
    })

    test('UIDs and UIDVALIDITY that a listing has given out are for ever, though no other client ever opens the folder', async () => {
      const user = newUser()
      const held = async (): Promise<{ epoch: string; byUid: Map<unknown, string | undefined> }> => {
        const byUid = new Map<unknown, string | undefined>()
        let epoch = ''
        await inSession(user, async (session) => {
          const listing = await session.list('INBOX')
          epoch = listing.epoch
          for (const { id, octets } of await collect(session, listing)) byUid.set(id, octets?.sha256)
        })
        return { epoch, byUid }
      }
      await running().put(user, 'INBOX', [letter(1), letter(3)])
      const before = await held()

      // In the order of file names, by which servers number what is new, it comes before the others.
      await running().put(user, 'INBOX', [{ octets: letter(2), deliveredAt: 1_600_000_000 }])
      // Long enough for a UIDVALIDITY that is the time.
      await sleep(1000)
      const after = await held()

      assert.equal(after.epoch, before.epoch)
      assert.equal(after.byUid.size, 3)
      for (const [id, digest] of before.byUid) assert.equal(after.byUid.get(id), digest)
    })

    test('finds folders by glob, named with or without what the server puts before them', async () => {
      const user = newUser()
      for (const folder of ['Clients/Acme', 'Clients/Beta', 'Archive'])
        await running().put(user, folder, [letter(1)])
      const { folderPrefix } = running()
      const level = folderPrefix.at(-1) ?? '/'
      const named = (...levels: string[]): string => folderPrefix + levels.join(level)

      await inSession(
        user,
        async (session) => {
          const folders = [...(await session.folders())].sort()
          assert.deepEqual(folders, ['INBOX', named('Clients', 'Acme'), named('Clients', 'Beta')].sort())
          for (const folder of folders) await session.list(folder)
        },
        { folders: ['inbox', `Clients${level}*`] },
      )
      await inSession(
        user,
        async (session) => {
          assert.deepEqual(await session.folders(), [named('Archive')])
          assert.equal((await session.status())[0]?.messages, 1)
        },
        { folders: [named('Archive')] },
      )
      await inSession(
        user,
        async (session) => {
          await assert.rejects(session.folders(), { code: 'FOLDER_MISSING', message: /Nowhere.*Archive/ })
        },
        { folders: ['Nowhere'] },
      )
    })

    test('searches on the server by sender, subject and date', async () => {
      const user = newUser()
      await running().put(user, 'INBOX', [
        letter(1),
        letter(2, 'X: y\n'),
        `From: other@example.com\nSubject: =?utf-8?q?Z=C3=BCrich_"x"?=\n\nx\n`,
      ])
      const tomorrow = new Date(Date.now() + 2 * 86_400_000).toISOString().slice(0, 10)
      for (const [search, expected] of [
        [{ from: '*@example.net' }, [1, 2]],
        [{ subject: 'letter 2' }, [2]],
        [{ subject: 'Zürich "x"' }, [3]],
        [{ from: 'example.net', subject: 'letter 1' }, [1]],
        [{ since: tomorrow }, []],
        [{ before: tomorrow }, [1, 2, 3]],
      ] as const)
        await inSession(
          user,
          async (session) => {
            const listing = await session.list('INBOX')
            assert.deepEqual(listing.ids, [1, 2, 3])
            assert.deepEqual(listing.selected, expected, JSON.stringify(search))
          },
          { search },
        )
    })

    test('many messages come in few commands, all of them', async () => {
      const user = newUser()
      const letters = Array.from({ length: 1_100 }, (_, index) => letter(index))
      await running().put(user, 'INBOX', letters)
      const lines: string[] = []

      await inSession(
        user,
        async (session) => {
          const messages = await collect(session, await session.list('INBOX'))
          assert.deepEqual(
            new Set(messages.map((message) => message.octets?.sha256)),
            new Set(letters.map((text) => sha256(onWire(text)))),
          )
        },
        { transcript: (line) => lines.push(line) },
      )
      assert.ok(lines.filter((line) => / UID FETCH /.test(line)).length < 8)
    })

    test('a corpus of odd messages comes octet by octet, but for what the server cannot say', {
      skip: corpusMissing() ?? false,
    }, async () => {
      const user = newUser()
      const files = corpus().map(({ name, octets }) => ({
        name,
        text: octets.toString('latin1').replaceAll('\r\n', '\n'),
      }))
      await running().put(
        user,
        'INBOX',
        files.map(({ text }) => Buffer.from(text, 'latin1')),
      )

      await inSession(user, async (session) => {
        const messages = await collect(session, await session.list('INBOX'))
        messages.sort((a, b) => Number(a.id) - Number(b.id))
        assert.equal(messages.length, files.length)
        for (const [index, { name, text }] of files.entries()) {
          const message = messages[index]
          assert.ok(message?.octets?.buffer, name)
          assert.equal(message.announcedOctets, undefined, name)
          assert.ok(message.octets.buffer.equals(Buffer.from(byImap(text), 'latin1')), name)
        }
      })
    })

    test('a message of 150 MB goes to the spool as it comes, in less than 300 MB of memory', async () => {
      const user = newUser()
      const { octets, length, sha256 } = await largeLetter(150 * 1024 * 1024)
      await running().put(user, 'INBOX', [{ octets: octets() }, letter(2)])

      const { messages, maxRssMib } = await fetchAlone('imap', imap(user))
      assert.deepEqual(messages[1], { length, sha256, spooled: true, readSha256: sha256 })
      assert.equal(messages.length, 2)
      assert.ok(maxRssMib < MEMORY_MIB, `${maxRssMib} MiB`)
    })

    test('300 MB of mail need the memory of a batch, however slow the receiver is', async () => {
      const user = newUser()
      const { octets, sha256 } = await largeLetter(5 * 1024 * 1024)
      await running().put(
        user,
        'INBOX',
        Array.from({ length: 60 }, () => ({ octets: octets() })),
      )

      const { messages, maxRssMib } = await fetchAlone('imap', imap(user), 20)
      assert.equal(messages.length, 60)
      assert.ok(messages.every((message) => message.sha256 === sha256 && !message.spooled))
      assert.ok(maxRssMib < MEMORY_MIB, `${maxRssMib} MiB`)
    })

    test('a folder that was made anew has another UIDVALIDITY, and nothing is done by the old listing', async () => {
      const user = newUser()
      const folder = `${running().folderPrefix}Work`
      await running().put(user, 'Work', [letter(1), letter(2)])

      await inSession(
        user,
        async (session) => {
          const old = await session.list(folder)
          await running().remove(user, 'Work')
          await running().put(user, 'Work', [letter(3)])
          await assert.rejects(session.acknowledge(old, old.ids, { kind: 'delete' }), {
            code: 'EPOCH_CHANGED',
          })
        },
        { folders: ['Work'] },
      )
      assert.equal((await running().files(user, 'Work')).length, 1)
    })

    describe('acknowledges', () => {
      test('seen and keyword, of the messages that are meant', async () => {
        const user = newUser()
        await running().put(user, 'INBOX', [letter(1), letter(2), letter(3)])

        await inSession(user, async (session) => {
          const listing = await session.list('INBOX')
          const [first, second] = [listing.ids.slice(0, 1), listing.ids.slice(1, 2)]
          assert.equal(await session.acknowledge(listing, first, { kind: 'seen' }), 'seen')
          assert.deepEqual(await session.outstanding(listing, listing.ids, { kind: 'seen' }), [2, 3])
          const flag = { kind: 'flag', keyword: 'Archived' } as const
          assert.equal(await session.acknowledge(listing, second, flag), 'flagged')
          assert.deepEqual(await session.outstanding(listing, listing.ids, flag), [1, 3])
        })
        assert.deepEqual(await flags(user), [['\\Seen'], ['Archived'], []])
      })

      test('by moving, and leaves what others have marked \\Deleted', async () => {
        const user = newUser()
        await running().put(user, 'INBOX', [letter(1), { octets: letter(2), flags: 'T' }, letter(3)])
        await running().put(user, 'Done', [])

        await inSession(user, async (session) => {
          const listing = await session.list('INBOX')
          const ids = listing.ids.slice(0, 1)
          const move = { kind: 'move', folder: 'Done' } as const
          assert.equal(await session.acknowledge(listing, ids, move), 'moved')
          assert.deepEqual(await session.outstanding(listing, ids, move), [])
        })
        assert.deepEqual(await flags(user), [['\\Deleted'], []])
        await inSession(
          user,
          async (session) => {
            const [folder = ''] = await session.folders()
            const [moved] = await collect(session, await session.list(folder))
            assert.deepEqual(moved?.octets?.buffer, onWire(letter(1)))
          },
          { folders: ['Done'] },
        )
      })

      test('by deleting, and leaves what others have marked \\Deleted', async () => {
        const user = newUser()
        await running().put(user, 'INBOX', [letter(1), { octets: letter(2), flags: 'T' }, letter(3)])

        await inSession(user, async (session) => {
          const listing = await session.list('INBOX')
          const ids = [...listing.ids].filter((id) => id !== 2)
          assert.equal(await session.acknowledge(listing, ids, { kind: 'delete' }), 'deleted')
          assert.deepEqual(await session.outstanding(listing, ids, { kind: 'delete' }), [])
          // Leaving the folder for another one must not expunge either.
          await session.list('INBOX')
        })
        assert.deepEqual(await flags(user), [['\\Deleted']])
        assert.equal((await running().files(user)).length, 1)
      })

      test('nothing when the folder to move to is missing', async () => {
        const user = newUser()
        await running().put(user, 'INBOX', [letter(1)])

        await inSession(user, async (session) => {
          const listing = await session.list('INBOX')
          await assert.rejects(session.acknowledge(listing, listing.ids, { kind: 'move', folder: 'Gone' }), {
            code: 'FOLDER_MISSING',
          })
        })
        assert.deepEqual(await flags(user), [[]])
      })
    })

    async function flags(user: string): Promise<(readonly string[])[]> {
      const found: (readonly string[])[] = []
      await inSession(user, async (session) => {
        for (const message of await collect(session, await session.list('INBOX')))
          if (message.octets) found.push((message.metadata.flags ?? []).filter((flag) => flag !== '\\Recent'))
      })
      return found
    }
  })
}

/** Servers write the size into the file name of a message. */
function withoutSize(name: string): string {
  return name.replace(/,[SW]=\d+/g, '')
}
