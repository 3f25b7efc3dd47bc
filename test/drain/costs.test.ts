import assert from 'node:assert/strict'
import fs from 'node:fs'
import files, { mkdtemp, rm } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import type { PutResult } from '../../shared/archive/archive.ts'
import { openFileArchive } from '../../shared/archive/file.ts'
import type { Job } from '../../shared/archive/file.worker.ts'
import { doSteps } from '../../shared/archive/file-steps.ts'
import { type DrainId, mailboxId } from '../../shared/contract/ids.ts'
import { parseRawKey, rawKey } from '../../shared/contract/object-key.ts'
import { DRAIN, POP3 } from '../../shared/limits.ts'
import { openImap } from '../../shared/mailbox/imap.ts'
import type { MailboxSession, OpenMailbox } from '../../shared/mailbox/mailbox.ts'
import { openPop3, pop3Opener } from '../../shared/mailbox/pop3.ts'
import { OctetArena } from '../../shared/octet-arena.ts'
import { memoryOctets, type Octets, openSpool } from '../../shared/octets.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import { conversation } from '../support/conversation.ts'
import { DrainWorld, message } from '../support/drain-world.ts'
import { startImapServer } from '../support/imap-server.ts'
import { accessTo } from '../support/imap-session.ts'
import { startPop3Server } from '../support/pop3-server.ts'

// What a drain costs, counted: a change that makes one more round trip or request shows here, whatever machine it runs on.

const MANY = 300
const letters = Array.from({ length: MANY }, (_, number) => Buffer.from(message(`m${number}`)))

type Serving = (messages: readonly Buffer[]) => Promise<{
  port: number
  user?: string
  password?: string
  deliver(message: Buffer): void
  close(): Promise<void>
}>

/**
 * How often a drain waits for the server: of a mailbox with nothing, with one message, with many; when all is known; and when one has come since.
 */
async function waitsOf(
  open: OpenMailbox,
  start: Serving,
  protocol: 'imap' | 'pop3',
): Promise<Record<string, readonly [first: number, known: number, more: number]>> {
  const waits: Record<string, readonly [number, number, number]> = {}
  for (const [name, messages] of Object.entries({
    none: [],
    one: letters.slice(1, 2),
    many: letters.slice(1),
  })) {
    const server = await start(messages)
    const world = new DrainWorld({ protocol })
    const drain = async (announced: number): Promise<number> => {
      const lines: string[] = []
      const access = accessTo(server, { transcript: (line) => lines.push(line) })
      const report = await world.drain({}, { openMailbox: () => open(access) })
      assert.equal(report.error, undefined)
      assert.equal(report.counts.announced, announced)
      return conversation(lines).waits
    }
    try {
      const [first, known] = [await drain(messages.length), await drain(0)]
      server.deliver(letters[0] as Buffer)
      waits[name] = [first, known, await drain(1)]
    } finally {
      await server.close()
    }
  }
  return waits
}

describe('a drain waits for its server', () => {
  const imap =
    (tells: boolean): Serving =>
    async (messages) => {
      const server = await startImapServer({ tells, messages: messages.map((raw) => ({ raw })) })
      return { ...server, deliver: (raw) => server.append('INBOX', { raw }) }
    }

  test('over IMAP as often for many messages as for one: log-in, folder with what is in it, all messages; not for the end', async () => {
    assert.deepEqual(await waitsOf(openImap, imap(true), 'imap'), {
      none: [2, 2, 3],
      one: [3, 2, 3],
      many: [3, 2, 3],
    })
  })

  test('over IMAP twice more where the server says only when asked what it can do, and takes a log-in in two steps', async () => {
    assert.deepEqual(await waitsOf(openImap, imap(false), 'imap'), {
      none: [4, 4, 5],
      one: [5, 4, 5],
      many: [5, 4, 5],
    })
  })

  test('over POP3 as often for many messages as for one, and once less when all are known', async () => {
    const pop3: Serving = async (messages) => {
      let last = 0
      const served = (octets: Buffer) => ({ uidl: `u${last++}`, octets })
      const server = await startPop3Server({ messages: messages.map(served) })
      return { ...server, deliver: (octets) => void server.maildrop.push(served(octets)) }
    }
    assert.deepEqual(await waitsOf(openPop3, pop3, 'pop3'), {
      none: [4, 4, 5],
      one: [5, 4, 5],
      many: [5, 4, 5],
    })
  })
})

