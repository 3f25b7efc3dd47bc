import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import type { MessageEntry } from '../../shared/ledger/segment.ts'
import type { MessageQuery } from '../../shared/query/query.ts'
import { openAthenaSearch } from '../../shared/search/athena.ts'
import { positional } from '../../shared/search/positional.ts'
import type { LedgerSearch, SearchHit } from '../../shared/search/search.ts'
import { ANSWER_COLUMNS } from '../../shared/search/sql.ts'
import {
  type AthenaAnswer,
  type AthenaFailure,
  type AthenaServer,
  type AthenaServerOptions,
  startAthenaServer,
} from '../support/athena-server.ts'
import { digestOf, messageEntry } from '../support/segments.ts'

// The adapter and the protocol. That its SQL means what a query means is shown on an engine of the same dialect: test/interop/search.interop.ts.

const environment = { ...process.env }
before(() =>
  Object.assign(process.env, { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's' }),
)
after(() => {
  process.env = environment
})

/** A row as Athena gives it: texts, or nothing. */
function rowOf(entry: MessageEntry, seq = 1, certain: boolean | null = true): (string | null)[] {
  const values: Record<string, unknown> = {
    ...entry,
    mailbox: 'orders',
    seq,
    archivedAt: '2026-01-01T00:00:10.000Z',
    certain,
  }
  return ANSWER_COLUMNS.map((name) => {
    const value = values[name]
    if (value === undefined || value === null) return null
    return Array.isArray(value) ? JSON.stringify(value) : String(value)
  })
}

const columns = ANSWER_COLUMNS.map((name) => name.toLowerCase())
const rows = (count: number, certain: boolean | null = true): AthenaAnswer => ({
  columns,
  rows: Array.from({ length: count }, (_, n) => rowOf(messageEntry(`${n}`, { id: n + 1 }), 1, certain)),
})

async function withSearch<Result>(
  options: Partial<AthenaServerOptions> & { readonly signal?: AbortSignal; readonly queryMs?: number },
  work: (search: LedgerSearch, server: AthenaServer) => Promise<Result>,
): Promise<Result> {
  const server = await startAthenaServer({ execute: async () => rows(1), ...options })
  const search = await openAthenaSearch({
    workgroup: 'mailsluice',
    database: 'mailsluice',
    endpoint: server.endpoint,
    pollMs: 1,
    signal: options.signal,
    ...(options.queryMs !== undefined && { queryMs: options.queryMs }),
  })
  try {
    return await work(search, server)
  } finally {
    search.close()
    await server.close()
  }
}

const taken = async (
  hits: AsyncIterable<SearchHit>,
  most = Number.POSITIVE_INFINITY,
): Promise<SearchHit[]> => {
  const all: SearchHit[] = []
  for await (const hit of hits) {
    all.push(hit)
    if (all.length >= most) break
  }
  return all
}

