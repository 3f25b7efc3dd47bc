import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { MailboxAccess } from '../../shared/mailbox/mailbox.ts'

/** What fetch-inbox.ts reads from its first argument, as JSON. */
export interface Request {
  readonly protocol: 'imap' | 'pop3'
  readonly access: Omit<MailboxAccess, 'password' | 'transcript'>
  readonly password: string
  /** What the receiver takes for each message. */
  readonly pauseMs: number
}

export interface FetchedAlone {
  readonly messages: readonly {
    readonly length: number
    readonly sha256: string
    readonly spooled: boolean
    /** Of what the octets give back when they are opened. */
    readonly readSha256: string
  }[]
  readonly maxRssMib: number
}

const PROGRAM = fileURLToPath(new URL('./fetch-inbox.ts', import.meta.url))

/** Fetches INBOX in a process that does nothing else, so that its memory is that of a fetch. Without a search. */
export async function fetchAlone(
  protocol: Request['protocol'],
  access: MailboxAccess,
  pauseMs = 0,
): Promise<FetchedAlone> {
  const request: Request = { protocol, access, password: await access.password(), pauseMs }
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, JSON.stringify(request)])
  return JSON.parse(stdout) as FetchedAlone
}
