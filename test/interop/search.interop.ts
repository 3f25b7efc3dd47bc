import assert from 'node:assert/strict'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
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
import { templates, yaml } from '../support/stacks.ts'
import { type RunningTrino, startTrino, trinoMissing } from './engines/trino-engine.ts'

// The SQL of a search in AWS, on the engine that Athena is made from, with its parameters as Athena gives them, over tables that are defined as the stack
// defines them: files below one folder, which no crawler has seen. What is not seen here is Athena itself.

describe('a search by Athena, run by Trino', { skip: trinoMissing() ?? false }, () => {
  const folder = newFolder()
  /** Of the archive that is searched. */
  const root = join(folder, 'archive')
  let trino: RunningTrino
  let athena: AthenaServer
  let search: LedgerSearch
  before(async () => {
    Object.assign(process.env, {
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'a',
      AWS_SECRET_ACCESS_KEY: 's',
    })
    mkdirSync(join(root, 'ledger'), { recursive: true })
    trino = startTrino(folder)
    await trino.execute('CREATE SCHEMA mailsluice')
    for (const statement of tableStatements()) await trino.execute(statement)
    athena = await startAthenaServer({
      looks: 0,
      execute: async ({ sql, parameters }) => {
        try {
          return await trino.execute(sql, parameters)
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

  /** In the place of the one before. */
  const anotherArchive = (entries: Parameters<typeof archiveOf>[0]) => {
    rmSync(root, { recursive: true })
    mkdirSync(join(root, 'ledger'), { recursive: true })
    return archiveOf(entries, root)
  }

  test('finds what a query means, and leaves open what entries do not tell, just as matcherOf', async () => {
    await fc.assert(
      fc.asyncProperty(messages, queries, async (entries, asked) => {
        const { archive } = await anotherArchive(entries)
        for (const query of asked)
          assert.deepEqual(await found(search, query), await expected(query, archive), JSON.stringify(query))
      }),
      { numRuns: 10 },
    )
  })

  test('answers with the same messages, in the same order, as DuckDB, whatever else the ledger says', async () => {
    const { archive } = await anotherArchive([
      {
        from: "O'Hara <a@x.example>",
        to: ['a@x.example', 'b, c@x.example'],
        subject: 'Grüße "1"',
        toCut: true,
      },
      { epoch: 'uidl', id: '0017', attachments: [] },
      { subject: 'A\u0308rger, emoji 😀, line\nfeed, \u0001 and \u2028', octets: 12, date: 'yesterday' },
    ])
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
      { subject: ['😀', 'LINE*feed', 'ärger'] },
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
    await anotherArchive([{ subject: "it's".repeat(700) }, { subject: 'other' }])
    assert.equal((await found(search, { subject: ["it's".repeat(600)] })).length, 1)
    const many = Array.from({ length: 999 }, (_, n) => messageEntry(`none ${n}`).sha256)
    assert.equal((await found(search, { ids: [...many, messageEntry('orders 0').sha256] })).length, 1)
  })

  test('whatever is asked for is text, and never part of the query', async () => {
    await anotherArchive([{ subject: "x'; DROP TABLE lines; --" }, {}])
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
  })

  test('the query that people begin with in the console runs, too', async () => {
    await anotherArchive([{ to: ['a@x.example'], subject: 'Rechnung' }])
    const { columns, rows } = await trino.execute(
      `${EXAMPLE_QUERY.replace('FROM ledger)', 'FROM mailsluice.ledger)')}`,
    )
    assert.deepEqual(columns, Object.keys(LEDGER_COLUMNS))
    assert.equal(rows[0]?.[columns.indexOf('subject')], 'Rechnung')
  })

  test('a line that is no JSON fails the search, and is not left out', async () => {
    await anotherArchive([{}, {}])
    writeFileSync(join(root, 'ledger', 'orders', '0000000002.ndjson'), '{"type":"message"\n')
    await assert.rejects(found(search, {}), { code: 'SEARCH_FAILED' })
  })
})

/** The tables of the stack in Trino's words, over the folder in place of the bucket. */
function tableStatements(): string[] {
  const world = templates(yaml())
  const bucket = `s3://${world.nameOf(world.one('AWS::S3::Bucket', 'MailArchiveMail')[0])}/`
  const here = (location: string): string => location.replace(bucket, 'local:///archive/')
  return world.ofType('AWS::Glue::Table').map(([, { Properties }]) => {
    const { Name, Parameters, PartitionKeys, StorageDescriptor } = Properties.TableInput as GlueTable
    assert.match(StorageDescriptor.InputFormat, /TextInputFormat$/)
    assert.match(StorageDescriptor.SerdeInfo.SerializationLibrary, /LazySimpleSerDe$/)
    const columns = StorageDescriptor.Columns.map(({ Name: column }) => `${column} varchar`)
    const settings = [`format = 'TEXTFILE'`, `external_location = '${here(StorageDescriptor.Location)}'`]
    for (const { Name: key } of PartitionKeys) {
      const type = Parameters[`projection.${key}.type`]?.toUpperCase()
      columns.push(`${key} varchar WITH (partition_projection_type = '${type}')`)
      settings.push(
        `partitioned_by = ARRAY['${key}']`,
        `partition_projection_enabled = ${Parameters['projection.enabled']}`,
        `partition_projection_location_template = '${here(Parameters['storage.location.template'] ?? '')}'`,
      )
    }
    return `CREATE TABLE mailsluice.${Name} (${columns.join(', ')}) WITH (${settings.join(', ')})`
  })
}

interface GlueTable {
  readonly Name: string
  readonly Parameters: Readonly<Record<string, string>>
  readonly PartitionKeys: readonly { readonly Name: string }[]
  readonly StorageDescriptor: {
    readonly Location: string
    readonly InputFormat: string
    readonly Columns: readonly { readonly Name: string }[]
    readonly SerdeInfo: { readonly SerializationLibrary: string }
  }
}
