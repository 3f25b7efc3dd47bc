import type {
  Fetched,
  FetchOptions,
  Listing,
  MailboxAccess,
  MailboxSession,
  OpenMailbox,
} from '../../shared/mailbox/mailbox.ts'
import { openSpool } from '../../shared/octets.ts'
import type { ServedMessage } from './imap-server.ts'

/** Access in clear to a server on this machine; INBOX. */
export function accessTo(
  server: { readonly port: number; readonly user?: string; readonly password?: string },
  changes: Partial<MailboxAccess> = {},
): MailboxAccess {
  const { user = 'testuser', password = 'testpass' } = server
  return {
    host: '127.0.0.1',
    port: server.port,
    tls: 'none',
    ca: undefined,
    user,
    password: async () => password,
    folders: ['INBOX'],
    search: undefined,
    ...changes,
  }
}

/** Opens, uses and closes a session, whatever happens. */
export async function withSession(
  open: OpenMailbox,
  access: MailboxAccess,
  use: (session: MailboxSession) => Promise<void>,
): Promise<void> {
  const session = await open(access)
  try {
    await use(session)
  } finally {
    await session.close()
  }
}

/** Fetches the ids of a listing, or of `of`. The octets are discarded unless a spool is given, which the caller closes. */
export async function collect(
  session: MailboxSession,
  listing: Listing,
  { of = listing, ...changes }: Partial<FetchOptions> & { readonly of?: Listing } = {},
): Promise<(Fetched & { readonly error?: Extract<Fetched, { octets: undefined }>['error'] })[]> {
  const spool = changes.spool ?? openSpool()
  const own = spool !== changes.spool
  const options = { maxOctets: 100 * 1024 * 1024, keepGoing: () => true, ...changes, spool }
  const messages: Fetched[] = []
  try {
    for await (const message of session.fetch(of, listing.ids, options)) {
      messages.push(message)
      if (own) await message.octets?.discard()
    }
  } finally {
    if (own) await spool.close()
  }
  return messages
}

export function mail(number: number): ServedMessage {
  return { raw: `From: a${number}@example.net\r\nSubject: message ${number}\r\n\r\nText of ${number}.\r\n` }
}
