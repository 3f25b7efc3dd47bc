import type { FetchMessageObject, FetchQueryObject, ImapFlow } from 'imapflow'
import { type FetchRow, type Item, stringsOf } from './imap-fetch-row.ts'
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

type Facts = Pick<FetchMessageObject, 'internalDate' | 'flags' | 'labels' | 'threadId' | 'emailId'>

/** `gmail`: the ids in the row are Gmail's own (X-GM-THRID), not those of RFC 8474. */
export function metadataOf(row: Facts, client: ImapFlow): ServerMetadata {
  const gmail = idExtension(client) === 'X-GM-EXT-1'
  const internalDate = isoDate(row.internalDate)
  return {
    ...(internalDate === undefined ? {} : { internalDate }),
    ...(row.flags === undefined ? {} : { flags: [...row.flags].sort() }),
    ...(row.labels === undefined ? {} : { gmailLabels: [...row.labels].sort() }),
    ...(row.threadId ? (gmail ? { gmailThreadId: row.threadId } : { threadId: row.threadId }) : {}),
    ...(row.emailId && !gmail ? { emailId: row.emailId } : {}),
  }
}

/** By which the server tells ids that last: RFC 8474 where it has both. */
function idExtension({ capabilities }: ImapFlow): 'OBJECTID' | 'X-GM-EXT-1' | undefined {
  if (capabilities.has('OBJECTID')) return 'OBJECTID'
  return capabilities.has('X-GM-EXT-1') ? 'X-GM-EXT-1' : undefined
}

const ID_ITEMS = { OBJECTID: ' EMAILID THREADID', 'X-GM-EXT-1': ' X-GM-THRID X-GM-LABELS' } as const

/** The same and the octets as data items of a FETCH of our own. */
export function messageItems(client: ImapFlow): string {
  const extension = idExtension(client)
  return `(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[]${extension ? ID_ITEMS[extension] : ''})`
}

/** Labels are in UTF-8 where UTF8=ACCEPT is enabled, else in modified UTF-7. */
export function rowMetadata({ items }: FetchRow, client: ImapFlow): ServerMetadata {
  const utf8 = client.enabled.has('UTF8=ACCEPT')
  const labels = items.has('X-GM-LABELS') ? stringsOf(items.get('X-GM-LABELS')) : undefined
  return metadataOf(
    {
      ...(items.has('FLAGS') ? { flags: new Set(stringsOf(items.get('FLAGS'))) } : {}),
      ...(labels ? { labels: new Set(utf8 ? labels : labels.map(fromModifiedUtf7)) } : {}),
      ...optional('internalDate', textOf(items.get('INTERNALDATE'))),
      ...optional('threadId', textOf(items.get('X-GM-THRID')) ?? stringsOf(items.get('THREADID'))[0]),
      ...optional('emailId', stringsOf(items.get('EMAILID'))[0]),
    },
    client,
  )
}

/** RFC822.SIZE; undefined without one. */
export function sizeIn({ items }: FetchRow): number | undefined {
  const size = textOf(items.get('RFC822.SIZE'))
  return size !== undefined && /^\d{1,15}$/.test(size) ? Number(size) : undefined
}

/** Undefined for a date that the server wrote wrong: imapflow hands it on as text then. */
function isoDate(date: Date | string | undefined): string | undefined {
  if (date === undefined) return undefined
  const time = new Date(date)
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString()
}

/** Names of folders and labels (RFC 3501, 5.1.3): base64 of UTF-16 between `&` and `-`. */
function fromModifiedUtf7(name: string): string {
  return name.replace(/&([A-Za-z0-9+,]*)-/g, (_, encoded: string) => {
    if (encoded === '') return '&'
    const octets = Buffer.from(encoded.replaceAll(',', '/'), 'base64')
    return octets
      .subarray(0, octets.length & ~1)
      .swap16()
      .toString('utf16le')
  })
}

function textOf(item: Item | undefined): string | undefined {
  return typeof item === 'string' ? item : undefined
}

function optional<Name extends string>(name: Name, value: string | undefined): { [N in Name]?: string } {
  return (value === undefined ? {} : { [name]: value }) as { [N in Name]?: string }
}
