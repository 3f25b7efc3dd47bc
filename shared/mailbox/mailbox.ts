import type { Epoch, Uid, Uidl } from '../contract/ids.ts'
import type { IngestError } from '../errors.ts'
import type { Octets, Spool } from '../octets.ts'

// The mailbox port: what a drain needs of POP3 and IMAP, in the words both have.

/** A server's id of a message within a folder and an epoch: a number for IMAP (UID), a string for POP3 (UIDL). */
export type ServerId = Uid | Uidl

/** Begins an id that means nothing after its session: see `isSessionId`. */
export const SESSION_ID_PREFIX = 'session-'

/**
 * Whether the server gave the message no id that could be recognised later (a maildrop without UIDL and TOP, or with ambiguous ones).
 * It is fetched by every drain, and known by its octets.
 */
export function isSessionId(id: ServerId): boolean {
  return typeof id === 'string' && id.startsWith(SESSION_ID_PREFIX)
}

/** What is done on the server with a message that is archived, announced and recorded. */
export type Acknowledgement =
  | { readonly kind: 'seen' }
  | { readonly kind: 'flag'; readonly keyword: string }
  | { readonly kind: 'move'; readonly folder: string }
  | { readonly kind: 'delete' }

/**
 * What came of it. `marked-deleted`: \Deleted was set and the server offers no way to expunge only these messages (UIDPLUS).
 */
export type AcknowledgementEffect = 'seen' | 'flagged' | 'moved' | 'deleted' | 'marked-deleted'

/** Who we talk to, for the audit trail and `check`. */
export interface ServerFacts {
  readonly host: string
  readonly port: number
  /** `TLSv1.3` …, or `none` (loopback only). */
  readonly tls: string
  /** SHA-256 fingerprint of the server's certificate, lower-case hex; undefined without TLS. */
  readonly certificateSha256: string | undefined
  readonly capabilities: readonly string[]
}

/** The messages of a folder as the server lists them now. */
export interface Listing {
  readonly folder: string
  readonly epoch: Epoch
  /** Every id on the server: UIDs ascending, UIDLs in maildrop order. */
  readonly ids: readonly ServerId[]
  /** The ids that the mailbox's `search` selects; undefined when there is no search. A subset of `ids`. */
  readonly selected: readonly ServerId[] | undefined
  /** IMAP's UIDNEXT when the folder was opened. */
  readonly uidNext: number | undefined
}

/** What a probe learns without listing the messages. */
export interface FolderStatus {
  readonly folder: string
  readonly epoch: Epoch
  readonly messages: number
  /** IMAP: UIDNEXT. */
  readonly uidNext: number | undefined
  /** POP3: every id, for there is nothing cheaper that tells whether something is new. */
  readonly ids: readonly ServerId[] | undefined
}

/** Search on the server (IMAP only); all conditions must hold. Dates are `YYYY-MM-DD` and compare with INTERNALDATE. */
export interface Search {
  readonly since?: string | undefined
  readonly before?: string | undefined
  /** A substring of the From field, as IMAP SEARCH has it; `*` at either end is dropped. */
  readonly from?: string | undefined
  readonly subject?: string | undefined
}

/** What the server knows of a message besides its octets. */
export interface ServerMetadata {
  /** INTERNALDATE, ISO 8601 in UTC. */
  readonly internalDate?: string | undefined
  readonly flags?: readonly string[] | undefined
  readonly gmailLabels?: readonly string[] | undefined
  readonly gmailThreadId?: string | undefined
  /** RFC 8474. */
  readonly emailId?: string | undefined
  readonly threadId?: string | undefined
}

/** One fetched message, or why it could not be fetched. The receiver discards `octets`. */
export type Fetched =
  | {
      readonly id: ServerId
      readonly octets: Octets
      readonly metadata: ServerMetadata
      /** The size that the server had announced, when it differs from what it then sent, twice. */
      readonly announcedOctets: number | undefined
    }
  | {
      readonly id: ServerId
      readonly octets: undefined
      /** Of scope `message`. */
      readonly error: IngestError
      /** The size that the server announced, if it did. */
      readonly announcedOctets: number | undefined
    }

export interface FetchOptions {
  /** A message announced or turning out larger than this is not fetched, or not to its end: MESSAGE_TOO_LARGE. */
  readonly maxOctets: number
  readonly spool: Spool
  /**
   * Asked before each request is sent; when it answers false nothing more is asked for, and the iteration ends after
   * what was asked for has been yielded. Ids not reached are simply not yielded.
   */
  keepGoing(): boolean
}