test('a drain by POP3 that removes nothing announces what it has fetched without waiting for the answer to QUIT', async (t) => {
  const happened: string[] = []
  let quit: ((text: string) => void) | undefined
  const answer = (): void => {
    if (happened.includes('announced')) quit?.('+OK bye\r\n')
  }
  const server = await startPop3Server({
    messages: [{ uidl: 'u1', octets: letters[0] as Buffer }],
    answer(line, { write }) {
      if (line !== 'QUIT') return undefined
      quit = write
      answer()
      return ''
    },
  })
  t.after(() => server.close())
  const world = new DrainWorld({ protocol: 'pop3' })
  const { queues } = world
  const report = await world.drain(
    {},
    {
      async openMailbox() {
        const session = await pop3Opener({ ...POP3, idleMs: 2_000 })(accessTo(server))
        const { close } = session
        session.close = async () => {
          await close.call(session)
          happened.push('signed out')
        }
        return session
      },
      queues: {
        ...queues,
        async send(...args) {
          const sent = await queues.send(...args)
          happened.push('announced')
          answer()
          return sent
        },
      },
    },
  )

  assert.equal(report.error, undefined)
  assert.deepEqual(happened, ['announced', 'signed out'])
})

test('a drain asks its stores once for each message and each segment, and its queue once for ten messages', async () => {
  const world = new DrainWorld()
  for (const octets of letters) world.store.deliver(octets)
  const asked = { raw: 0, segments: 0, find: 0, list: 0, check: 0, batches: 0 }
  const { archive, queues } = world

  const report = await world.drain(
    { segmentMessages: 100 },
    {
      archive: {
        ...archive,
        put: (key, ...rest) => {
          if (parseRawKey(key)) asked.raw++
          else asked.segments++
          return archive.put(key, ...rest)
        },
        find: (key) => {
          asked.find++
          return archive.find(key)
        },
        list: (...args) => {
          asked.list++
          return archive.list(...args)
        },
        check: () => {
          asked.check++
          return archive.check()
        },
      },
      queues: {
        ...queues,
        send: (...args) => {
          asked.batches++
          return queues.send(...args)
        },
      },
    },
  )

  assert.equal(report.counts.announced, MANY)
  assert.deepEqual(asked, { raw: MANY, segments: 3, find: 0, list: 1, check: 1, batches: MANY / 10 })
})

test('a drain and its parser send each other one message for each that is parsed, and one when the worker is ready', async (t) => {
  const world = new DrainWorld()
  for (const octets of letters) world.store.deliver(octets)
  const sent = { there: 0, back: 0 }
  const { postMessage } = Worker.prototype
  t.mock.method(
    Worker.prototype,
    'postMessage',
    function (this: Worker, ...args: Parameters<typeof postMessage>) {
      sent.there++
      postMessage.apply(this, args)
    },
  )
  const count = (worker: Worker): void => void worker.on('message', () => sent.back++)
  process.on('worker', count)
  const parser = openWorkerParser({ workers: 1 })
  try {
    const report = await world.drain({}, { parser })

    assert.equal(report.counts.announced, MANY)
    assert.deepEqual(sent, { there: MANY, back: MANY + 1 })
  } finally {
    process.off('worker', count)
    await parser.close()
  }
})

