import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { EXAMPLE_QUERY, LEDGER_COLUMNS } from '../../shared/contract/ledger-table.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import type { Entry } from '../../shared/ledger/segment.ts'
import { openAthenaSearch } from '../../shared/search/athena.ts'
import { openDuckDbSearch } from '../../shared/search/duckdb.ts'
import type { LedgerSearch } from '../../shared/search/search.ts'
import { type AthenaServer, startAthenaServer } from '../support/athena-server.ts'
import { archiveOf, expected, found, messages, newFolder, queries } from '../support/searched-archive.ts'
import { draftOf, messageEntry } from '../support/segments.ts'
import { type RunningTrino, startTrino, trinoMissing } from './engines/trino-engine.ts'

// The SQL of a search in AWS, on the engine that Athena is made from: parsed, analyzed and run, with its parameters as Athena gives them. The tables are
// the files of an archive, line by line, in the text of the query: what Athena makes of its table definitions is not seen here.

describe('a search by Athena, run by Trino', { skip: trinoMissing() ?? false }, () => {
  const folder = newFolder()
  let trino: RunningTrino
  let athena: AthenaServer
  let search: LedgerSearch
  /** Of the archive that is searched. */
  let root = folder
  before(async () => {
    Object.assign(process.env, {
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 's',
    })
    trino = startTrino()
    athena = await startAthenaServer({
      looks: 0,
      execute: async ({ sql, parameters }) => {
        try {
          return await trino.execute(withLines(sql, root), parameters)
        } catch (error) {
          return { state: 'FAILED', reason: String(error), type: 1006 }
        }
      },
    })
    search = await openAthenaSearch({
      workgroup: 'mailsluice',
      database: 'mailsluice',
      endpoint: athena.endpoint,
      pollMs: 1,
    })
  })
  after(async () => {
    search?.close()
    await athena?.close()
    await trino?.stop()
    rmSync(folder, { recursive: true })
  })

  test('finds what a query means, and leaves open what entries do not tell, just as matcherOf', async () => {
    await fc.assert(
      fc.asyncProperty(messages, queries, async (entries, asked) => {
        root = newFolder()
        const { archive } = await archiveOf(entries, root)
        try {
          for (const query of asked)
            assert.deepEqual(
              await found(search, query),
              await expected(query, archive),
              JSON.stringify(query),
            )
        } finally {
          rmSync(root, { recursive: true })
        }
      }),
      { numRuns: 6 },
    )
  })

  test('answers with the same messages, in the same order, as DuckDB, whatever else the ledger says', async () => {
    root = folder
    const { archive } = await archiveOf(
      [
        {
          from: "O'Hara <a@x.example>",
          to: ['a@x.example', 'b, c@x.example'],
          subject: 'Grüße "1"',
          toCut: true,
        },
        { epoch: 'uidl', id: '0017', attachments: [] },
        { subject: 'emoji 😀, line\nfeed, \u0001 and \u2028', octets: 12, date: 'yesterday' },
      ],
      root,
    )
    const ledger = await openLedger('invoices' as MailboxId, { archive, state: undefined })
    const others: Entry[] = [
      { type: 'reset', folder: 'INBOX', from: '1', to: '2' },
      { type: 'filtered', folder: 'INBOX', epoch: '2', search: 'x', ids: ['a', 'b'] },
      messageEntry('second', { id: 7 }),
      messageEntry('third', { id: 12 }),
      {
        type: 'deleted',
        sha256: messageEntry('invoices 0').sha256,
        octets: 1,
        ground: 'expired',
        by: 'me',
        reason: 'r',
      },
    ]
    await ledger.commit(draftOf(others, { closedAt: new Date('2026-02-01T00:00:00Z') }), undefined)
    const local = await openDuckDbSearch(root)

    for (const query of [
      {},
      { mailboxes: ['orders'] },
      { subject: ['😀', 'LINE*feed'] },
      { from: ["o'h*"] },
    ]) {
      const [there, here] = [
        await Array.fromAsync(search.find(query)),
        await Array.fromAsync(local.find(query)),
      ]
      assert.deepEqual(there, here, JSON.stringify(query))
      assert.ok(there.length > 0 || 'from' in query)
    }
    assert.deepEqual(
      (await Array.fromAsync(search.find({ mailboxes: ['invoices'] }, 1)))
        .map(({ entry }) => entry.id)
        .slice(0, 2),
      [12, 7],
    )
    local.close()
  })

  test('long values and many ids are put together again by the engine', async () => {
    root = newFolder()
    await archiveOf([{ subject: "it's".repeat(700) }, { subject: 'other' }], root)
    assert.equal((await found(search, { subject: ["it's".repeat(600)] })).length, 1)
    const many = Array.from({ length: 999 }, (_, n) => messageEntry(`none ${n}`).sha256)
    assert.equal((await found(search, { ids: [...many, messageEntry('orders 0').sha256] })).length, 1)
    rmSync(root, { recursive: true })
  })

  test('whatever is asked for is text, and never part of the query', async () => {
    root = newFolder()
    await archiveOf([{ subject: "x'; DROP TABLE lines; --" }, {}], root)
    for (const attack of [
      "x'; DROP TABLE lines; --",
      "' OR 1=1 --",
      "%' UNION SELECT 1 --",
      '?',
      '$1',
      "\\' OR true --",
    ]) {
      assert.equal((await found(search, { messageId: [attack] })).length, 0, attack)
      assert.equal(
        (await found(search, { subject: [attack] })).length,
        attack.length > 20 || attack === '?' ? 1 : 0,
        attack,
      )
    }
    rmSync(root, { recursive: true })
  })

  test('the query that people begin with in the console runs, too', async () => {
    root = newFolder()
    await archiveOf([{ to: ['a@x.example'], subject: 'Rechnung' }], root)
    const { columns, rows } = await trino.execute(withLines(EXAMPLE_QUERY, root), [])
    assert.deepEqual(columns, Object.keys(LEDGER_COLUMNS))
    assert.equal(rows[0]?.[columns.indexOf('subject')], 'Rechnung')
    rmSync(root, { recursive: true })
  })

  test('a line that is no JSON fails the search, and is not left out', async () => {
    root = newFolder()
    await archiveOf([{}, {}], root)
    writeFileSync(join(root, 'ledger', 'orders', '0000000002.ndjson'), '{"type":"message"\n')
    await assert.rejects(found(search, {}), { code: 'SEARCH_FAILED' })
    rmSync(root, { recursive: true })
  })
})

/** The query with the lines of an archive in place of its tables. */
function withLines(sql: string, root: string): string {
  const ledgers = join(root, 'ledger')
  const rows = readdirSync(ledgers).flatMap((mailbox) =>
    readdirSync(join(ledgers, mailbox)).flatMap((file) =>
      readFileSync(join(ledgers, mailbox, file), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => [`s3://archive/ledger/${mailbox}/${file}`, line, mailbox]),
    ),
  )
  const values = rows.map((row) => `(${row.map((text) => `'${text.replaceAll("'", "''")}'`).join(', ')})`)
  const table = `(VALUES ${values.join(', ')}) AS files("$path", line, mailbox)`
  return sql
    .replaceAll('"mailsluice"."ledger_of_mailboxes"', () => table)
    .replaceAll('"mailsluice"."ledger"', () => table)
    .replaceAll('FROM ledger)', () => `FROM ${table})`)
}
