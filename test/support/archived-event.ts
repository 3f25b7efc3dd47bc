import assert from 'node:assert/strict'
import { archivedEvent, encodeEvent } from '../../shared/announcement.ts'
import { type ArchivedData, eventSchema } from '../../shared/contract/event.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { QUEUE } from '../../shared/limits.ts'
import type { ParsedMessage } from '../../shared/mail/parsed-message.ts'

const MAILBOX = 'invoices' as MailboxId

/** What a consumer gets of a message; asserts that it is a valid event, in ASCII, and within the bound. */
export function archivedData(parsed: ParsedMessage): ArchivedData {
  const raw = { uri: 'file:///a', key: 'raw/a', sha256: 'a'.repeat(64), octets: 1 }
  const server = { id: MAILBOX, protocol: 'imap', folder: 'INBOX', uid: 1, uidValidity: '1' } as const
  const encoded = encodeEvent(archivedEvent({ mailbox: MAILBOX, time: new Date(0), raw, server, parsed }))

  assert.ok(encoded.length <= QUEUE.eventOctets, `${encoded.length} octets`)
  assert.match(encoded, /^[\x20-\x7e]*$/)
  const event = eventSchema.parse(JSON.parse(encoded))
  assert.ok(event.type === 'mailsluice.message.archived.v1')
  return event.data
}