test('a drain makes no memory for messages that find room in the arena, by POP3 and by IMAP', async (t) => {
  const LARGE_OCTETS = 60_000
  const large = Array.from({ length: MANY }, (_, number) => ({
    uidl: `u${number}`,
    octets: Buffer.from(message(`m${number}`, 'x'.repeat(76).concat('\r\n').repeat(800))),
  }))
  let made = 0
  const { allocUnsafeSlow } = Buffer
  t.mock.method(Buffer, 'allocUnsafeSlow', (octets: number) => {
    // What is read ahead is of other sizes.
    if (octets > LARGE_OCTETS && octets < 2 ** 16) made++
    return allocUnsafeSlow(octets)
  })
  const madeBy = async (
    protocol: 'imap' | 'pop3',
    open: () => Promise<MailboxSession>,
    arenaOctets: number,
  ): Promise<number> => {
    made = 0
    const spool = openSpool(undefined, new OctetArena(arenaOctets))
    const report = await new DrainWorld({ protocol }).drain({}, { spool, openMailbox: open })
    assert.equal(report.counts.announced, MANY)
    return made
  }
  const pop3 = await startPop3Server({ messages: large })
  t.after(() => pop3.close())
  const imap = await startImapServer({ messages: large.map(({ octets }) => ({ raw: octets })) })
  t.after(() => imap.close())
  // The servers make one for each that they send.
  for (const [protocol, open] of [
    ['pop3', () => openPop3(accessTo(pop3))],
    ['imap', () => openImap(accessTo(imap))],
  ] as const) {
    assert.equal(await madeBy(protocol, open, DRAIN.arenaOctets), MANY, protocol)
    assert.equal(await madeBy(protocol, open, 0), 2 * MANY, protocol)
  }
})

test('a put into an archive of files makes one file, and what its segment has in common is written once', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-costs-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const archive = openFileArchive(folder)
  const bodies = []
  // Their folders are made by the first one.
  for (let number = 0; bodies.length < 12; number++) {
    const body = memoryOctets(Buffer.from(`message ${number}`))
    if (body.sha256.startsWith('00')) bodies.push(body)
  }
  const put = (body: Octets, seq: number): Promise<PutResult> =>
    archive.put(rawKey(mailboxId('m'), body.sha256), body, {
      contentType: 'message/rfc822',
      writtenFor: { seq, drain: 'd' as DrainId },
    })
  await put(bodies.pop() as Octets, 1)
  await put(bodies.pop() as Octets, 2)
  const calls: string[] = []
  for (const name of ['lstat', 'open', 'link', 'unlink', 'mkdir'] as const) {
    const original = files[name] as (...args: unknown[]) => Promise<unknown>
    t.mock.method(files, name, (...args: unknown[]) => {
      calls.push(name)
      return original(...args)
    })
  }
  syncBuiltinESMExports()
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })
  const jobs: Job[] = []
  const { postMessage } = Worker.prototype
  t.mock.method(Worker.prototype, 'postMessage', function (this: Worker, sent: readonly Job[]) {
    jobs.push(...sent)
    postMessage.call(this, sent)
  })

  for (const body of bodies) assert.equal((await put(body, 2)).outcome, 'created')

  assert.deepEqual(calls, [])
  assert.deepEqual(
    jobs.map(({ steps }) => steps.map((step) => step.do)),
    bodies.map(() => [
      'assert-absent',
      'write',
      'sync',
      // The commit, and what it commits.
      ...['link', 'sync', 'link', 'sync'],
      'unlink',
    ]),
  )
})

test('a folder that several puts have to bring to the disk is brought there once for those that are done abreast', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-costs-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const names = Array.from({ length: 8 }, (_, number) => join(folder, `${number}`))
  const synced = t.mock.method(fs, 'fsyncSync')
  syncBuiltinESMExports()
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })

  const failures = doSteps(
    names.map((path) => [
      { do: 'write', path, octets: Buffer.from('x') },
      { do: 'sync', folder },
    ]),
  )

  assert.deepEqual(failures, Array(8).fill(undefined))
  assert.equal(synced.mock.callCount(), names.length + 1)
})
