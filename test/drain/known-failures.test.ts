import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { MAILBOX_RESET, MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import type { DrainReport } from '../../shared/drain/report.ts'
import { openImap } from '../../shared/mailbox/imap.ts'
import type { MailboxAccess, OpenMailbox } from '../../shared/mailbox/mailbox.ts'
import { openPop3 } from '../../shared/mailbox/pop3.ts'
import { probe } from '../../shared/probe.ts'
import { DrainWorld, message } from '../support/drain-world.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { type ImapServer, startImapServer } from '../support/imap-server.ts'
import { accessTo } from '../support/imap-session.ts'
import { startPop3Server } from '../support/pop3-server.ts'
import { fetchRow, startScriptedImap, uidsAsked } from '../support/scripted-imap.ts'
import { archivedOctets, digestOf } from '../support/stores.ts'

// Ways in which mail was lost, or announced again and again, by programs like this one. Each is met here over a socket, by the adapters in use.

const opened: { close(): Promise<void> }[] = []

/** Closed when the tests are done. */
async function serving<Server extends { close(): Promise<void> }>(
  starting: Promise<Server>,
): Promise<Server> {
  const server = await starting
  opened.push(server)
  return server
}

/** One drain after the other of a server, into one world. */
function drains(open: OpenMailbox, access: MailboxAccess, settings: Record<string, unknown> = {}) {
  const world = new DrainWorld(settings)
  const openMailbox = () => open(access)
  return {
    world,
    drain: (options: { segmentMessages?: number } = {}): Promise<DrainReport> =>
      world.drain(options, { openMailbox }),
    probe: () => probe(world.mailbox, { ...world.ports(), openMailbox }),
  }
}

async function announced(world: DrainWorld, type: string = MESSAGE_ARCHIVED): Promise<string[]> {
  return (await world.takeEvents()).filter((event) => event.type === type).map(({ id }) => id)
}

async function filledImap(texts: readonly string[]) {
  const server = await serving(startImapServer({ messages: texts.map((raw) => ({ raw })) }))
  return { server, left: () => server.messages('INBOX').length }
}

async function filledPop3(texts: readonly string[]) {
  const messages = texts.map((text, index) => ({ uidl: `u${index}`, octets: Buffer.from(text) }))
  const server = await serving(startPop3Server({ messages }))
  return { server, left: () => server.maildrop.length }
}

describe('mail is neither lost nor announced again', () => {
  after(async () => {
    for (const server of opened) await server.close()
  })

  test('where a range beyond the last UID would give the last message again: only sizes beyond it are asked for, with the search, and none of what is known', async () => {
    const server = await serving(
      startImapServer({ messages: [{ raw: message('a') }, { raw: message('b') }] }),
    )
    const { world, drain } = drains(openImap, accessTo(server))
    await drain()
    await announced(world)
    const before = server.received.length

    const report = await drain()

    assert.deepEqual([report.octets, report.counts.segments], [0, 0])
    const said = server.received.slice(before)
    assert.ok(said.some((line) => / SELECT /.test(line)))
    assert.deepEqual(
      said.flatMap((line) => /FETCH.*|.*:\*.*/.exec(line)?.[0] ?? []),
      ['FETCH 3:502 (UID RFC822.SIZE)'],
    )
  })

  test('where UIDNEXT is far beyond the last message: that is no news, and no alarm', async () => {
    const uids = [5, 900]
    const server = await serving(
      startScriptedImap({
        exists: uids.length,
        answers: [
          [
            /^SELECT/,
            '* 2 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 420000] ok\r\n{tag} OK [READ-WRITE] done\r\n',
          ],
          [/^STATUS/, '* STATUS INBOX (MESSAGES 2 UIDNEXT 420000 UIDVALIDITY 1)\r\n{tag} OK done\r\n'],
          [/^UID SEARCH/, `* SEARCH ${uids.join(' ')}\r\n{tag} OK done\r\n`],
          [
            /^UID FETCH/,
            ({ line, say }) => {
              const source = line.includes('BODY')
              const rows = uidsAsked(line)
                .filter((uid) => uids.includes(uid))
                .map((uid) => {
                  const text = message(`of ${uid}`)
                  return fetchRow(uid, { size: text.length, ...(source ? { source: text } : {}) })
                })
              say(`${rows.join('')}{tag} OK done\r\n`)
            },
          ],
        ],
      }),
    )
    const { world, drain, probe } = drains(openImap, accessTo(server))

    const report = await drain()

    assert.equal(report.error, undefined)
    assert.deepEqual(report.warnings, [])
    assert.equal((await announced(world)).length, 2)
    assert.equal((await probe()).due, undefined)
    assert.equal((await drain()).octets, 0)
  })

  test('where UIDVALIDITY is another in every session: each is said, and no message is announced again', async () => {
    const server = await serving(
      startImapServer({ messages: [{ raw: message('a') }, { raw: message('b') }] }),
    )
    const { world, drain } = drains(openImap, accessTo(server))

    for (const uidValidity of [1, 2, 3]) {
      server.setUidValidity('INBOX', uidValidity)
      server.append('INBOX', { raw: message(`new under ${uidValidity}`) })
      assert.equal((await drain()).error, undefined)
    }

    const events = await world.takeEvents()
    const ids = events.filter(({ type }) => type === MESSAGE_ARCHIVED).map(({ id }) => id)
    assert.equal(ids.length, 5)
    assert.equal(new Set(ids).size, 5)
    assert.equal(events.filter(({ type }) => type === MAILBOX_RESET).length, 2)
    await world.assertLedgerVerifies()
  })

  for (const [protocol, open, fill] of [
    ['imap', openImap, filledImap],
    ['pop3', openPop3, filledPop3],
  ] as const)
    test(`where numbers move up when a message goes: a mailbox is emptied whole in one drain (${protocol})`, async () => {
      const texts = Array.from({ length: 50 }, (_, index) => message(`number ${index}`))
      const { server, left } = await fill(texts)
      const { world, drain } = drains(open, accessTo(server), { protocol, afterArchive: 'delete' })

      const report = await drain({ segmentMessages: 7 })

      assert.equal(report.error, undefined)
      assert.equal(report.counts.acknowledged, 50)
      assert.deepEqual((await announced(world)).sort(), texts.map((text) => world.eventId(text)).sort())
      assert.equal(left(), 0)
    })

  test('where Message-ID is empty, endless, or that of another message: it decides nothing', async () => {
    const withId = (id: string, body: string): string =>
      `From: a@example.com\r\nMessage-ID:${id}\r\nSubject: x\r\n\r\n${body}\r\n`
    const endless = ` <${'x'.repeat(10_000)}@example.com>`
    const texts = [
      withId('', 'one'),
      withId('', 'another'),
      withId(' ', 'a third'),
      withId(endless, 'one'),
      withId(endless, 'another'),
      withId(' <draft@example.com>', 'the draft'),
      withId(' <draft@example.com>', 'the message that it became'),
      'Subject: none at all\r\n\r\nx\r\n',
    ]
    const server = await serving(startImapServer({ messages: texts.map((raw) => ({ raw })) }))
    const { world, drain } = drains(openImap, accessTo(server))

    assert.equal((await drain()).error, undefined)

    assert.deepEqual((await announced(world)).sort(), texts.map((text) => world.eventId(text)).sort())
    for (const text of texts) assert.equal((await world.archived(text)).toString(), text)
  })

  test('where UIDs are the same in several folders: each message is read from its own', async () => {
    const texts = ['INBOX', 'A', 'B/C'].map((folder) => [1, 2, 3].map((n) => message(`${folder} ${n}`)))
    const [inbox = [], a = [], c = []] = texts.map((all) => all.map((raw) => ({ raw })))
    const server = await serving(startImapServer({ messages: inbox, folders: { A: a, 'B/C': c } }))
    const settings = { folders: ['*'], afterArchive: 'delete' }
    const { world, drain } = drains(openImap, accessTo(server, settings), settings)

    const report = await drain({ segmentMessages: 2 })

    assert.equal(report.error, undefined)
    const events = await world.takeEvents()
    const places = events.map((event) => {
      assert.ok(event.type === MESSAGE_ARCHIVED)
      return `${event.data.mailbox.folder} ${event.data.message.subject}`
    })
    assert.deepEqual(
      places.sort(),
      ['INBOX', 'A', 'B/C'].flatMap((folder) => [1, 2, 3].map((n) => `${folder} ${folder} ${n}`)).sort(),
    )
    for (const folder of ['INBOX', 'A', 'B/C']) assert.deepEqual(server.messages(folder), [])
  })

  test('where the connection is lost in the middle of a fetch: the drain ends at once, and the next one has the rest', async () => {
    const texts = Array.from({ length: 40 }, (_, index) => message(`m${index}`, 'x'.repeat(300_000)))
    const server: ImapServer = await serving(startImapServer({ messages: texts.map((raw) => ({ raw })) }))
    const proxy = await serving(startFaultProxy(server))
    const { world, drain } = drains(openImap, accessTo(proxy))
    const dropping = setInterval(() => {
      if (server.received.some((line) => /BODY/.test(line))) proxy.drop()
    }, 1)

    const broken = await drain()
    clearInterval(dropping)

    assert.equal(broken.error?.code, 'CONNECTION_LOST')
    const whole = await drain()
    assert.equal(whole.error, undefined)
    const ids = await announced(world)
    assert.deepEqual([...new Set(ids)].sort(), texts.map((text) => world.eventId(text)).sort())
    assert.equal(ids.length, texts.length)
    for (const text of texts) {
      const octets = await archivedOctets(world.mailbox.id, digestOf(text), world.archive)
      assert.equal(octets.toString(), text)
    }
  })
})
