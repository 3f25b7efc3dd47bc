import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { openFileArchive } from '../../shared/archive/file.ts'
import { openMemoryArchive } from '../../shared/archive/memory.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import type { Entry, MessageEntry } from '../../shared/ledger/segment.ts'
import { archivedMessages, type MessageQuery, matcherOf } from '../../shared/operations/query.ts'
import { openDuckDbSearch } from '../../shared/search/duckdb.ts'
import { copyLedgers } from '../../shared/search/ledger-files.ts'
import type { LedgerSearch } from '../../shared/search/search.ts'
import { digestOf, draftOf, messageEntry } from '../support/segments.ts'

const MAILBOXES = ['invoices', 'orders'] as MailboxId[]
const folders: string[] = []
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

function newFolder(): string {
  // Its name has what SQL quotes with.
  const folder = mkdtempSync(join(tmpdir(), "mailsluice-sea'rch-"))
  folders.push(folder)
  return folder
}

/** An archive with these messages, half of them in each mailbox, and a search over it. */
async function archiveOf(entries: readonly Partial<MessageEntry>[]) {
  const folder = newFolder()
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

async function found(search: LedgerSearch, query: MessageQuery): Promise<string[]> {
  const hits: string[] = []
  for await (const { mailbox, entry, certain } of search.find(query))
    hits.push(`${mailbox} ${entry.sha256} ${certain ? 'yes' : 'unknown'}`)
  return hits.sort()
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

const entries = fc.array(
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
const queries = fc.array(
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

describe('a search by DuckDB', () => {
  test('finds what a query means, and leaves open what entries do not tell, just as matcherOf', async () => {
    await fc.assert(
      fc.asyncProperty(entries, queries, async (messages, asked) => {
        const { folder, archive } = await archiveOf(messages)
        const all = []
        for (const mailbox of MAILBOXES)
          for await (const each of archivedMessages(mailbox, archive)) all.push(each)
        const search = await openDuckDbSearch(folder)
        try {
          for (const query of asked) {
            const matches = matcherOf(query)
            const expected: string[] = all.flatMap((each) => {
              const match = matches(each)
              return match === 'no' ? [] : [`${each.mailbox} ${each.entry.sha256} ${match}`]
            })
            assert.deepEqual(await found(search, query), expected.sort(), JSON.stringify(query))
          }
        } finally {
          search.close()
        }
      }),
      { numRuns: 25 },
    )
  })

  test('returns entries as the ledger has them, the newest first', async () => {
    const entry = {
      from: 'a@x.example',
      to: ['b@x.example'],
      subject: 'Grüße',
      date: '2026-03-03T09:03:00+01:00',
      attachments: ['Rechnung.pdf'],
      octets: 12,
    }
    const { folder, archive } = await archiveOf([entry, { epoch: 'uidl', id: '0017' }])
    const ledger = await openLedger('invoices' as MailboxId, { archive, state: undefined })
    await ledger.commit(
      draftOf([messageEntry('later', { id: 9 })], { closedAt: new Date('2026-02-01T00:00:00Z') }),
      undefined,
    )
    const search = await openDuckDbSearch(folder)
    const hits = await Array.fromAsync(search.find({}))
    search.close()

    const of = (mailbox: string, words: string, id: number | string) => ({
      mailbox,
      sha256: digestOf(words),
      id,
    })
    assert.deepEqual(
      hits.map(({ mailbox, entry: { sha256, id } }) => ({ mailbox, sha256, id })),
      [of('invoices', 'later', 9), of('invoices', 'invoices 0', 1), of('orders', 'orders 0', '0017')],
    )
    assert.deepEqual(hits[1], {
      mailbox: 'invoices',
      seq: 1,
      archivedAt: '2026-01-01T00:00:10.000Z',
      certain: true,
      entry: messageEntry('invoices 0', { id: 1, ...entry }),
    })
  })

  test('does not find what was deleted from the archive', async () => {
    const { folder, archive } = await archiveOf([{ subject: 'a' }, { subject: 'a' }])
    const ledger = await openLedger('orders' as MailboxId, { archive, state: undefined })
    const deleted = {
      type: 'deleted' as const,
      sha256: digestOf('orders 0'),
      octets: 8,
      ground: 'law' as const,
      by: 'the officer',
      reason: 'erasure',
    }
    await ledger.commit(draftOf([deleted as unknown as Entry]), undefined)
    const search = await openDuckDbSearch(folder)

    assert.deepEqual(
      (await found(search, {})).map((hit) => hit.split(' ')[0]),
      ['invoices'],
    )
    search.close()
  })

  test('whatever is asked for, nothing but ledgers is read', async () => {
    const { folder } = await archiveOf([{ subject: "x'; DROP TABLE lines; --" }])
    const search = await openDuckDbSearch(folder)
    const outside = newFolder()
    mkdirSync(join(outside, 'ledger', 'x'), { recursive: true })
    writeFileSync(join(outside, 'secret.ndjson'), '{"type":"segment"}\n')
    for (const attack of [
      "x'; DROP TABLE lines; --",
      `' OR 1=1 --`,
      `%' UNION SELECT * FROM read_text('${outside}/secret.ndjson') --`,
      '$1',
      '"; ATTACH',
    ]) {
      const hits = await found(search, { subject: ['x'], from: [attack] })
      assert.equal(hits.length, 0, attack)
      assert.equal(
        (await found(search, { subject: [attack] })).length,
        attack.startsWith('x') ? 1 : 0,
        attack,
      )
    }
    search.close()
  })

  test('an archive without ledgers has nothing; one that is no JSON is named', async () => {
    const folder = newFolder()
    const search = await openDuckDbSearch(folder)
    assert.deepEqual(await found(search, {}), [])
    mkdirSync(join(folder, 'ledger', 'orders'), { recursive: true })
    writeFileSync(join(folder, 'ledger', 'orders', '0000000001.ndjson'), '{"type":"segment"\n')
    await assert.rejects(found(search, {}), { code: 'SEARCH_FAILED' })
    search.close()
  })

  test('ledgers of a bucket are copied once, segment by segment', async () => {
    const archive = openMemoryArchive()
    const ledger = await openLedger('orders' as MailboxId, { archive, state: undefined })
    const folder = newFolder()
    const copies: number[] = []
    for (const words of ['a', 'b', 'c']) {
      await ledger.commit(draftOf([messageEntry(words, { id: ledger.nextSeq })]), undefined)
      let copied = 0
      await copyLedgers(MAILBOXES, archive, folder, () => copied++)
      copies.push(copied)
    }
    const search = await openDuckDbSearch(folder)

    assert.deepEqual(copies, [1, 1, 1])
    assert.equal((await found(search, {})).length, 3)
    search.close()
  })
})
