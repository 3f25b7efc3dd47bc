import assert from 'node:assert/strict'
import type { Archive } from '../../shared/archive/archive.ts'
import { type MailboxConfig, validateConfig } from '../../shared/contract/config.ts'
import type { Event } from '../../shared/contract/event.ts'
import { archivedEventId } from '../../shared/contract/event.ts'
import type { ObjectKey } from '../../shared/contract/ids.ts'
import type { RouteConfig } from '../../shared/contract/routes.ts'
import { never } from '../../shared/deadline.ts'
import { openMemoryDerived } from '../../shared/derived/memory.ts'
import type { DrainOptions, DrainPorts } from '../../shared/drain/ports.ts'
import type { DrainReport } from '../../shared/drain/report.ts'
import { drain } from '../../shared/drain.ts'
import type { Entry } from '../../shared/ledger/segment.ts'
import { MemoryMailStore, type MemoryMailStoreOptions } from '../../shared/mailbox/memory.ts'
import { openSpool } from '../../shared/octets.ts'
import { openInlineParser } from '../../shared/parser/inline.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import type { EventQueues } from '../../shared/queue/queue.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import type { StateStore } from '../../shared/state/state.ts'
import { MemoryStore } from './memory-store.ts'
import { archivedOctets, assertLedgerVerifies, digestOf, ledgerEntries, takeEvents } from './stores.ts'

export const QUEUES = { default: 'mail-events', invoices: 'invoice-events', audit: 'audit-events' }

/** Everything a drain touches, in memory, and what a test wants to know of it. */
export class DrainWorld {
  readonly store: MemoryMailStore
  readonly memory: MemoryStore = new MemoryStore()
  readonly archive: Archive
  readonly state: StateStore = openMemoryState()
  /** What was derived, by key. */
  readonly derived: Map<ObjectKey, Buffer> = new Map()
  readonly queues: EventQueues = openMemoryQueues({ queues: QUEUES })
  readonly mailbox: MailboxConfig
  routes: readonly RouteConfig[] = []

  constructor(settings: Record<string, unknown> = {}, store: Partial<MemoryMailStoreOptions> = {}) {
    this.archive = this.memory.archive
    this.mailbox = mailboxConfig(settings)
    const { protocol, folders } = this.mailbox
    this.store = new MemoryMailStore({ protocol, folders, ...store })
  }

  ports(): DrainPorts {
    const { archive, memory, state, derived, queues, store } = this
    return {
      archive,
      audit: memory.audit,
      state,
      derived: openMemoryDerived(derived),
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
    return drain(
      { mailbox, routes: this.routes },
      { ...this.ports(), ...ports },
      { deadline: never, ...options },
    )
  }

  takeEvents(queue?: string): Promise<Event[]> {
    return takeEvents(this.queues, queue)
  }

  entries(): Promise<Entry[]> {
    return ledgerEntries(this.mailbox.id, this.archive)
  }

  eventId(octets: Buffer | string): string {
    return archivedEventId(this.mailbox.id, digestOf(octets))
  }

  archived(octets: Buffer | string): Promise<Buffer> {
    return archivedOctets(this.mailbox.id, digestOf(octets), this.archive)
  }

  async assertLedgerVerifies(): Promise<void> {
    await assertLedgerVerifies(this.mailbox.id, this.archive)
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
