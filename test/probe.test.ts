import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { mailboxOpener } from '../functions/compose.ts'
import type { MailboxConfig } from '../shared/contract/config.ts'
import type { DrainId } from '../shared/contract/ids.ts'
import { ledgerKey } from '../shared/contract/object-key.ts'
import { openLogins } from '../shared/credentials/logins.ts'
import { deadlineIn } from '../shared/deadline.ts'
import type { DrainPorts } from '../shared/drain/ports.ts'
import { IngestError } from '../shared/errors.ts'
import type { MailboxSession } from '../shared/mailbox/mailbox.ts'
import { memoryOctets } from '../shared/octets.ts'
import { type ProbeOptions, probe } from '../shared/probe.ts'
import type { EventQueues } from '../shared/queue/queue.ts'
import { DrainWorld, mailboxConfig, message } from './support/drain-world.ts'
import { startImapServer } from './support/imap-server.ts'
import { startPop3Server } from './support/pop3-server.ts'

const DAY_MS = 86_400_000
const TODAY = new Date('2026-03-01T12:00:00Z')
const later = (days: number): Date => new Date(TODAY.getTime() + days * DAY_MS)

/** Why a drain of the world's mailbox is due. */
async function due(
  world: DrainWorld,
  options: ProbeOptions & { mailbox?: MailboxConfig; ports?: Partial<DrainPorts> } = {},
): Promise<string | undefined> {
  const { mailbox = world.mailbox, ports = {}, now = TODAY, ...rest } = options
  return (await probe(mailbox, { ...world.ports(), ...ports }, { now, ...rest })).due
}

async function drained(world: DrainWorld, options: Parameters<DrainWorld['drain']>[0] = {}): Promise<void> {
  const report = await world.drain({ now: () => TODAY, ...options })
  assert.equal(report.error, undefined)
}

function refusing(queues: EventQueues): EventQueues {
  return { ...queues, send: async (_, events) => events.map(() => ({ sent: false, refused: 'no' })) }
}

for (const protocol of ['imap', 'pop3'] as const)
  describe(`a drain over ${protocol} is due`, () => {
    test('when the mailbox has messages and was never drained', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))

      assert.ok(await due(world))
    })

    test('when a message has come since the last one, and no more when that is drained', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))
      await drained(world)
      assert.equal(await due(world), undefined)
      world.store.deliver(message('two'))

      assert.equal(await due(world), 'INBOX: new messages')

      await drained(world)
      assert.equal(await due(world), undefined)
    })

    test('when the last one stopped before its end', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))
      await drained(world)
      world.store.deliver(message('two'))
      await drained(world, { deadline: deadlineIn(0) })

      assert.ok(await due(world))
    })

    test('when an announcement is pending, also if nothing new has come', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))
      await world.drain({ now: () => TODAY }, { queues: refusing(world.queues) })

      assert.equal(await due(world), 'an earlier drain left something to do')
    })

    test('when messages have come of age, and not before', async () => {
      const world = new DrainWorld({
        protocol,
        afterArchive: { deleteAfterDays: 3 },
        retention: { mode: 'governance', days: 365 },
      })
      world.store.deliver(message('one'))
      await drained(world)
      assert.equal(await due(world, { now: TODAY }), undefined)

      assert.match((await due(world, { now: later(3) })) ?? '', /due for deletion/)

      await drained(world, { now: () => later(3) })
      assert.equal(await due(world, { now: later(3) }), undefined)
      assert.equal(world.store.messages().length, 0)
    })

    test('when what is done after archiving has changed', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))
      await drained(world)

      const mailbox = mailboxConfig({ protocol, afterArchive: 'delete' })
      assert.ok(await due(world, { mailbox }))

      await world.drain({ now: () => TODAY }, {}, mailbox)
      assert.equal(await due(world, { mailbox }), undefined)
    })

    test('when a message that was too large fits into a raised limit', async () => {
      const world = new DrainWorld({ protocol, limits: { messageOctets: 1024 } })
      world.store.deliver(message('large', 'x'.repeat(2000)))
      await drained(world)
      assert.equal(await due(world), undefined)

      const mailbox = mailboxConfig({ protocol, limits: { messageOctets: 10_000 } })
      assert.ok(await due(world, { mailbox }))

      const { counts } = await world.drain({ now: () => TODAY }, {}, mailbox)
      assert.equal(counts.announced, 1)
      assert.equal(await due(world, { mailbox }), undefined)
    })
  })

