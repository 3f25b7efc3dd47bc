import type { IngestError } from '../errors.ts'
import type { FolderStatus, MailboxAccess, ServerFacts } from './mailbox.ts'

// The watch port: what the relay needs of an IMAP server. It tells that something has arrived, and fetches nothing.

/** What a watch says while nothing is asked of it. */
export interface WatchListener {
  /** EXISTS or EXPUNGE: so many messages are in the selected folder now. */
  counted(messages: number): void
  /** Something else that shows that the server is there. */
  heard(): void
  /** The server has ended IDLE, or refused it: `canIdle` of the watch says which. */
  idleEnded(): void
  /** The connection is gone. Said once, and not after `close` or `abort`. */
  lost(error: IngestError): void
}

/**
 * One signed-in connection that watches one folder. One call at a time. Every method rejects with an IngestError of scope `session` or
 * `mailbox`; the watch is useless afterwards. Whoever opened it closes it.
 */
export interface Watch {
  readonly server: ServerFacts
  /** The server may end the session after this, whatever happens in it; undefined where it does not. */
  readonly sessionMs: number | undefined
  /** Whether the server offers IDLE (RFC 2177), and has not refused it since. */
  readonly canIdle: boolean
  /** The folders to watch, as `MailboxSession.folders`; asked for before the first `select`. */
  folders(): Promise<readonly string[]>
  /** Selects the folder, anew if it is selected: what the server says then is what is there. */
  select(folder: string): Promise<FolderStatus>
  /** STATUS of another folder than the selected one. */
  status(folder: string): Promise<FolderStatus>
  /** Begins IDLE. The next call ends it first. */
  idle(): void
  /** NOOP: resolves when the server has answered, which it must within a deadline. */
  prove(): Promise<void>
  /** LOGOUT. Never rejects; closing twice is harmless. */
  close(): Promise<void>
  /** Drops the connection at once. Never throws. */
  abort(): void
}

/** Connects and signs in; rejects as OpenMailbox does. */
export type OpenWatch = (access: MailboxAccess, listener: WatchListener) => Promise<Watch>
