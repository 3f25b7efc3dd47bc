import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { csvLine } from '../../functions/cli/csv.ts'
import { CliFolder, jsonLines, mailboxOn, runCli } from '../support/cli.ts'
import { startImapServer } from '../support/imap-server.ts'
import { sampleMessages } from '../support/sample-messages.ts'

const folder = new CliFolder()
after(() => folder.remove())
let config: string
const run = (...command: string[]) =>
  runCli([...command, '--config', config, folder.local('local')], { PASSWORD: 'testpass' })

before(async () => {
  const formula = 'From: a@x.example\r\nTo: b@x.example\r\nSubject: =1+1, "two"\r\n\r\nHello.\r\n'
  const messages = [...sampleMessages().map(({ octets }) => octets), Buffer.from(formula)]
  const imap = await startImapServer({ messages: messages.map((raw) => ({ raw })) })
  config = folder.config('mailsluice.yaml', mailboxOn(imap))
  await run('drain')
  await imap.close()
})

describe('archive search', () => {
  test('finds by address, subject, attachment and class; as table, JSON and CSV', async () => {
    const query = ['--address', '*@supplier.example', '--subject', 'rechnung']
    const { status, stdout } = await run('archive', 'search', ...query)
    assert.equal(status, 0)
    assert.match(stdout, /^orders {2}[0-9a-f]{12} .*billing@supplier\.example +Rechnung/)

    const [found, ...more] = jsonLines((await run('archive', 'search', ...query, '--json')).stdout)
    assert.deepEqual([found?.mailbox, found?.from, more.length], ['orders', 'billing@supplier.example', 0])
    const { sha256 } = found as { sha256: string }
    const csv = (await run('archive', 'search', '--attachment', '*.pdf', '--csv')).stdout.split('\n')
    assert.equal(csv[0], 'mailbox,sha256,archivedAt,date,from,to,subject,attachments,class,messageId,octets')
    assert.ok(csv.some((line) => line.startsWith(`orders,${sha256},`)))
    assert.equal(jsonLines((await run('archive', 'search', '--class', 'bounce', '--json')).stdout).length, 1)
  })

  test('a subject that a spreadsheet would run is text in CSV, and exact in JSON', async () => {
    const words = ['--from', 'a@x.example', '--to', 'b@x.example']
    assert.match((await run('archive', 'search', ...words, '--csv')).stdout, /,"'=1\+1, ""two""",/)
    const [found] = jsonLines((await run('archive', 'search', ...words, '--json')).stdout)
    assert.equal(found?.subject, '=1+1, "two"')
    assert.equal(csvLine(['\t@SUM', '-1', 'a-b', 'a\nb']), `'\t@SUM,'-1,a-b,"a\nb"`)
  })

  test('says so when nothing is found, and when there may be more', async () => {
    const none = await run('archive', 'search', '--from', 'nobody@x.example')
    assert.deepEqual([none.status, none.stdout], [0, ''])
    assert.match(none.stderr, /Nothing found/)
    const some = await run('archive', 'search', '--limit', '2', '--json')
    assert.equal(jsonLines(some.stdout).length, 2)
    assert.match(some.stderr, /raise --limit \(2\)/)
  })

  test('finds what a case holds', async () => {
    const hold = ['archive', 'hold', '--case', 'ott', '--reason', 'order', '--class', 'bounce', '--by', 'me']
    const held = await run(...hold)
    assert.equal(held.status, 0, held.stderr)

    const found = jsonLines((await run('archive', 'search', '--case', 'ott', '--json')).stdout)
    assert.deepEqual(
      found.map((each) => each.class),
      ['bounce'],
    )
    const other = ['archive', 'search', '--case', 'ott', '--id', '0'.repeat(64), '--json']
    assert.equal(jsonLines((await run(...other)).stdout).length, 0)
    assert.equal((await run('archive', 'search', '--case', 'none')).status, 2)
  })
})
