import type { Uid } from '../contract/ids.ts'
import { CAUSED_BY_A_MESSAGE, IngestError } from '../errors.ts'
import type { ImapConnection } from './imap-connection.ts'
import type { Fetched } from './mailbox.ts'

// What can be wrong with one message.

export function tooLarge({ where }: ImapConnection, id: Uid, octets: number, maxOctets: number): IngestError {
  return new IngestError(
    'MESSAGE_TOO_LARGE',
    `${where}: UID ${id} has ${octets} octets, the limit is ${maxOctets}`,
  )
}

export function unfetchable({ where }: ImapConnection, id: Uid, why: string): IngestError {
  return new IngestError('MESSAGE_UNFETCHABLE', `${where}: UID ${id}: ${why}`)
}

export function gone({ where }: ImapConnection, id: Uid): IngestError {
  return new IngestError('MESSAGE_GONE', `${where}: UID ${id} is no longer on the server`)
}

/**
 * What an error that came while a message was awaited says about that message; undefined when nothing. Servers exist that drop
 * the connection over one broken message: naming the message at which it broke lets it be quarantined after some drains, where
 * it would block every message behind it for ever. The error of the session has to be thrown all the same.
 */
export function failureOf(connection: ImapConnection, id: Uid, error: unknown): IngestError | undefined {
  if (!(error instanceof IngestError)) return undefined
  if (error.scope === 'message') return error
  if (!CAUSED_BY_A_MESSAGE.has(error.code)) return undefined
  return new IngestError('MESSAGE_UNFETCHABLE', `${connection.where}: UID ${id}: the session broke at it`, {
    cause: error,
  })
}

/** The message, and why it was not fetched. */
export function failed(id: Uid, error: IngestError, announcedOctets: number | undefined): Fetched {
  return { id, octets: undefined, error, announcedOctets }
}
