import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { openS3Archive, type S3Archive } from '../../shared/archive/s3.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import type { MessageEntry } from '../../shared/ledger/segment.ts'
import { ANSWER_COLUMNS } from '../../shared/search/sql.ts'
import { type AthenaAnswer, type AthenaServer, startAthenaServer } from '../support/athena-server.ts'
import { CliFolder, type CliResult, jsonLines, mailboxOn, startCli } from '../support/cli.ts'
import { openScriptedBuckets } from '../support/scripted-buckets.ts'
import { type ScriptedStacks, startScriptedStacks } from '../support/scripted-stacks.ts'
import { digestOf, draftOf, messageEntry } from '../support/segments.ts'

// `archive search --stack`: by Athena where the deployment has it. What Athena answers is the test's; S3 is asked for what it does not tell.

const SURE = messageEntry('sure', { id: 2, from: 'anna@x.example', subject: '=1+1', octets: 2_000 })
const DOUBTFUL = messageEntry('doubtful', { id: 1, subject: 'to whom?' })

function rowOf(entry: MessageEntry, certain: boolean): (string | null)[] {
  const archivedAt = '2026-01-01T00:00:10.000Z'
  const values: Record<string, unknown> = { ...entry, mailbox: 'orders', seq: 1, archivedAt, certain }
  if (!certain) delete values.certain
  return ANSWER_COLUMNS.map((name) => (values[name] === undefined ? null : String(values[name])))
}

describe('archive search --stack', () => {
  const folder = new CliFolder()
  const closing: (() => unknown)[] = []
  let athena: AthenaServer
  let stacks: ScriptedStacks
  let archive: S3Archive
  let environment: Record<string, string>
  let config: string
  let answer: (sql: string) => AthenaAnswer
  let looks = 0
  let denied = false
  before(async () => {
    const s3 = await openScriptedBuckets(({ key }) =>
      denied && key.startsWith('raw/') ? { status: 403, code: 'AccessDenied' } : undefined,
    )
    archive = openS3Archive({ ...s3, bucket: s3.archiveBucket })
    const ledger = await openLedger('orders' as MailboxId, { archive, state: undefined })
    await ledger.commit(draftOf([DOUBTFUL, SURE]), undefined)
    const buckets = {
      ArchiveBucket: s3.archiveBucket,
      StateBucket: s3.stateBucket,
      DerivedBucket: s3.derivedBucket,
    }
    stacks = await startScriptedStacks({
      'mailsluice-archive': { ...buckets, SearchWorkgroup: 'mailsluice', SearchDatabase: 'mailsluice' },
      'older-archive': buckets,
      'other-archive': { ...buckets, SearchWorkgroup: 'other', SearchDatabase: 'other' },
    })
    athena = await startAthenaServer({
      execute: async ({ sql }) => answer(sql),
      get looks() {
        return looks
      },
    })
    closing.push(
      () => folder.remove(),
      () => s3.close(),
      () => archive.close(),
      () => stacks.close(),
      () => athena.close(),
    )
    config = folder.config('mailsluice.yaml', mailboxOn({ port: 1 }))
    environment = {
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      AWS_ENDPOINT_URL_ATHENA: athena.endpoint,
      AWS_ENDPOINT_URL_CLOUDFORMATION: stacks.endpoint,
    }
  })
  after(async () => {
    for (const close of closing.reverse()) await close()
  })

  const start = (...words: readonly string[]) =>
    startCli(['archive', 'search', '--config', config, ...words], environment)
  const run = async (...words: readonly string[]): Promise<CliResult> => {
    const { status, stdout, stderr } = await start(...words).ended
    return { status: status ?? -1, stdout, stderr }
  }
  const both = (): AthenaAnswer => ({
    columns: ANSWER_COLUMNS,
    rows: [rowOf(SURE, true)],
    octetsScanned: 1_234_000_000,
  })

  test('asks Athena, shows what it finds as ever, and says what that has cost', async () => {
    answer = both
    const { status, stdout, stderr } = await run('--from', '*@x.example', '--stack', 'mailsluice')

    assert.equal(status, 0, stderr)
    assert.match(stdout, new RegExp(`^orders {2}${SURE.sha256.slice(0, 12)} .*anna@x\\.example +=1\\+1`))
    assert.match(
      stderr,
      /^Athena: 1 query, 1\.2 GB scanned, 0\.00617 USD by the list price of \d{4}-\d\d-\d\d\.$/m,
    )
    assert.equal(athena.queries.length, 1)
    assert.ok(!athena.queries[0]?.sql.includes('x.example'))

    const json = await run('--stack', 'mailsluice', '--json')
    const { type, ...entry } = SURE
    const shown = { mailbox: 'orders', seq: 1, archivedAt: '2026-01-01T00:00:10.000Z', ...entry }
    assert.deepEqual(jsonLines(json.stdout), [shown])
    assert.match(json.stderr, /^Athena: 1 query/m)
    assert.match((await run('--stack', 'mailsluice', '--csv')).stdout, /,'=1\+1,/)
  })

  test('what an entry does not tell is read, and found in doubt where the mail may not be read', async () => {
    answer = () => ({ columns: ANSWER_COLUMNS, rows: [rowOf(SURE, true), rowOf(DOUBTFUL, false)] })
    denied = true
    const { status, stdout, stderr } = await run('--to', 'b@*', '--stack', 'mailsluice', '--json')
    denied = false

    assert.equal(status, 0, stderr)
    assert.deepEqual(
      jsonLines(stdout).map(({ sha256 }) => sha256),
      [SURE.sha256, DOUBTFUL.sha256],
    )
    assert.match(stderr, /^1 message found in doubt/m)
  })

  test('DuckDB searches copies when it is wanted, or where the deployment has no Athena', async () => {
    const asked = athena.queries.length
    for (const words of [
      ['--stack', 'mailsluice', '--engine', 'duckdb'],
      ['--stack', 'mailsluice', '--cache', folder.path],
      ['--stack', 'older'],
    ]) {
      const { status, stdout, stderr } = await run(...words, '--subject', '=1+1', '--json')
      assert.equal(status, 0, stderr)
      assert.deepEqual(
        jsonLines(stdout).map(({ sha256 }) => sha256),
        [digestOf('sure')],
      )
      assert.doesNotMatch(stderr, /Athena/)
    }
    assert.equal(athena.queries.length, asked)
  })

  test('Athena that is wanted and not there is a mistake; what it refuses has a remedy', async () => {
    const missing = await run('--stack', 'older', '--engine', 'athena')
    assert.equal(missing.status, 2)
    assert.match(missing.stderr, /--engine: 1 mistake\n {2}athena is not there; expected --stack NAME/)

    const refused = await run('--stack', 'other')
    assert.equal(refused.status, 1)
    assert.match(
      refused.stderr,
      /SEARCH_MISSING: Athena, workgroup other: .*\n {2}Deploy the archive stack again/,
    )
  })

  test('Ctrl-C stops the query, and does not pass for an answer', async () => {
    looks = Number.POSITIVE_INFINITY
    const process = start('--stack', 'mailsluice')
    while (athena.calls.at(-1) !== 'GetQueryExecution')
      await new Promise((resolve) => setTimeout(resolve, 20))
    process.child.kill('SIGINT')
    const { status, stdout, stderr } = await process.ended
    looks = 0

    assert.deepEqual([status, stdout], [1, ''])
    assert.match(stderr, /archive search: not finished/)
    assert.equal(athena.calls.at(-1), 'StopQueryExecution')
  })
})