/**
 * One signed-in session with a mail store. One caller, one call at a time: no other method while a `fetch` iteration runs.
 * Every method rejects with an IngestError of scope `session` or `mailbox`; the session is useless afterwards.
 */
export interface MailboxSession {
  /** `import`: files (mailbox/import.ts). */
  readonly protocol: 'imap' | 'pop3' | 'import'
  readonly server: ServerFacts
  /**
   * When an acknowledgement has taken effect: when `acknowledge` resolves, or only when `close` does
   * (POP3: deletions are applied by the server's +OK to QUIT, RFC 1939, 6).
   */
  readonly acknowledgedBy: 'acknowledge' | 'close'
  /** The folders to drain, in the server's order. POP3 has one: `INBOX`. FOLDER_MISSING when a folder named without wildcard is absent. */
  folders(): Promise<readonly string[]>
  /** STATUS of each folder (POP3: UIDL); selects nothing. */
  status(): Promise<readonly FolderStatus[]>
  /**
   * Selects the folder and lists it. Changes nothing on the server, flags included, but \Recent, which goes to whoever selects a folder first
   * (and which RFC 9051 no longer has). `lastUidNext`: UIDNEXT of the last listing, if there was one; then fewer round trips are needed, and a
   * wrong one only costs some again.
   */
  list(folder: string, lastUidNext?: number): Promise<Listing>
  /**
   * Fetches messages of a listed folder, in any order, reading ahead as the protocol allows. Never sets \Seen.
   * What concerns one message is yielded, what concerns the session is thrown. Break out of it only to end the session.
   */
  fetch(listing: Listing, ids: readonly ServerId[], options: FetchOptions): AsyncIterable<Fetched>
  /** Of `ids` those still on the server without the acknowledgement's effect (IMAP SEARCH; POP3: all that are listed). */
  outstanding(
    listing: Listing,
    ids: readonly ServerId[],
    action: Acknowledgement,
  ): Promise<readonly ServerId[]>
  /** Tells the server that we are done with these. May have to be said again if the session dies. */
  acknowledge(
    listing: Listing,
    ids: readonly ServerId[],
    action: Acknowledgement,
  ): Promise<AcknowledgementEffect>
  /**
   * Signs out. POP3: QUIT, which applies deletions; rejects when the server does not say +OK. IMAP: LOGOUT, whose answer is not waited for.
   * Closing twice is harmless.
   */
  close(): Promise<void>
  /** Drops the connection at once, without signing out. Never throws. */
  abort(): void
}

/** How to reach and enter a mailbox; the password or access token is fetched when it is needed and not kept. */
export interface MailboxAccess {
  readonly host: string
  readonly port: number
  readonly tls: 'implicit' | 'starttls' | 'none'
  /** PEM of a private CA, instead of the public ones. */
  readonly ca: string | undefined
  readonly user: string
  /** Rejects with CREDENTIAL_MISSING. */
  password(): Promise<string>
  /** OAuth 2.0: asked for in place of the password. */
  readonly accessToken?: (() => Promise<string>) | undefined
  /** When the access token ends, and with it, at some providers, the session. */
  readonly accessTokenEndsAt?: Date | undefined
  /** Globs (`*` and `?`), and uses of folders with their backslash (RFC 6154). Ignored by POP3. */
  readonly folders: readonly string[]
  /** What wildcards in `folders` leave out: globs, and uses of folders with their backslash (RFC 6154). Ignored by POP3. */
  readonly skipFolders?: readonly string[] | undefined
  readonly search: Search | undefined
  /** Receives the protocol conversation, credentials masked: for `--debug`. */
  readonly transcript?: ((line: string) => void) | undefined
  /** When it is aborted the connection is dropped, whether it stands or is being made: CONNECTION_LOST or CONNECTION_FAILED. @default never */
  readonly signal?: AbortSignal | undefined
}

/**
 * Connects and signs in. Rejects with CONNECTION_FAILED, TIMED_OUT, CERTIFICATE_REJECTED, TLS_UNAVAILABLE, and what a refused log-in means
 * (mailbox/refusals.ts).
 */
export type OpenMailbox = (access: MailboxAccess) => Promise<MailboxSession>
