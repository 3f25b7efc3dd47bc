import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Archive } from '../../shared/archive/archive.ts'
import type { Event } from '../../shared/contract/event.ts'
import type { MailboxId, Sha256 } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { readSegments } from '../../shared/ledger/ledger.ts'
import type { Entry } from '../../shared/ledger/segment.ts'
import { type Verification, verifyLedger } from '../../shared/ledger/verify.ts'
import type { EventQueues } from '../../shared/queue/queue.ts'

// What tests want to know of an archive and its queues, whichever adapters they are.

/** Every event in a queue, taken off it. */
export async function takeEvents(queues: EventQueues, queue = 'default'): Promise<Event[]> {
  const events: Event[] = []
  while (true) {
    const received = await queues.receive(queue, { waitSeconds: 0, visibilitySeconds: 30 })
    if (received.length === 0) return events
    events.push(...received.map(({ body }) => JSON.parse(body) as Event))
    await Promise.all(received.map((event) => event.remove()))
  }
}

export async function ledgerEntries(mailbox: MailboxId, archive: Archive): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const segment of readSegments(mailbox, archive)) entries.push(...segment.entries)
  return entries
}

/** The stored octets of a message. Rejects when it is not in the archive. */
export async function archivedOctets(mailbox: MailboxId, digest: Sha256, archive: Archive): Promise<Buffer> {
  const { body } = await archive.get(rawKey(mailbox, digest))
  return Buffer.concat(await body.toArray())
}

/** Nothing is wrong, and no object is left that the ledger does not name. */
export async function assertLedgerVerifies(mailbox: MailboxId, archive: Archive): Promise<Verification> {
  const verification = await verifyLedger(mailbox, archive)
  const { problems, unrecorded } = verification
  assert.deepEqual({ problems, unrecorded }, { problems: [], unrecorded: [] })
  return verification
}

export function digestOf(octets: Buffer | string): Sha256 {
  return createHash('sha256').update(octets).digest('hex') as Sha256
}
