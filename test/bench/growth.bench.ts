import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Archive } from '../../shared/archive/archive.ts'
import { openFileArchive } from '../../shared/archive/file.ts'
import { openFileAudit } from '../../shared/archive/file-audit.ts'
import type { DrainId, Epoch, MailboxId, Sha256, Uid } from '../../shared/contract/ids.ts'
import { never } from '../../shared/deadline.ts'
import { drain } from '../../shared/drain.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import type { MessageEntry } from '../../shared/ledger/segment.ts'
import type { Fetched, Listing, MailboxSession, ServerId } from '../../shared/mailbox/mailbox.ts'
import { memoryOctets, openSpool } from '../../shared/octets.ts'
import { openInlineParser } from '../../shared/parser/inline.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import { openFileState } from '../../shared/state/file.ts'
import type { StateStore } from '../../shared/state/state.ts'
import { mailboxConfig, QUEUES } from '../support/drain-world.ts'
import { removeFolder } from '../support/mail-server.ts'
import { alternative } from './generated-mail.ts'

// What a drain costs by what the ledger knows and what is new: `npm run bench:growth`. Archive and state are files, the mailbox is made up,
// so that nothing but the drain is measured: time of the processor, the most memory the process ever had, and what it asked of the stores.

const MAILBOX = 'grown' as MailboxId
const ENTRIES = 500

type Protocol = 'imap' | 'pop3'
interface Case {
  readonly protocol: Protocol
  readonly known: number
  readonly fresh: number
  /** Without it the whole ledger is folded. */
  readonly snapshot: boolean
}

const CASES: readonly Case[] = [
  ...[1_000, 10_000, 100_000, 1_000_000].flatMap((known): Case[] => [
    { protocol: 'imap', known, fresh: 0, snapshot: true },
    { protocol: 'imap', known, fresh: 1_000, snapshot: true },
    { protocol: 'imap', known, fresh: 0, snapshot: false },
  ]),
  ...[1_000, 100_000].flatMap((known): Case[] => [
    { protocol: 'pop3', known, fresh: 0, snapshot: true },
    { protocol: 'pop3', known, fresh: 1_000, snapshot: true },
    { protocol: 'pop3', known, fresh: 0, snapshot: false },
  ]),
]

const idOf = (protocol: Protocol, number: number): ServerId =>
  protocol === 'imap' ? (number as Uid) : (`0000${number.toString(16).padStart(8, '0')}5f2c1b7a` as ServerId)
const epochOf = (protocol: Protocol): Epoch => (protocol === 'imap' ? '1' : 'uidl') as Epoch

function openStores(folder: string): { archive: Archive; state: StateStore } {
  return { archive: openFileArchive(join(folder, 'archive')), state: openFileState(join(folder, 'state')) }
}

/** A ledger that knows so many messages, with its snapshot, as drains of ENTRIES each would have left it. */
async function grow(folder: string, protocol: Protocol, known: number): Promise<void> {
  const ledger = await openLedger(MAILBOX, openStores(folder))
  for (let first = 1; first <= known; first += ENTRIES) {
    const entries = Array.from({ length: Math.min(ENTRIES, known - first + 1) }, (_, index): MessageEntry => {
      const number = first + index
      return {
        type: 'message',
        folder: 'INBOX',
        epoch: epochOf(protocol),
        id: idOf(protocol, number),
        outcome: 'announced',
        sha256: createHash('sha256').update(`${number}`).digest('hex') as Sha256,
        octets: 5_000,
        queue: 'default',
        internalDate: '2026-03-03T08:00:00.000Z',
        messageId: `<${number}@example.net>`,
        from: `sender-${number}@example.net`,
        subject: `Order ${number}`,
        class: 'ordinary',
        parse: 'parsed',
      }
    })
    const at = new Date()
    await ledger.commit(
      {
        drain: 'grown' as DrainId,
        startedAt: at,
        closedAt: at,
        octetsFetched: 5_000 * entries.length,
        server: undefined,
        afterArchive: 'keep',
        entries,
      },
      undefined,
    )
  }
  await ledger.saveSnapshot({})
}

/** A mailbox that holds what is known and, after it, what is new. */
function session({ protocol, known, fresh }: Case): MailboxSession {
  const ids = Array.from({ length: known + fresh }, (_, index) => idOf(protocol, index + 1))
  const listing: Listing = {
    folder: 'INBOX',
    epoch: epochOf(protocol),
    ids,
    selected: undefined,
    uidNext: undefined,
  }
  return {
    protocol,
    server: { host: 'localhost', port: 993, tls: 'none', certificateSha256: undefined, capabilities: [] },
    acknowledgedBy: 'acknowledge',
    folders: async () => ['INBOX'],
    status: async () => [],
    list: async () => listing,
    async *fetch(_, wanted): AsyncGenerator<Fetched> {
      for (const [number, id] of wanted.entries())
        yield { id, octets: memoryOctets(alternative(number)), metadata: {}, announcedOctets: undefined }
    },
    outstanding: async () => [],
    acknowledge: () => assert.fail('nothing is acknowledged'),
    close: async () => {},
    abort: () => {},
  }
}

async function measure(folder: string, one: Case): Promise<void> {
  const { archive, state } = openStores(folder)
  const asked = { list: 0, get: 0, find: 0, put: 0 }
  const counted: Archive = {
    ...archive,
    list: (...args) => {
      asked.list++
      return archive.list(...args)
    },
    get: (...args) => {
      asked.get++
      return archive.get(...args)
    },
    find: (...args) => {
      asked.find++
      return archive.find(...args)
    },
    put: (...args) => {
      asked.put++
      return archive.put(...args)
    },
  }
  const before = process.cpuUsage()
  const report = await drain(
    { mailbox: mailboxConfig({ id: MAILBOX, protocol: one.protocol }), routes: [] },
    {
      archive: counted,
      audit: openFileAudit(join(folder, 'archive')),
      state: one.snapshot ? state : undefined,
      derived: undefined,
      queues: openMemoryQueues({ queues: QUEUES }),
      openMailbox: async () => session(one),
      parser: openInlineParser(),
      spool: openSpool(),
    },
    { deadline: never },
  )
  assert.equal(report.error, undefined)
  assert.equal(report.counts.announced, one.fresh)
  const { user, system } = process.cpuUsage(before)
  const peakMib = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
  console.log(JSON.stringify({ cpuMs: (user + system) / 1000, peakMib, asked }))
}

const [folder, told] = process.argv.slice(2)
if (folder !== undefined && told !== undefined) await measure(folder, JSON.parse(told) as Case)
else {
  console.log('protocol     known    new  ledger      processor ms   peak MiB   list get find put')
  for (const one of CASES) {
    const folder = mkdtempSync(join(tmpdir(), 'mailsluice-growth-'))
    try {
      await grow(folder, one.protocol, one.known)
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [fileURLToPath(import.meta.url), folder, JSON.stringify(one)],
        { encoding: 'utf8' },
      )
      assert.ok(stdout, stderr)
      const { cpuMs, peakMib, asked } = JSON.parse(stdout)
      const { list, get, find, put } = asked
      console.log(
        `${one.protocol.padEnd(6)}${String(one.known).padStart(12)}${String(one.fresh).padStart(7)}  ${(one.snapshot ? 'snapshot' : 'folded').padEnd(9)}${cpuMs.toFixed(0).padStart(15)}${peakMib.toFixed(0).padStart(11)}${String(list).padStart(7)}${String(get).padStart(4)}${String(find).padStart(5)}${String(put).padStart(4)}`,
      )
    } finally {
      await removeFolder(folder)
    }
  }
}
