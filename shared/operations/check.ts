import type { Archive, ArchiveFacts } from '../archive/archive.ts'
import type { MailboxConfig } from '../contract/config.ts'
import type { Expiry, Login } from '../credentials/credentials.ts'
import { IngestError } from '../errors.ts'
import type { FolderStatus, MailboxSession, ServerFacts } from '../mailbox/mailbox.ts'
import type { EventQueues, QueueFacts } from '../queue/queue.ts'
import { authorityEnd, type ExpiryNotice, expiryNotices } from './expiry.ts'

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

export interface MailboxToCheck {
  open(): Promise<MailboxSession>
  /** What it signs in with, and what it trusts. */
  login: Pick<Login, 'expiries'>
  readonly authority: string | undefined
}

/** Signs in, asks for the status of each folder, signs out. */
export async function checkMailbox(
  mailbox: MailboxConfig,
  { open, login, authority }: MailboxToCheck,
): Promise<CheckedMailbox> {
  const expiring = expiryNotices([...(await expiriesOf(login)), ...authorityExpiry(authority)], new Date())
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

/** A secret that cannot be read is told by the log-in. */
async function expiriesOf(login: MailboxToCheck['login']): Promise<readonly Expiry[]> {
  try {
    return await login.expiries()
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    return []
  }
}

function authorityExpiry(pem: string | undefined): { what: 'private CA'; at: Date }[] {
  const at = pem === undefined ? undefined : authorityEnd(pem)
  return at ? [{ what: 'private CA', at }] : []
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
