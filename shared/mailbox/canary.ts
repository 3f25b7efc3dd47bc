import type { Sha256 } from '../contract/ids.ts'
import type { MailboxAccess } from './mailbox.ts'

// The canary port: putting a message of our own into a folder, as another client would, and taking it away again (IMAP alone).

/** The header field by which a canary is known, to whoever removes it and to consumers of its event. */
export const CANARY_FIELD = 'Mailsluice-Canary'

/**
 * One signed-in connection. One call at a time. Every method rejects with an IngestError of scope `session` or `mailbox`; the connection is
 * useless afterwards. Whoever opened it closes it.
 */
export interface CanaryBox {
  /** APPEND. Resolves to the digest of the octets as the server gives them back, for some servers change them. */
  append(folder: string, octets: Buffer): Promise<Sha256>
  /** Removes every canary from the folder, also those that an earlier relay left; nothing else. */
  remove(folder: string): Promise<void>
  /** LOGOUT. Never rejects. */
  close(): Promise<void>
}

/** Connects and signs in; rejects as OpenMailbox does. */
export type OpenCanary = (access: MailboxAccess) => Promise<CanaryBox>
