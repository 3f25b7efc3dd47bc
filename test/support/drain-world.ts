import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Archive } from '../../shared/archive/archive.ts'
import { openMemoryArchive } from '../../shared/archive/memory.ts'
import { type MailboxConfig, validateConfig } from '../../shared/contract/config.ts'
import type { Event } from '../../shared/contract/event.ts'
import { archivedEventId } from '../../shared/contract/event.ts'
import type { Sha256 } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { never } from '../../shared/deadline.ts'
import type { DrainOptions, DrainPorts } from '../../shared/drain/ports.ts'
import type { DrainReport } from '../../shared/drain/report.ts'
import { drain } from '../../shared/drain.ts'
import { readSegments } from '../../shared/ledger/ledger.ts'
import type { Entry } from '../../shared/ledger/segment.ts'
import { verifyLedger } from '../../shared/ledger/verify.ts'
import { MemoryMailStore, type MemoryMailStoreOptions } from '../../shared/mailbox/memory.ts'
import { openSpool } from '../../shared/octets.ts'
import { openInlineParser } from '../../shared/parser/inline.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import type { EventQueues } from '../../shared/queue/queue.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import type { StateStore } from '../../shared/state/state.ts'

export const QUEUES = { default: 'mail-events', invoices: 'invoice-events' }

/** Everything a drain touches, in memory, and what a test wants to know of it. */
export class DrainWorld {
  readonly store: MemoryMailStore
  readonly archive: Archive
  readonly state: StateStore = openMemoryState()
  readonly queues: EventQueues = openMemoryQueues({ queues: QUEUES })
  readonly mailbox: MailboxConfig

  constructor(settings: Record<string, unknown> = {}, store: Partial<MemoryMailStoreOptions> = {}) {
    this.archive = openMemoryArchive()
    this.mailbox = mailboxConfig(settings)
    const { protocol, folders } = this.mailbox
    this.store = new MemoryMailStore({ protocol, folders, ...store })
  }

  ports(): DrainPorts {
    const { archive, state, queues, store } = this
    return {
      archive,
      state,
      queues,
      openMailbox: () => store.open(),
      parser: openInlineParser(),
      spool: openSpool(),
    }
  }

  drain(
    options: Partial<DrainOptions> = {},
    ports: Partial<DrainPorts> = {},
    mailbox: MailboxConfig = this.mailbox,
  ): Promise<DrainReport> {
    return drain({ mailbox, routes: [] }, { ...this.ports(), ...ports }, { deadline: never, ...options })
  }

  /** Every event in a queue, taken off it. */
  async takeEvents(queue = 'default'): Promise<Event[]> {
    const events: Event[] = []
    while (true) {
      const received = await this.queues.receive(queue, { waitSeconds: 0, visibilitySeconds: 30 })
      if (received.length === 0) return events
      for (const { body, remove } of received) {
        events.push(JSON.parse(body) as Event)
        await remove()
      }
    }
  }

  async entries(): Promise<Entry[]> {
    const entries: Entry[] = []
    for await (const segment of readSegments(this.mailbox.id, this.archive)) entries.push(...segment.entries)
    return entries
  }

  eventId(octets: Buffer | string): string {
    return archivedEventId(this.mailbox.id, digestOf(octets))
  }

  /** The stored octets of a message. Rejects when it is not in the archive. */
  async archived(octets: Buffer | string): Promise<Buffer> {
    const { body } = await this.archive.get(rawKey(this.mailbox.id, digestOf(octets)))
    return Buffer.concat(await body.toArray())
  }

  async assertLedgerVerifies(): Promise<void> {
    const { problems, unrecorded } = await verifyLedger(this.mailbox.id, this.archive)
    assert.deepEqual({ problems, unrecorded }, { problems: [], unrecorded: [] })
  }
}

export function mailboxConfig(settings: Record<string, unknown>): MailboxConfig {
  const { config, problems } = validateConfig({
    queues: QUEUES,
    mailboxes: [
      {
        id: 'invoices',
        protocol: 'imap',
        host: '127.0.0.1',
        user: 'u',
        credential: 'env:NONE',
        ...settings,
      },
    ],
  })
  assert.ok(config, problems?.join('\n'))
  return config.mailboxes[0] as MailboxConfig
}

export function message(subject: string, body = 'Hello.'): string {
  return `From: a@example.com\r\nTo: b@example.com\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@example.com>\r\n\r\n${body}\r\n`
}

function digestOf(octets: Buffer | string): Sha256 {
  return createHash('sha256').update(octets).digest('hex') as Sha256
}