describe('a drain over imap is due', () => {
  test('when the folder was made anew', async () => {
    const world = new DrainWorld()
    world.store.deliver(message('one'))
    await drained(world)
    world.store.recreate()

    assert.equal(await due(world), 'INBOX: the folder was made anew')
  })

  test('when a folder with messages has come under the globs', async () => {
    const world = new DrainWorld({ folders: ['*'] })
    world.store.deliver(message('one'))
    await drained(world)
    world.store.deliver(message('two'), 'Orders')

    assert.equal(await due(world), 'Orders: not drained to its end yet')
  })

  test('when the search has changed, though nothing has come', async () => {
    const world = new DrainWorld({ search: { from: 'a@' } }, { selects: () => false })
    world.store.deliver(message('one'))
    await drained(world)
    assert.equal(await due(world), undefined)

    assert.ok(await due(world, { mailbox: mailboxConfig({ search: { from: 'b@' } }) }))
  })

  test('once a day while messages grow older, not once a tick', async () => {
    const world = new DrainWorld({ afterArchive: { deleteAfterDays: 30 } })
    world.store.deliver(message('one'))
    await drained(world)
    assert.equal(await due(world, { now: TODAY }), undefined)
    assert.ok(await due(world, { now: later(1) }))
    await drained(world, { now: () => later(1) })

    assert.equal(await due(world, { now: later(1) }), undefined)
  })
})

test('over pop3 a drain is due when messages have left the maildrop, for their UIDLs may be given to others', async () => {
  const world = new DrainWorld({ protocol: 'pop3' })
  world.store.deliver(message('one'))
  const gone = world.store.deliver(message('two'))
  await drained(world)
  world.store.remove(gone)

  assert.equal(await due(world), 'INBOX: messages have left the maildrop')

  await drained(world)
  assert.equal(await due(world), undefined)
})

for (const protocol of ['imap', 'pop3'] as const)
  describe(`no drain over ${protocol} is due`, () => {
    test('of an empty mailbox, drained before or never', async () => {
      const world = new DrainWorld({ protocol })
      assert.equal(await due(world), undefined)

      await drained(world)
      assert.equal(await due(world), undefined)
    })

    test('before the next day when the octets of the day are spent', async () => {
      const world = new DrainWorld({ protocol, limits: { octetsPerDay: 1024 } })
      world.store.deliver(message('one', 'x'.repeat(1500)))
      world.store.deliver(message('two'))
      const report = await world.drain({ now: () => TODAY })
      assert.equal(report.stopped, 'daily-budget')

      assert.equal(await due(world, { now: TODAY }), undefined)
      assert.ok(await due(world, { now: later(1) }))
    })

    test('on another day when messages are kept', async () => {
      const world = new DrainWorld({ protocol })
      world.store.deliver(message('one'))
      await drained(world)

      assert.equal(await due(world, { now: later(9) }), undefined)
    })
  })

test('over imap no drain is due on another day when nothing is left that could come of age', async () => {
  const world = new DrainWorld({ afterArchive: { deleteAfterDays: 3 } })
  const gone = world.store.deliver(message('one'))
  await drained(world)
  world.store.remove(gone)

  assert.equal(await due(world, { now: later(3) }), undefined)
})

test('over imap no drain is due when somebody has removed messages', async () => {
  const world = new DrainWorld()
  world.store.deliver(message('one'))
  const gone = world.store.deliver(message('two'))
  await drained(world)
  world.store.remove(gone)

  assert.equal(await due(world), undefined)
})

describe('a probe that cannot look', () => {
  test('says why, as a drain would', async () => {
    const world = new DrainWorld()
    const openMailbox = async () => {
      throw new IngestError('AUTHENTICATION_FAILED', 'no')
    }

    await assert.rejects(due(world, { ports: { openMailbox } }), { code: 'AUTHENTICATION_FAILED' })
  })

  test('does not sign in when the ledger does not verify', async () => {
    const world = new DrainWorld()
    world.store.deliver(message('one'))
    await drained(world)
    const { archive } = world
    const forged = memoryOctets(Buffer.from('not a segment\n'))
    await archive.put(ledgerKey(world.mailbox.id, 2), forged, {
      contentType: 'application/x-ndjson',
      writtenFor: { seq: 2, drain: 'somebody' as DrainId },
    })

    await assert.rejects(due(world, { ports: { openMailbox: signsIn } }), { code: 'LEDGER_CORRUPT' })
  })

  test('gives up at its deadline, and leaves a server that is slow to answer', async () => {
    const world = new DrainWorld()
    world.store.deliver(message('one'))
    const watched = watching(world, { status: () => new Promise(() => {}) })

    const probing = due(world, { deadline: deadlineIn(50), ports: { openMailbox: watched.openMailbox } })

    await assert.rejects(probing, { code: 'TIMED_OUT' })
    assert.equal(watched.aborted(), 1)
  })

  test('does not wait beyond its deadline for a server that lets nobody in', async () => {
    const world = new DrainWorld()
    const openMailbox = () => new Promise<MailboxSession>(() => {})

    const probing = due(world, { deadline: deadlineIn(50), ports: { openMailbox } })

    await assert.rejects(probing, { code: 'TIMED_OUT' })
  })
})

