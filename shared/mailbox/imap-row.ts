import type { FetchMessageObject, FetchQueryObject } from 'imapflow'
import type { ServerMetadata } from './mailbox.ts'

/** What is asked for besides the octets; imapflow leaves out what the server does not have, and always uses BODY.PEEK. */
export const METADATA_QUERY: FetchQueryObject = {
  uid: true,
  size: true,
  flags: true,
  internalDate: true,
  labels: true,
  threadId: true,
}

/** `gmail`: the ids in the row are Gmail's own (X-GM-THRID), not those of RFC 8474. */
export function metadataOf(row: FetchMessageObject, gmail: boolean): ServerMetadata {
  const internalDate = isoDate(row.internalDate)
  return {
    ...(internalDate === undefined ? {} : { internalDate }),
    ...(row.flags === undefined ? {} : { flags: [...row.flags].sort() }),
    ...(row.labels === undefined ? {} : { gmailLabels: [...row.labels].sort() }),
    ...(row.threadId ? (gmail ? { gmailThreadId: row.threadId } : { threadId: row.threadId }) : {}),
    ...(row.emailId && !gmail ? { emailId: row.emailId } : {}),
  }
}

/** Undefined for a date that the server wrote wrong: imapflow hands it on as text then. */
function isoDate(date: Date | string | undefined): string | undefined {
  if (date === undefined) return undefined
  const time = new Date(date)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString()
}
