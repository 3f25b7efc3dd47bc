import assert from 'node:assert/strict'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { openMemoryArchive } from '../../shared/archive/memory.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import type { Entry } from '../../shared/ledger/segment.ts'
import { connectConfined, openDuckDbSearch } from '../../shared/search/duckdb.ts'
import { copyLedgers } from '../../shared/search/ledger-files.ts'
import {
  archiveOf as archiveOfMessages,
  expected,
  found,
  MAILBOXES,
  messages,
  newFolder as newSearchFolder,
  queries,
} from '../support/searched-archive.ts'
import { digestOf, draftOf, messageEntry } from '../support/segments.ts'

const folders: string[] = []
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

function newFolder(): string {
  const folder = newSearchFolder()
  folders.push(folder)
  return folder
}

const archiveOf = (entries: Parameters<typeof archiveOfMessages>[0]) =>
  archiveOfMessages(entries, newFolder())

describe('what a search runs in', () => {
  test('reads below its folder, and nothing else: no file beside it, no file to be written, no extension', async () => {
    const folder = newFolder()
    const inside = join(folder, 'ledger')
    mkdirSync(inside)
    writeFileSync(join(inside, 'a.txt'), 'inside')
    writeFileSync(join(folder, 'b.txt'), 'outside')
    const { connection, close } = await connectConfined(inside)
    try {
      const text = async (path: string): Promise<unknown> =>
        (await connection.runAndReadAll('SELECT content FROM read_text($1)', [path])).getRows()
      assert.deepEqual(await text(join(inside, 'a.txt')), [['inside']])
      for (const path of [join(folder, 'b.txt'), join(inside, '..', 'b.txt'), '/etc/passwd'])
        await assert.rejects(text(path), /Permission Error/)
      await assert.rejects(
        connection.run(`COPY (SELECT 1) TO '${join(folder, 'c.csv').replaceAll("'", "''")}'`),
        /Permission Error/,
      )
      assert.equal(existsSync(join(folder, 'c.csv')), false)
      await assert.rejects(connection.run('INSTALL httpfs'), /Permission Error/)
      for (const setting of [
        'enable_external_access = true',
        "allowed_directories = ['/']",
        'lock_configuration = false',
      ])
        await assert.rejects(connection.run(`SET ${setting}`), /locked|Cannot change/i)
    } finally {
      close()
    }
  })
})

describe('a search by DuckDB', () => {
  test('finds what a query means, and leaves open what entries do not tell, just as matcherOf', async () => {
    await fc.assert(
      fc.asyncProperty(messages, queries, async (entries, asked) => {
        const { folder, archive } = await archiveOf(entries)
        const search = await openDuckDbSearch(folder)
        try {
          for (const query of asked)
            assert.deepEqual(
              await found(search, query),
              await expected(query, archive),
              JSON.stringify(query),
            )
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

  test('is not disturbed by what else a ledger says, where fields of one name have several types', async () => {
    const { folder, archive } = await archiveOf([{ to: ['a@x.example'] }])
    const ledger = await openLedger('invoices' as MailboxId, { archive, state: undefined })
    const others: Entry[] = [
      { type: 'reset', folder: 'INBOX', from: '1', to: '2' },
      {
        type: 'failed',
        folder: 'INBOX',
        epoch: '2',
        id: 'x',
        code: 'TIMED_OUT',
        reason: 'slow',
        attempts: 1,
      },
      { type: 'filtered', folder: 'INBOX', epoch: '2', search: 'x', ids: '1:3' },
      { type: 'acknowledge', folder: 'INBOX', epoch: '2', action: { flag: 'Seen' }, ids: ['a', 'b'] },
    ]
    await ledger.commit(draftOf(others), undefined)
    const search = await openDuckDbSearch(folder)

    assert.equal((await found(search, { to: ['a@*'] })).length, 1)
    search.close()
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
