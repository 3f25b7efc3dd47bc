import type { Archive, ArchiveFacts } from '../archive/archive.ts'
import type { MailboxConfig } from '../contract/config.ts'
import { IngestError } from '../errors.ts'
import type { FolderStatus, MailboxSession, ServerFacts } from '../mailbox/mailbox.ts'
import type { EventQueues, QueueFacts } from '../queue/queue.ts'
import { type ExpiryNotice, expiringOf, type Perishable } from './expiry.ts'

// Looks at everything that a drain needs, and changes nothing.

export interface CheckedMailbox {
  readonly mailbox: MailboxConfig
  /** Undefined when it could not be opened: `error` says why. */
  readonly server: ServerFacts | undefined
  readonly folders: readonly FolderStatus[]
  /** What runs out within 30 days, or has done so. */
  readonly expiring: readonly ExpiryNotice[]
  readonly error: IngestError | undefined
}

export interface Checked<Facts> {
  readonly facts: Facts | undefined
  readonly error: IngestError | undefined
}

export interface MailboxToCheck extends Perishable {
  open(): Promise<MailboxSession>
}

/** Signs in, asks for the status of each folder, signs out. */
export async function checkMailbox(
  mailbox: MailboxConfig,
  { open, ...perishable }: MailboxToCheck,
): Promise<CheckedMailbox> {
  const expiring = await expiringOf(perishable, new Date())
  let session: MailboxSession | undefined
  try {
    session = await open()
    const folders = await session.status()
    await session.close()
    return { mailbox, server: session.server, folders, expiring, error: undefined }
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    return { mailbox, server: session?.server, folders: [], expiring, error }
  } finally {
    session?.abort()
  }
}

export function checkArchive(archive: Archive): Promise<Checked<ArchiveFacts>> {
  return checked(() => archive.check())
}

export function checkQueue(queues: EventQueues, name: string): Promise<Checked<QueueFacts>> {
  return checked(() => queues.check(name))
}

async function checked<Facts>(look: () => Promise<Facts>): Promise<Checked<Facts>> {
  try {
    return { facts: await look(), error: undefined }
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    return { facts: undefined, error }
  }
}
