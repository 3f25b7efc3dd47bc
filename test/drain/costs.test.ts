import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { parseRawKey } from '../../shared/contract/object-key.ts'
import { openImap } from '../../shared/mailbox/imap.ts'
import type { OpenMailbox } from '../../shared/mailbox/mailbox.ts'
import { openPop3 } from '../../shared/mailbox/pop3.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import { conversation } from '../support/conversation.ts'
import { DrainWorld, message } from '../support/drain-world.ts'
import { startImapServer } from '../support/imap-server.ts'
import { accessTo } from '../support/imap-session.ts'
import { startPop3Server } from '../support/pop3-server.ts'

// What a drain costs, counted: a change that makes one more round trip or request shows here, whatever machine it runs on.

const MANY = 300
const letters = Array.from({ length: MANY }, (_, number) => Buffer.from(message(`m${number}`)))

/** How often a drain waits for the server: for a mailbox with nothing, with one message, with many, and again when all are known. */
async function waitsOf(
  open: OpenMailbox,
  start: (
    messages: readonly Buffer[],
  ) => Promise<{ port: number; user?: string; password?: string; close(): Promise<void> }>,
  protocol: 'imap' | 'pop3',
): Promise<Record<string, number>> {
  const waits: Record<string, number> = {}
  for (const [name, messages] of Object.entries({ none: [], one: letters.slice(0, 1), many: letters })) {
    const server = await start(messages)
    const world = new DrainWorld({ protocol })
    try {
      for (const drain of [name, `${name}, known`]) {
        const lines: string[] = []
        const access = accessTo(server, { transcript: (line) => lines.push(line) })
        const report = await world.drain({}, { openMailbox: () => open(access) })
        assert.equal(report.error, undefined)
        waits[drain] = conversation(lines).waits
      }
    } finally {
      await server.close()
    }
  }
  return waits
}

describe('a drain waits for its server', () => {
  test('over IMAP as often for many messages as for one: search with sizes, and all of them in one answer', async () => {
    const start = (messages: readonly Buffer[]) =>
      startImapServer({ messages: messages.map((raw) => ({ raw })) })
    assert.deepEqual(await waitsOf(openImap, start, 'imap'), {
      none: 9,
      'none, known': 9,
      one: 11,
      'one, known': 10,
      many: 11,
      'many, known': 10,
    })
  })

  test('over POP3 as often for many messages as for one, and once less when all are known', async () => {
    const start = (messages: readonly Buffer[]) =>
      startPop3Server({ messages: messages.map((octets, index) => ({ uidl: `u${index}`, octets })) })
    assert.deepEqual(await waitsOf(openPop3, start, 'pop3'), {
      none: 4,
      'none, known': 4,
      one: 5,
      'one, known': 4,
      many: 5,
      'many, known': 4,
    })
  })
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
