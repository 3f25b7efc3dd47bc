import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openImap } from '../../shared/mailbox/imap.ts'
import type { MailboxAccess, MailboxSession } from '../../shared/mailbox/mailbox.ts'
import { openPop3 } from '../../shared/mailbox/pop3.ts'
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
} from './mail-servers.ts'

/** Tests of the POP3 adapter on a real server, which is running when they do. */
export function pop3On({ byImap, byPop3, waits }: Candidate, running: () => MailServer): void {
  const pop3 = (user: string, changes: Changes = {}): MailboxAccess =>
    accessOn(running(), 'pop3', user, changes)
  const inSession = (
    user: string,
    use: (session: MailboxSession) => Promise<void>,
    changes: Changes = {},
  ): Promise<void> => withSession(openPop3, pop3(user, changes), use)
  /** What the maildrop holds, in its order, each by its octets. */
  async function held(user: string): Promise<string[]> {
    const texts: string[] = []
    await inSession(user, async (session) => {
      for (const { octets } of await collect(session, await session.list('INBOX')))
        texts.push(octets?.buffer?.toString('latin1') ?? '')
    })
    return texts
  }

  describe('POP3', () => {
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
        for (const changes of [{ ca: undefined }, { ca: makeAuthority().caPem }, { host: '127.1' }])
          await assert.rejects(openPop3(pop3(newUser(), { tls, ...changes })), {
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
      assert.equal(conversation(lines).waits, waits.pop3, lines.join('\n'))
    })

    test('a wrong password is about the mailbox', async () => {
      await assert.rejects(openPop3(pop3(newUser(), { password: async () => 'wrong' })), {
        code: 'AUTHENTICATION_FAILED',
        scope: 'mailbox',
      })
    })

    test('a message keeps its UIDL, and a new one gets another', async () => {
      const user = newUser()
      await running().put(user, 'INBOX', [letter(1), letter(2)])
      let before: readonly unknown[] = []
      await inSession(user, async (session) => {
        const { ids, folder } = await session.list('INBOX')
        before = ids
        assert.equal(folder, 'INBOX')
        assert.equal(new Set(ids).size, 2)
      })

      await running().put(user, 'INBOX', [letter(3)])
      await inSession(user, async (session) => {
        const { ids } = await session.list('INBOX')
        assert.equal(ids.length, 3)
        assert.deepEqual(ids.slice(0, 2), before)
        assert.ok(!before.includes(ids[2]))
        assert.deepEqual((await session.status())[0]?.ids, ids)
      })
    })

    test('deletes when QUIT is answered, and only what is meant', async () => {
      const user = newUser()
      await running().put(user, 'INBOX', [letter(1), letter(2), letter(3)])

      await inSession(user, async (session) => {
        assert.equal(session.acknowledgedBy, 'close')
        const listing = await session.list('INBOX')
        await collect(session, listing)
        assert.equal(
          await session.acknowledge(listing, listing.ids.slice(1, 2), { kind: 'delete' }),
          'deleted',
        )
        assert.equal((await running().files(user)).length, 3)
      })
      assert.deepEqual(
        await held(user),
        [letter(1), letter(3)].map((text) => onWire(text).toString('latin1')),
      )
      assert.equal((await running().files(user)).length, 2)
    })

    test('deletes nothing when the session ends without QUIT', async () => {
      const user = newUser()
      await running().put(user, 'INBOX', [letter(1), letter(2)])

      const session = await openPop3(pop3(user))
      const listing = await session.list('INBOX')
      await session.acknowledge(listing, listing.ids, { kind: 'delete' })
      session.abort()
      assert.equal((await held(user)).length, 2)
    })

    test('expunges nothing that others have marked \\Deleted over IMAP', async () => {
      const user = newUser()
      await running().put(user, 'INBOX', [letter(1), { octets: letter(2), flags: 'T' }, letter(3)])

      await inSession(user, async (session) => {
        const listing = await session.list('INBOX')
        assert.equal(listing.ids.length, 3)
        await session.acknowledge(listing, listing.ids.slice(0, 1), { kind: 'delete' })
      })
      assert.equal((await running().files(user)).length, 2)
    })

    test('a corpus of odd messages comes octet by octet, and as by IMAP when lines end and hold no NUL', {
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
        const listing = await session.list('INBOX')
        const messages = new Map((await collect(session, listing)).map((message) => [message.id, message]))
        assert.equal(messages.size, files.length)
        for (const [index, { name, text }] of files.entries()) {
          const octets = messages.get(listing.ids[index] ?? ('' as never))?.octets?.buffer
          assert.ok(octets, name)
          assert.ok(octets.equals(Buffer.from(byPop3(text), 'latin1')), name)
          if (text.endsWith('\n') && !text.includes('\0')) assert.equal(byPop3(text), byImap(text), name)
        }
      })
    })

    test('a message of 150 MB goes to the spool, in less than 300 MB of memory', async () => {
      const user = newUser()
      const { octets, length, sha256 } = await largeLetter(150 * 1024 * 1024)
      await running().put(user, 'INBOX', [{ octets: octets() }, letter(2)])

      const { messages, maxRssMib } = await fetchAlone('pop3', pop3(user))
      assert.deepEqual(messages[0], { length, sha256, spooled: true, readSha256: sha256 })
      assert.equal(messages.length, 2)
      assert.ok(maxRssMib < MEMORY_MIB, `${maxRssMib} MiB`)
    })

    test('a letter has the same octets by POP3 and IMAP, also with 8-bit octets in its header', async () => {
      const user = newUser()
      await running().put(user, 'INBOX', [letter(1), letter(2, 'X: \xe9\n')])

      const byPop3 = await held(user)
      await withSession(openImap, accessOn(running(), 'imap', user), async (session) => {
        const messages = await collect(session, await session.list('INBOX'))
        assert.deepEqual(
          messages.map((message) => message.octets?.buffer?.toString('latin1')),
          byPop3,
        )
      })
    })
  })
}
