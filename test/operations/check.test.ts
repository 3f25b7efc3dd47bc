import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openFileArchive } from '../../shared/archive/file.ts'
import { openMemoryArchive } from '../../shared/archive/memory.ts'
import type { Expiry } from '../../shared/credentials/credentials.ts'
import { IngestError } from '../../shared/errors.ts'
import type { MailboxSession } from '../../shared/mailbox/mailbox.ts'
import { checkArchive, checkMailbox, checkQueue } from '../../shared/operations/check.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import { DrainWorld, message } from '../support/drain-world.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailsluice-check-'))
after(() => rmSync(folder, { recursive: true }))

const refusal = new IngestError('AUTHENTICATION_FAILED', 'no')
const login = { expiries: async (): Promise<readonly Expiry[]> => [] }

describe('a mailbox that is checked', () => {
  for (const protocol of ['imap', 'pop3'] as const)
    test(`tells server and folders, and nothing of it has changed (${protocol})`, async () => {
      const world = new DrainWorld({ protocol, afterArchive: 'delete' })
      world.store.deliver(message('one'))
      world.store.deliver(message('two'))
      let closed = 0
      const open = async (): Promise<MailboxSession> => {
        const session = await world.store.open()
        return { ...bound(session), close: async () => void closed++ }
      }

      const checked = await checkMailbox(world.mailbox, { open, login, authority: undefined })

      assert.equal(checked.error, undefined)
      assert.equal(checked.server?.host, 'memory')
      assert.deepEqual(
        checked.folders.map((each) => [each.folder, each.messages]),
        [['INBOX', 2]],
      )
      assert.deepEqual(
        world.store.messages().map(({ flags }) => flags.size),
        [0, 0],
      )
      assert.equal(closed, 1, 'it signs out')
    })

  test('that cannot be opened says why', async () => {
    const { mailbox } = new DrainWorld()
    const checked = await checkMailbox(mailbox, {
      open: () => Promise.reject(refusal),
      login,
      authority: undefined,
    })
    assert.deepEqual([checked.error, checked.server, checked.folders], [refusal, undefined, []])
  })

  test('whose folders are refused says why and who it was, and the connection is dropped', async () => {
    const world = new DrainWorld()
    let dropped = 0
    const open = async (): Promise<MailboxSession> => ({
      ...bound(await world.store.open()),
      status: () => Promise.reject(refusal),
      abort: () => void dropped++,
    })
    const checked = await checkMailbox(world.mailbox, { open, login, authority: undefined })
    assert.deepEqual([checked.error, checked.server?.host, dropped], [refusal, 'memory', 1])
  })

  test('tells what runs out, also when the secret is refused', async () => {
    const { mailbox } = new DrainWorld()
    const soon = new Date(Date.now() + 3 * 86_400_000)
    const checked = await checkMailbox(mailbox, {
      open: () => Promise.reject(refusal),
      login: { expiries: async () => [{ what: 'client secret', at: soon }] },
      authority: undefined,
    })
    assert.deepEqual(
      checked.expiring.map(({ what, at }) => [what, at]),
      [['client secret', soon.toISOString()]],
    )
  })

  test('whose secret cannot be read says so once, by its log-in', async () => {
    const { mailbox } = new DrainWorld()
    const missing = new IngestError('CREDENTIAL_MISSING', 'nowhere')
    const checked = await checkMailbox(mailbox, {
      open: () => Promise.reject(missing),
      login: { expiries: () => Promise.reject(missing) },
      authority: undefined,
    })
    assert.deepEqual([checked.error, checked.expiring], [missing, []])
  })

  test('does not hide a defect', async () => {
    const { mailbox } = new DrainWorld()
    const open = () => Promise.reject(new TypeError('a defect'))
    await assert.rejects(checkMailbox(mailbox, { open, login, authority: undefined }), TypeError)
    const expiries = () => Promise.reject(new TypeError('a defect'))
    await assert.rejects(
      checkMailbox(mailbox, {
        open: () => Promise.reject(refusal),
        login: { expiries },
        authority: undefined,
      }),
      TypeError,
    )
  })
})

describe('an archive that is checked', () => {
  test('tells where it is, whether it locks, and what it cannot promise', async () => {
    for (const [archive, locks] of [
      [openMemoryArchive(), true],
      [openFileArchive(join(folder, 'archive')), false],
    ] as const) {
      const { facts, error } = await checkArchive(archive)
      assert.equal(error, undefined)
      assert.equal(facts?.objectLock, locks)
      assert.equal(facts?.warnings.length, 1)
    }
  })

  test('that cannot be one says why', async () => {
    writeFileSync(join(folder, 'file'), '')
    const { facts, error } = await checkArchive(openFileArchive(join(folder, 'file', 'below')))
    assert.deepEqual([facts, error?.code], [undefined, 'ARCHIVE_MISCONFIGURED'])
  })

  test('does not hide a defect', async () => {
    const archive = { ...openMemoryArchive(), check: () => Promise.reject(new TypeError('a defect')) }
    await assert.rejects(checkArchive(archive), TypeError)
  })
})

describe('a queue that is checked', () => {
  const queues = openMemoryQueues({ queues: { default: 'mail-events', ordered: 'mail-events.fifo' } })

  test('tells its name, kind and what waits in it, and takes nothing off', async () => {
    await queues.send('ordered', [{ id: 'a', group: 'g', body: '{}' }])
    for (let times = 0; times < 2; times++) {
      const { facts } = await checkQueue(queues, 'ordered')
      assert.deepEqual([facts?.fifo, facts?.approximateMessages], [true, 1])
    }
    assert.equal((await checkQueue(queues, 'default')).facts?.fifo, false)
  })

  test('that is not there says so', async () => {
    const { facts, error } = await checkQueue(queues, 'nowhere')
    assert.deepEqual([facts, error?.code], [undefined, 'QUEUE_MISSING'])
  })
})

/** A session as an object of its own, of which single methods can be others. */
function bound(session: MailboxSession): MailboxSession {
  return {
    protocol: session.protocol,
    server: session.server,
    acknowledgedBy: session.acknowledgedBy,
    folders: () => session.folders(),
    status: () => session.status(),
    list: (name) => session.list(name),
    fetch: (...rest) => session.fetch(...rest),
    outstanding: (...rest) => session.outstanding(...rest),
    acknowledge: (...rest) => session.acknowledge(...rest),
    close: () => session.close(),
    abort: () => session.abort(),
  }
}