describe('a search by Athena', () => {
  test('gives entries as the ledger has them, over as many pages as there are', async () => {
    const entries = [
      messageEntry('a', {
        from: 'a@x.example',
        to: ['b@x.example', 'c, d@x.example'],
        toCut: true,
        subject: 'Grüße "1", 2',
        attachments: [],
        octets: 12,
      }),
      messageEntry('b', { epoch: 'uidl', id: '0017' }),
      messageEntry('c', { id: 3 }),
    ]
    const answer = { columns, rows: entries.map((entry) => rowOf(entry)) }
    await withSearch({ execute: async () => answer, pageRows: 2 }, async (search, { calls }) => {
      const hits = await taken(search.find({}))

      assert.deepEqual(
        hits.map(({ entry }) => entry),
        entries,
      )
      assert.deepEqual([hits[0]?.mailbox, hits[0]?.seq, hits[0]?.certain], ['orders', 1, true])
      assert.equal(calls.filter((call) => call === 'GetQueryResults').length, 2)
    })
  })

  test('leaves open what entries do not tell', () =>
    withSearch({ execute: async () => rows(1, null) }, async (search) => {
      assert.deepEqual(
        (await taken(search.find({ to: ['a@*'] }))).map(({ certain }) => certain),
        [false],
      )
    }))

  test('runs in its workgroup and database, and nothing that was asked for is in the text of the query', () =>
    withSearch({}, async (search, { queries }) => {
      const attack = `x' OR 1=1 --`
      await taken(
        search.find({
          mailboxes: ['orders'],
          subject: [attack],
          from: [attack],
          messageId: [attack],
          attachment: ['?'],
          since: '2026-01-01',
        }),
      )

      const [
        { sql, parameters, workgroup, database } = { sql: '', parameters: [], workgroup: '', database: '' },
      ] = queries
      assert.deepEqual([workgroup, database], ['mailsluice', 'mailsluice'])
      assert.ok(!sql.includes('OR 1=1') && !sql.includes('orders') && !sql.includes('2026'))
      assert.equal(sql.match(/\?/g)?.length, parameters.length)
      for (const parameter of parameters) assert.match(parameter, /^'([^']|'')*'$/)
      assert.ok(parameters.includes("'%x'' OR 1=1 --%'"), parameters.join(' '))
    }))

  test('of mailboxes that are named no other ledger is read', () =>
    withSearch({}, async (search, { queries }) => {
      await taken(search.find({ mailboxes: ['orders', 'invoices'] }))
      await taken(search.find({}))

      assert.match(queries[0]?.sql ?? '', /"ledger_of_mailboxes" WHERE mailbox IN \(\?, \?\)/)
      assert.match(queries[1]?.sql ?? '', /FROM "mailsluice"\."ledger"\s/)
      assert.deepEqual(queries[1]?.parameters, [])
    }))

  test('asks for no more than is wanted, and for more when that is taken', () =>
    withSearch(
      {
        execute: async ({ sql }) => {
          const most = Number(/LIMIT (\d+)$/.exec(sql)?.[1])
          return rows(Math.min(most, 25))
        },
      },
      async (search, { queries }) => {
        const hits = await taken(search.find({}, 2))
        assert.deepEqual(
          hits.map(({ entry }) => entry.id),
          Array.from({ length: 25 }, (_, n) => n + 1),
        )
        assert.deepEqual(
          queries.map(({ sql }) => /LIMIT \d+$/.exec(sql)?.[0]),
          ['LIMIT 2', 'LIMIT 20', 'LIMIT 200'],
        )

        await taken(search.find({}, 2), 2)
        assert.equal(queries.length, 4)
      },
    ))

  test('more ids than a query holds are told apart here', () =>
    withSearch({ execute: async () => rows(5) }, async (search, { queries }) => {
      const many = Array.from({ length: 1_500 }, (_, n) => digestOf(`other ${n}`))
      const hits = await taken(search.find({ ids: [...many, digestOf('1'), `orders/${digestOf('3')}`] }, 2))
      assert.deepEqual(
        hits.map(({ entry }) => entry.id),
        [2, 4],
      )
      assert.deepEqual([queries[0]?.parameters, /LIMIT/.test(queries[0]?.sql ?? '')], [[], false])

      await taken(search.find({ ids: many.slice(0, 1_000) }))
      assert.ok((queries[1]?.parameters.length ?? 0) > 100)
    }))

  test('tells what was scanned, and its price, of which a query takes a least', () =>
    withSearch(
      {
        execute: async ({ parameters }) => ({
          ...rows(1),
          octetsScanned: parameters.length === 0 ? 1e12 : 5,
        }),
      },
      async (search) => {
        await taken(search.find({}))
        assert.deepEqual(search.bill(), { queries: 1, octetsScanned: 1e12, usd: 5 })
        await taken(search.find({ class: ['bounce'] }))
        assert.deepEqual(search.bill(), { queries: 2, octetsScanned: 1e12 + 5, usd: 5.00005 })
      },
    ))

  test('a query is stopped when nobody waits for it any more', async () => {
    const interrupted = new AbortController()
    await withSearch(
      { looks: Number.POSITIVE_INFINITY, signal: interrupted.signal },
      async (search, { calls }) => {
        const found = taken(search.find({}))
        while (!calls.includes('GetQueryExecution')) await new Promise((resolve) => setTimeout(resolve, 5))
        interrupted.abort()

        assert.deepEqual(await found, [])
        assert.equal(calls.at(-1), 'StopQueryExecution')
        assert.deepEqual(await taken(search.find({})), [])
        assert.equal(calls.filter((call) => call === 'StartQueryExecution').length, 1)
      },
    )
  })

  test('a query that takes too long is stopped, and said', () =>
    withSearch({ looks: Number.POSITIVE_INFINITY, queryMs: 20 }, async (search, { calls }) => {
      await assert.rejects(taken(search.find({})), { code: 'SEARCH_UNAVAILABLE', message: /not ended/ })
      assert.equal(calls.at(-1), 'StopQueryExecution')
    }))
})

