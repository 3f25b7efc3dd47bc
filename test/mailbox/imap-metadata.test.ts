import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { openImap } from '../../shared/mailbox/imap.ts'
import type { ServerMetadata } from '../../shared/mailbox/mailbox.ts'
import { accessTo, collect, withSession } from '../support/imap-session.ts'
import { fetchRow, type ScriptedImap, startScriptedImap } from '../support/scripted-imap.ts'

describe('what an IMAP server knows of a message besides its octets', () => {
  const servers: ScriptedImap[] = []
  after(() => Promise.all(servers.map((server) => server.close())))

  /** Fetches one message whose row has these items; also what was asked for it. */
  async function fetched(
    capabilities: string,
    items: string,
  ): Promise<{ metadata: ServerMetadata; asked: string }> {
    const server = await startScriptedImap({
      exists: 1,
      capabilities: `IMAP4rev1 ${capabilities}`,
      answers: [
        [
          /^UID FETCH .*BODY/,
          `* 1 FETCH (UID 1 ${items} RFC822.SIZE 5 BODY[] {5}\r\nhello)\r\n{tag} OK done\r\n`,
        ],
        [/^UID FETCH/, `${fetchRow(1, { size: 5 })}{tag} OK done\r\n`],
      ],
    })
    servers.push(server)
    let metadata: ServerMetadata | undefined
    await withSession(openImap, accessTo(server), async (session) => {
      const [message] = await collect(session, await session.list('INBOX'))
      metadata = message?.octets && message.metadata
    })
    assert.ok(metadata)
    return { metadata, asked: server.commands.find((line) => line.includes('BODY')) ?? '' }
  }

  test('INTERNALDATE in UTC and flags; nothing is asked for that the server does not offer', async () => {
    const { metadata, asked } = await fetched(
      '',
      'FLAGS (\\Seen $Label) INTERNALDATE " 1-Feb-2026 10:00:00 +0200"',
    )

    assert.deepEqual(metadata, { internalDate: '2026-02-01T08:00:00.000Z', flags: ['$Label', '\\Seen'] })
    assert.equal(asked, 'UID FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])')
  })

  test('labels and thread id of Gmail, labels decoded', async () => {
    const { metadata, asked } = await fetched(
      'X-GM-EXT-1',
      'X-GM-LABELS (\\Important "R&APw-ckfrage") X-GM-THRID 1278455344230334865 X-GM-MSGID 5 FLAGS ()',
    )

    assert.deepEqual(metadata, {
      flags: [],
      gmailLabels: ['Rückfrage', '\\Important'],
      gmailThreadId: '1278455344230334865',
    })
    assert.match(asked, /X-GM-THRID X-GM-LABELS/)
  })

  test('EMAILID and THREADID where OBJECTID is offered (RFC 8474), a missing thread left out', async () => {
    const { metadata, asked } = await fetched('OBJECTID', 'EMAILID (M1) THREADID (T7) FLAGS ()')

    assert.deepEqual(metadata, { flags: [], emailId: 'M1', threadId: 'T7' })
    assert.match(asked, /EMAILID THREADID/)
    const alone = await fetched('OBJECTID', 'EMAILID (M1) THREADID NIL FLAGS ()')
    assert.deepEqual(alone.metadata, { flags: [], emailId: 'M1' })
  })

  test('a date that is none is left out, and costs nothing else', async () => {
    const { metadata } = await fetched('', 'FLAGS (\\Seen) INTERNALDATE "yesterday"')

    assert.deepEqual(metadata, { flags: ['\\Seen'] })
  })
})
