import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import type { Archive } from '../../shared/archive/archive.ts'
import { openFileArchive } from '../../shared/archive/file.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import type { Entry, MessageEntry } from '../../shared/ledger/segment.ts'
import { archivedMessages } from '../../shared/query/archived-messages.ts'
import { matcherOf } from '../../shared/query/matcher.ts'
import type { MessageQuery } from '../../shared/query/query.ts'
import type { LedgerSearch } from '../../shared/search/search.ts'
import { digestOf, draftOf, messageEntry } from './segments.ts'

// What every engine of a search is compared with: archives and queries of all kinds, and what matcherOf makes of them.

export const MAILBOXES = ['invoices', 'orders'] as MailboxId[]

/** A new folder, whose name has what SQL quotes with. */
export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), "mailsluice-sea'rch-"))
}

/** An archive with these messages, half of them in each mailbox, and a search over it. */
export async function archiveOf(entries: readonly Partial<MessageEntry>[], folder: string = newFolder()) {
  const archive = openFileArchive(folder)
  for (const [half, mailbox] of MAILBOXES.entries()) {
    const ledger = await openLedger(mailbox, { archive, state: undefined })
    const own = entries.filter((_, index) => index % 2 === half)
    if (own.length === 0) continue
    const lines: Entry[] = own.map((entry, n) => messageEntry(`${mailbox} ${n}`, { id: n + 1, ...entry }))
    lines.push(messageEntry(`${mailbox} 0`, { id: 1000, outcome: 'duplicate' }))
    lines.push({ type: 'gone', folder: 'INBOX', epoch: '1', id: 1001 })
    await ledger.commit(draftOf(lines), undefined)
  }
  return { folder, archive }
}

/** What a search finds, as lines to compare. */
export async function found(search: LedgerSearch, query: MessageQuery): Promise<string[]> {
  const hits: string[] = []
  for await (const { mailbox, entry, certain } of search.find(query))
    hits.push(`${mailbox} ${entry.sha256} ${certain ? 'yes' : 'unknown'}`)
  return hits.sort()
}

/** What it has to find. */
export async function expected(query: MessageQuery, archive: Archive): Promise<string[]> {
  const matches = matcherOf(query)
  const lines: string[] = []
  for (const mailbox of MAILBOXES)
    for await (const each of archivedMessages(mailbox, archive)) {
      const match = matches(each)
      if (match !== 'no') lines.push(`${each.mailbox} ${each.entry.sha256} ${match}`)
    }
  return lines.sort()
}

const text = fc.constantFrom(
  '',
  'a',
  'Ä',
  'a\u0308',
  'ß',
  'é',
  'x%y',
  '50_1',
  '\\',
  "'",
  '"',
  '*',
  'Rechnung 7',
  '李',
  '😀b',
)
const address = fc.constantFrom('anna@example.com', 'Ånna@EXAMPLE.com', "o'hara@x.example", 'a%b@x_y.example')
const glob = fc.oneof(
  address,
  text.filter((each) => each !== ''),
  fc.constantFrom('*', '?', '*@example.com', '*ä*', '?nna@*', '%', '_', '*\\*', "*'*", '*%*', '*_1'),
)
const time = fc.constantFrom(
  '2026-01-01',
  '2026-03-03T09:03:00+01:00',
  '2026-03-03T08:03:00Z',
  '2025-12-31T23:59:59-05:00',
)
const when = fc.oneof(time, fc.constantFrom('yesterday', ''))
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

/** Without what is undefined, as JSON has it. */
const defined = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T

export const messages = fc.array(
  fc
    .record({
      from: optional(address),
      to: optional(fc.array(address, { maxLength: 3 })),
      toCut: optional(fc.constant(true as const)),
      subject: optional(text),
      date: optional(when),
      internalDate: optional(time),
      receivedAt: optional(when),
      attachments: optional(fc.array(text, { maxLength: 2 })),
      attachmentsCut: optional(fc.constant(true as const)),
      messageId: optional(text),
      class: optional(fc.constantFrom('ordinary', 'bounce')),
    })
    .map(defined),
  { minLength: 1, maxLength: 12 },
)
const some = <T>(value: fc.Arbitrary<T>) => optional(fc.array(value, { minLength: 1, maxLength: 2 }))
export const queries = fc.array(
  fc
    .record({
      mailboxes: some(fc.constantFrom('invoices', 'orders', 'other')),
      address: some(glob),
      from: some(glob),
      to: some(glob),
      since: optional(time),
      before: optional(time),
      archivedSince: optional(time),
      archivedBefore: optional(time),
      subject: some(glob),
      class: some(fc.constantFrom('ordinary' as const, 'bounce' as const, 'list' as const)),
      messageId: some(text.filter((each) => each !== '')),
      ids: some(fc.constantFrom(digestOf('invoices 0'), `orders/${digestOf('orders 1')}`)),
      attachment: some(glob),
    })
    .map((query) => {
      // Two or three fields at a time, or nothing would ever be found.
      const kept = Object.entries(defined(query)).slice(0, 3)
      return Object.fromEntries(kept) as MessageQuery
    }),
  { minLength: 4, maxLength: 12 },
)