describe('what Athena answers in place of messages has a code:', () => {
  const failed = (type: number, reason = 'said Athena'): AthenaFailure => ({ state: 'FAILED', reason, type })
  const cases: Readonly<Record<string, readonly [Partial<AthenaServerOptions>, string]>> = {
    'a caller without the right to start queries': [
      { refuse: { StartQueryExecution: { status: 400, type: 'AccessDeniedException' } } },
      'SEARCH_DENIED',
    ],
    'a caller without the right to read the answer': [
      { refuse: { GetQueryResults: { status: 400, type: 'AccessDeniedException' } } },
      'SEARCH_DENIED',
    ],
    'no right to the table or its files': [{ execute: async () => failed(1501) }, 'SEARCH_DENIED'],
    'a workgroup that there is not': [{ workgroup: 'another' }, 'SEARCH_MISSING'],
    'a table that there is not': [{ execute: async () => failed(1301) }, 'SEARCH_MISSING'],
    'more to scan than the workgroup allows': [
      { execute: async () => ({ state: 'CANCELLED', reason: 'Bytes scanned limit was exceeded' }) },
      'SEARCH_LIMITED',
    ],
    'somebody who cancels the query': [
      { execute: async () => ({ state: 'CANCELLED', reason: 'Query cancelled by user' }) },
      'SEARCH_UNAVAILABLE',
    ],
    'a service in trouble': [
      { refuse: { GetQueryExecution: { status: 400, type: 'TooManyRequestsException' } } },
      'SEARCH_UNAVAILABLE',
    ],
    'a query that takes more than there is': [{ execute: async () => failed(1) }, 'SEARCH_UNAVAILABLE'],
    'a line that is no JSON': [{ execute: async () => failed(1007) }, 'SEARCH_FAILED'],
  }
  for (const [name, [options, code]] of Object.entries(cases))
    test(`${name}: ${code}`, () =>
      withSearch(options, async (search) => {
        await assert.rejects(taken(search.find({})), { code, message: /^Athena, workgroup mailsluice: / })
      }))

  test('nobody there: SEARCH_UNAVAILABLE', async () => {
    const server = await startAthenaServer({ execute: async () => rows(0) })
    await server.close()
    const search = await openAthenaSearch({ workgroup: 'w', database: 'd', endpoint: server.endpoint })
    await assert.rejects(taken(search.find({})), { code: 'SEARCH_UNAVAILABLE', message: /ECONNREFUSED/ })
    search.close()
  })
})

describe('parameters by place', () => {
  const read = (literal: string): string => literal.slice(1, -1).replaceAll("''", "'")

  test('are literals from which the engine reads each value again, in the order of the text', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 2_000 }),
      fc.constantFrom("'".repeat(3_000), '', '\\', '😀'.repeat(800)),
    )
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 4 }), (values) => {
        const { sql, parameters } = positional({
          sql: values.map((_, n) => `<$${values.length - n}>`).join(''),
          values,
        })
        const counts = [...sql.matchAll(/<(.*?)>/g)].map(([, places = '']) => places.split('?').length - 1)
        const left = parameters.map(read)
        const again = counts.map((count) => left.splice(0, count).join(''))
        assert.deepEqual(again, values.toReversed())
        for (const parameter of parameters) assert.ok(parameter.length <= 1024, `${parameter.length}`)
        for (const parameter of parameters) assert.match(parameter, /^'([^']|'')*'$/u)
      }),
    )
  })

  test('a value that stands in several places is given several times', () => {
    const query: MessageQuery = { ids: [digestOf('a')] }
    assert.deepEqual(positional({ sql: '$1 or $1', values: [query.ids ?? []] }), {
      sql: '? or ?',
      parameters: [`'["${digestOf('a')}"]'`, `'["${digestOf('a')}"]'`],
    })
  })
})