describe('a probe does not sign in', () => {
  test('when the ledger alone tells that a drain is due', async () => {
    const world = new DrainWorld()
    world.store.deliver(message('one'))
    await world.drain({ now: () => TODAY }, { queues: refusing(world.queues) })

    const result = await probe(world.mailbox, { ...world.ports(), openMailbox: signsIn }, { now: TODAY })

    assert.deepEqual(result, { due: 'an earlier drain left something to do', entered: false })
  })

  test('when the octets of the day are spent', async () => {
    const world = new DrainWorld({ limits: { octetsPerDay: 1024 } })
    world.store.deliver(message('one', 'x'.repeat(1500)))
    await world.drain({ now: () => TODAY })

    const result = await probe(world.mailbox, { ...world.ports(), openMailbox: signsIn }, { now: TODAY })

    assert.deepEqual(result, { due: undefined, entered: false })
  })
})

async function signsIn(): Promise<MailboxSession> {
  assert.fail('it signs in')
}

/** Opens the world's mailbox and counts the sessions that are dropped. */
function watching(world: DrainWorld, change: Partial<MailboxSession> = {}) {
  let aborted = 0
  return {
    aborted: () => aborted,
    openMailbox: async (): Promise<MailboxSession> => {
      const session = await world.store.open()
      return new Proxy(session, {
        get(target, name) {
          if (name === 'abort')
            return () => {
              aborted++
              target.abort()
            }
          const value = (Reflect.get(change, name) ?? Reflect.get(target, name, target)) as unknown
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    },
  }
}

describe('a probe on a real connection', () => {
  const store = { password: async () => 'testpass', replace: async () => false }
  const credentials = { login: openLogins({ store }) }
  const opener = (mailbox: MailboxConfig) => mailboxOpener(mailbox, { credentials, authorities: {} })
  const served = (settings: Record<string, unknown>) =>
    mailboxConfig({ host: '127.0.0.1', tls: 'none', user: 'testuser', ...settings })

  test('of an idle IMAP mailbox asks STATUS, and selects, searches and fetches nothing', async () => {
    const imap = await startImapServer({ messages: [{ raw: message('one') }, { raw: message('two') }] })
    try {
      const mailbox = served({ port: imap.port })
      const world = new DrainWorld()
      const openMailbox = opener(mailbox)
      await world.drain({ now: () => TODAY }, { openMailbox }, mailbox)
      const before = imap.received.length

      assert.equal(await due(world, { mailbox, ports: { openMailbox } }), undefined)

      const verbs = imap.received.slice(before).map((line) => line.split(' ')[1]?.toUpperCase())
      assert.equal(verbs.filter((verb) => verb === 'STATUS').length, 1)
      const costly = verbs.filter((verb) =>
        ['SELECT', 'EXAMINE', 'SEARCH', 'FETCH', 'UID'].includes(verb ?? ''),
      )
      assert.deepEqual(costly, [])

      imap.append('INBOX', { raw: message('three') })
      assert.equal(await due(world, { mailbox, ports: { openMailbox } }), 'INBOX: new messages')
    } finally {
      await imap.close()
    }
  })

  test('of an idle maildrop asks UIDL, and fetches nothing', async () => {
    const octets = Buffer.from(message('one'))
    const pop3 = await startPop3Server({ messages: [{ uidl: 'a', octets }] })
    try {
      const mailbox = served({ protocol: 'pop3', port: pop3.port })
      const world = new DrainWorld({ protocol: 'pop3' })
      const openMailbox = opener(mailbox)
      await world.drain({ now: () => TODAY }, { openMailbox }, mailbox)
      const before = pop3.commands.length

      assert.equal(await due(world, { mailbox, ports: { openMailbox } }), undefined)

      const verbs = pop3.commands.slice(before).map((line) => line.split(' ')[0]?.toUpperCase())
      assert.ok(verbs.includes('UIDL'))
      assert.ok(!verbs.includes('RETR') && !verbs.includes('TOP'), verbs.join(' '))

      pop3.maildrop.push({ uidl: 'b', octets: Buffer.from(message('two')) })
      assert.equal(await due(world, { mailbox, ports: { openMailbox } }), 'INBOX: new messages')
    } finally {
      await pop3.close()
    }
  })
})
