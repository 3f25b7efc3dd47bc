import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { IMAP } from '../../shared/limits.ts'
import { imapOpener, openImap } from '../../shared/mailbox/imap.ts'
import { openSpool } from '../../shared/octets.ts'
import type { ImapServer } from '../support/imap-server.ts'
import { startImapServer } from '../support/imap-server.ts'
import { accessTo, collect, mail, withSession } from '../support/imap-session.ts'

describe('IMAP, against a server in process', () => {
  const servers: ImapServer[] = []
  const start: typeof startImapServer = async (options) => {
    const server = await startImapServer(options)
    servers.push(server)
    return server
  }
  after(() => Promise.all(servers.map((server) => server.close())))

  test('lists every UID of a folder with its UIDVALIDITY and UIDNEXT', async () => {
    const server = await start({ messages: [mail(1), mail(2), mail(3)], uidValidity: 77 })

    await withSession(openImap, accessTo(server), async (session) => {
      const listing = await session.list('INBOX')

      assert.deepEqual(listing.ids, [1, 2, 3])
      assert.equal(listing.epoch, '77')
      assert.equal(listing.uidNext, 4)
      assert.equal(listing.selected, undefined)
    })
  })

  test('fetches what the server holds octet by octet, with INTERNALDATE and flags, and leaves \\Seen alone', async () => {
    const odd = Buffer.from([
      0x53, 0x3a, 0x0d, 0x0a, 0x0d, 0x0a, 0xff, 0xe9, 0x80, 0x2e, 0x0a, 0x0d, 0x2e, 0x0d, 0x0a,
    ])
    const server = await start({
      messages: [
        { raw: odd, flags: ['\\Flagged', '$Label'], internalDate: new Date('2026-03-04T05:06:07Z') },
      ],
    })

    await withSession(openImap, accessTo(server), async (session) => {
      const [message] = await collect(session, await session.list('INBOX'))

      assert.ok(message?.octets)
      assert.deepEqual(message.octets.buffer, odd)
      assert.equal(message.announcedOctets, undefined)
      assert.equal(message.metadata.internalDate, '2026-03-04T05:06:07.000Z')
      assert.deepEqual(message.metadata.flags, ['$Label', '\\Flagged'])
    })
    assert.deepEqual(server.messages('INBOX')[0]?.flags, ['\\Flagged', '$Label'])
  })

  test('fetches many small messages in few commands', async () => {
    const server = await start({ messages: Array.from({ length: 1200 }, (_, index) => mail(index)) })

    await withSession(openImap, accessTo(server), async (session) => {
      const messages = await collect(session, await session.list('INBOX'))

      assert.equal(messages.length, 1200)
    })
    const fetches = server.received.filter((line) => / UID FETCH /.test(line))
    // Sizes of the first 500, and of the others, then at most 500 messages each.
    assert.equal(fetches.length, 2 + 3)
  })

  test('asks for the first sizes with the listing, and once for many segments for the others', async () => {
    const server = await start({ messages: Array.from({ length: 6 }, (_, index) => mail(index)) })

    await withSession(imapOpener({ ...IMAP, sizesWithSearch: 2 }), accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      for (const at of [0, 2, 4])
        await collect(session, { ...listing, ids: listing.ids.slice(at, at + 2) }, { of: listing })
    })
    const fetches = server.received.flatMap((line) => / UID FETCH (.*)/.exec(line)?.[1] ?? [])
    assert.deepEqual(
      fetches.map((fetch) => fetch.split(' ')[0]),
      ['1:2', '1:2', '3:6', '3:4', '5:6'],
    )
  })

  test('keeps each FETCH within the budget of octets', async () => {
    const server = await start({
      messages: Array.from({ length: 6 }, (_, index) => ({ raw: `S: ${index}\r\n\r\n${'x'.repeat(990)}` })),
    })

    await withSession(
      imapOpener({ ...IMAP, windowOctets: 2_500, windowOctetsMost: 2_500, windowBatches: 1 }),
      accessTo(server),
      async (session) => {
        await collect(session, await session.list('INBOX'))
      },
    )
    const bodies = server.received.filter((line) => /BODY/.test(line))
    assert.deepEqual(
      bodies.map((line) => / UID FETCH (\S+) /.exec(line)?.[1]),
      ['1:2', '3:4', '5:6'],
    )
    assert.ok(bodies.every((line) => line.includes('BODY.PEEK[]')))
  })

  test('downloads a message of 20 MB in chunks to the spool', async () => {
    const raw = Buffer.concat([
      Buffer.from('Subject: large\r\n\r\n'),
      Buffer.alloc(20 * 1024 * 1024, 'abcdefg\r\n'),
    ])
    const server = await start({ messages: [mail(1), { raw }, mail(3)] })
    const spool = openSpool()

    await withSession(openImap, accessTo(server), async (session) => {
      const [, small, large] = await collect(session, await session.list('INBOX'), { spool })

      assert.ok(large?.octets)
      assert.equal(large.octets.length, raw.length)
      assert.equal(large.octets.sha256, createHash('sha256').update(raw).digest('hex'))
      assert.notEqual(large.octets.path, undefined)
      assert.equal(small?.octets?.path, undefined)
    })
    await spool.close()
  })

  test('names a message above the limit and fetches the others', async () => {
    const server = await start({ messages: [mail(1), { raw: `S: x\r\n\r\n${'x'.repeat(5_000)}` }, mail(3)] })

    await withSession(openImap, accessTo(server), async (session) => {
      const messages = await collect(session, await session.list('INBOX'), { maxOctets: 4_000 })

      assert.deepEqual(
        messages.map((message) => message.error?.code ?? 'fetched'),
        ['MESSAGE_TOO_LARGE', 'fetched', 'fetched'],
      )
      assert.equal(messages[0]?.announcedOctets, 5_008)
    })
    assert.ok(!server.received.some((line) => /BODY\.PEEK/.test(line) && / 2[ ,:]/.test(line)))
  })

  test('asks for nothing more when it is told to stop', async () => {
    const server = await start({ messages: Array.from({ length: 6 }, (_, index) => mail(index)) })
    let asked = 0

    await withSession(imapOpener({ ...IMAP, batchMessages: 2 }), accessTo(server), async (session) => {
      const messages = await collect(session, await session.list('INBOX'), { keepGoing: () => ++asked < 3 })

      // One question before each batch; the last is answered with no.
      assert.deepEqual(
        messages.map((message) => message.id),
        [1, 2, 3, 4],
      )
    })
  })

  test('a message that was expunged after the listing is gone, not a failure', async () => {
    const server = await start({ messages: [mail(1), mail(2), mail(3)] })

    await withSession(openImap, accessTo(server), async (session) => {
      const listing = await session.list('INBOX')
      await withSession(openImap, accessTo(server), async (other) => {
        await other.acknowledge(await other.list('INBOX'), [...listing.ids].slice(1, 2), { kind: 'delete' })
      })
      const messages = await collect(session, listing)

      assert.deepEqual(messages.map((message) => message.error?.code ?? 'fetched').sort(), [
        'MESSAGE_GONE',
        'fetched',
        'fetched',
      ])
    })
  })

  test('finds folders by glob, INBOX in any case, and names those that are there when one is missing', async () => {
    const server = await start({ folders: { 'Clients/Acme': [], 'Clients/Beta': [], Trash: [] } })

    await withSession(openImap, accessTo(server, { folders: ['inbox', 'Clients/?*a'] }), async (session) => {
      assert.deepEqual(await session.folders(), ['INBOX', 'Clients/Beta'])
    })
    await withSession(openImap, accessTo(server, { folders: ['Clients'] }), async (session) => {
      assert.deepEqual(await session.folders(), ['Clients'])
    })
    await withSession(openImap, accessTo(server, { folders: ['Clients/Gamma'] }), async (session) => {
      await assert.rejects(session.folders(), {
        code: 'FOLDER_MISSING',
        message: /Clients\/Gamma.*INBOX.*Clients\/Acme/,
      })
    })
    await withSession(openImap, accessTo(server, { folders: ['Nothing*'] }), async (session) => {
      assert.deepEqual(await session.folders(), [])
    })
  })

  test('STATUS tells count, UIDNEXT and UIDVALIDITY without selecting a folder', async () => {
    const server = await start({ messages: [mail(1)], folders: { Done: [mail(2), mail(3)] }, uidValidity: 5 })

    await withSession(openImap, accessTo(server, { folders: ['*'] }), async (session) => {
      assert.deepEqual(await session.status(), [
        { folder: 'INBOX', epoch: '5', messages: 1, uidNext: 2, ids: undefined },
        { folder: 'Done', epoch: '5', messages: 2, uidNext: 3, ids: undefined },
      ])
    })
    assert.ok(!server.received.some((line) => /SELECT|EXAMINE/.test(line)))
  })

  test('searches on the server, with quotes and non-ASCII characters in the criteria', async () => {
    const server = await start({
      messages: [
        {
          raw: 'From: "Old" <a@x.example>\r\nSubject: invoice\r\n\r\nx',
          internalDate: new Date('2025-12-29T12:00:00Z'),
        },
        {
          raw: 'From: b@x.example\r\nSubject: a "quoted" one\r\n\r\nx',
          internalDate: new Date('2026-05-01T12:00:00Z'),
        },
        {
          raw: 'From: c@y.example\r\nSubject: invoice\r\n\r\nx',
          internalDate: new Date('2026-05-02T12:00:00Z'),
        },
      ],
    })
    const selected = async (search: NonNullable<ReturnType<typeof accessTo>['search']>): Promise<unknown> => {
      let found: unknown
      await withSession(openImap, accessTo(server, { search }), async (session) => {
        const listing = await session.list('INBOX')
        assert.deepEqual(listing.ids, [1, 2, 3])
        found = listing.selected
      })
      return found
    }

    assert.deepEqual(await selected({ since: '2026-01-01' }), [2, 3])
    assert.deepEqual(await selected({ before: '2026-01-01' }), [1])
    assert.deepEqual(await selected({ from: '*@x.example' }), [1, 2])
    assert.deepEqual(await selected({ since: '2026-01-01', subject: 'invoice' }), [3])
    await selected({ subject: 'a "quoted\\one' })
    assert.ok(
      server.received.some((line) => line.endsWith('SUBJECT "a \\"quoted\\\\one" UID 1:3')),
      'quotes are quoted',
    )
    assert.deepEqual(await selected({ subject: 'rechnüng' }), [])
  })

  test('a line break in a search reaches no server', async () => {
    const server = await start({ messages: [mail(1)] })

    await withSession(
      openImap,
      accessTo(server, { search: { subject: 'x\r\nA1 DELETE INBOX' } }),
      async (session) => {
        await assert.rejects(session.list('INBOX'), { code: 'PROTOCOL_VIOLATION' })
      },
    )
    assert.ok(!server.received.some((line) => line.includes('DELETE')))
  })

  describe('acknowledges', () => {
    test('seen and keywords, by UID, and finds what is outstanding', async () => {
      const server = await start({ messages: [mail(1), mail(2), mail(3)] })

      await withSession(openImap, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        assert.equal(await session.acknowledge(listing, listing.ids.slice(0, 2), { kind: 'seen' }), 'seen')
        assert.deepEqual(await session.outstanding(listing, listing.ids, { kind: 'seen' }), [3])
        assert.equal(
          await session.acknowledge(listing, listing.ids.slice(1), { kind: 'flag', keyword: '$Archived' }),
          'flagged',
        )
        assert.deepEqual(
          await session.outstanding(listing, listing.ids, { kind: 'flag', keyword: '$Archived' }),
          [1],
        )
      })
      assert.deepEqual(
        server.messages('INBOX').map(({ flags }) => flags),
        [['\\Seen'], ['\\Seen', '$Archived'], ['$Archived']],
      )
    })

    test('by MOVE to another folder', async () => {
      const server = await start({ messages: [mail(1), mail(2)], folders: { Done: [] } })

      await withSession(openImap, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        assert.equal(
          await session.acknowledge(listing, listing.ids.slice(0, 1), { kind: 'move', folder: 'Done' }),
          'moved',
        )
        assert.deepEqual(
          await session.outstanding(listing, listing.ids, { kind: 'move', folder: 'Done' }),
          [2],
        )
      })
      assert.equal(server.messages('Done').length, 1)
      assert.deepEqual(
        server.messages('INBOX').map(({ uid }) => uid),
        [2],
      )
    })

    test('nothing when the folder to move to is missing', async () => {
      const server = await start({ messages: [mail(1)], folders: { Done: [] } })

      await withSession(openImap, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        await assert.rejects(session.acknowledge(listing, listing.ids, { kind: 'move', folder: 'Gone' }), {
          code: 'FOLDER_MISSING',
          message: /Gone.*INBOX, Done/,
        })
      })
      assert.equal(server.messages('INBOX').length, 1)
    })

    for (const without of [[], ['MOVE']] as const)
      test(`deletion with UIDPLUS leaves the \\Deleted messages of others (${without.length === 0 ? 'with' : 'without'} MOVE)`, async () => {
        const server = await start({
          messages: [mail(1), { ...mail(2), flags: ['\\Deleted'] }, mail(3)],
          folders: { Done: [] },
          without,
        })

        await withSession(openImap, accessTo(server), async (session) => {
          const listing = await session.list('INBOX')
          assert.equal(
            await session.acknowledge(listing, listing.ids.slice(0, 1), { kind: 'delete' }),
            'deleted',
          )
          assert.equal(
            await session.acknowledge(listing, listing.ids.slice(2), { kind: 'move', folder: 'Done' }),
            'moved',
          )
        })
        assert.deepEqual(server.messages('INBOX'), [{ uid: 2, flags: ['\\Deleted'] }])
        assert.equal(server.messages('Done').length, 1)
      })

    test('deletion without UIDPLUS only marks, and neither EXPUNGE nor CLOSE is ever sent', async () => {
      const server = await start({
        messages: [mail(1), { ...mail(2), flags: ['\\Deleted'] }, mail(3)],
        folders: { Done: [] },
        without: ['UIDPLUS', 'MOVE'],
      })

      await withSession(openImap, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        assert.equal(
          await session.acknowledge(listing, listing.ids.slice(0, 1), { kind: 'delete' }),
          'marked-deleted',
        )
        assert.equal(
          await session.acknowledge(listing, listing.ids.slice(2), { kind: 'move', folder: 'Done' }),
          'marked-deleted',
        )
        assert.deepEqual(await session.outstanding(listing, listing.ids, { kind: 'delete' }), [])
        assert.deepEqual(
          await session.outstanding(listing, listing.ids, { kind: 'move', folder: 'Done' }),
          [],
        )
        await session.list('Done')
      })
      assert.ok(!server.received.some((line) => /EXPUNGE|CLOSE/i.test(line)))
      assert.deepEqual(
        server.messages('INBOX').map(({ uid }) => uid),
        [1, 2, 3],
      )
      assert.equal(server.messages('Done').length, 1)
    })

    test('nothing by an older listing of a folder that was made anew and listed again', async () => {
      const server = await start({ messages: [mail(1)] })

      await withSession(openImap, accessTo(server), async (session) => {
        const old = await session.list('INBOX')
        server.setUidValidity('INBOX', 2)
        await session.list('INBOX')
        await assert.rejects(collect(session, old), { code: 'EPOCH_CHANGED' })
      })
    })

    test('nothing in a folder that was made anew since it was listed', async () => {
      const server = await start({ messages: [mail(1)] })

      await withSession(openImap, accessTo(server), async (session) => {
        const listing = await session.list('INBOX')
        server.setUidValidity('INBOX', 2)
        await assert.rejects(session.acknowledge(listing, listing.ids, { kind: 'delete' }), {
          code: 'EPOCH_CHANGED',
          scope: 'session',
        })
      })
      assert.equal(server.messages('INBOX').length, 1)
    })
  })
})
