import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openFileArchive } from '../../shared/archive/file.ts'
import { mailboxId } from '../../shared/contract/ids.ts'
import type { Entry } from '../../shared/ledger/segment.ts'
import { decide } from '../../shared/operations/quarantine.ts'
import { CliFolder, type CliResult, jsonLines, mailboxOn, runCli } from '../support/cli.ts'
import { ledgerEntries } from '../support/stores.ts'

const ORDERS = mailboxId('orders')

describe('mailsluice quarantine', () => {
  const folder = new CliFolder()
  let archive: ReturnType<typeof openFileArchive>
  let common: string[]
  before(async () => {
    const config = folder.config('mailsluice.yaml', mailboxOn({ port: 1 }))
    common = ['--config', config, folder.local('data')]
    archive = openFileArchive(join(folder.path, 'data', 'archive'))
    const place = { folder: 'INBOX', epoch: '1' }
    const given = (id: number, rest: object = {}): Entry => ({
      type: 'quarantined',
      ...place,
      id,
      code: 'MESSAGE_UNFETCHABLE',
      reason: `the server says \x1b[31mNO to ${id}`,
      attempts: 5,
      ...rest,
    })
    const large = { code: 'MESSAGE_TOO_LARGE', limitOctets: 157_286_400, octets: 300_000_000 }
    await decide({ id: ORDERS }, archive, [given(17), given(18, large), given(19)])
  })
  after(() => folder.remove())

  const run = (...command: string[]): Promise<CliResult> => runCli(['quarantine', ...command, ...common])
  const names = async (...options: string[]): Promise<unknown[]> =>
    jsonLines((await run('list', '--json', ...options)).stdout).map(({ name }) => name)

  test('lists what was given up and why, and lets no server steer the terminal', async () => {
    const { status, stdout } = await run('list')

    assert.equal(status, 0)
    const lines = stdout.trimEnd().split('\n')
    assert.match(lines[0] ?? '', /^orders\/INBOX\/17 .*MESSAGE_UNFETCHABLE .*NO to 17$/)
    assert.match(lines[1] ?? '', /^orders\/INBOX\/18 .*MESSAGE_TOO_LARGE {2,}300 MB/)
    assert.ok(!stdout.includes('\x1b'))
  })

  test('names a message that is not there, and decides nothing', async () => {
    const before = await ledgerEntries(ORDERS, archive)

    const { status, stderr } = await run('dismiss', 'orders/INBOX/17', 'orders/INBOX/99', '--reason', 'x')

    assert.equal(status, 1)
    assert.match(stderr, /no message orders\/INBOX\/99/)
    assert.deepEqual(await ledgerEntries(ORDERS, archive), before)
  })

  test('wants a reason for what is dismissed', async () => {
    assert.equal((await run('dismiss', 'orders/INBOX/17')).status, 2)
    assert.equal((await run('dismiss', 'orders/INBOX/17', '--reason', ' ')).status, 2)
  })

  test('records nothing in a dry run', async () => {
    const before = await ledgerEntries(ORDERS, archive)

    assert.match((await run('retry', 'orders/INBOX/17', '--dry-run')).stdout, /would be recorded/)
    await run('dismiss', 'orders/INBOX/17', '--reason', 'x', '--dry-run')

    assert.deepEqual(await ledgerEntries(ORDERS, archive), before)
  })

  test('has a message fetched again, and says when the limit that it was over is still the same', async () => {
    const { status, stdout, stderr } = await run('retry', 'orders/INBOX/18', 'orders/INBOX/19', '--by', 'ada')

    assert.equal(status, 0)
    assert.match(stdout, /orders\/INBOX\/18 is fetched again by the next drain/)
    assert.match(stderr, /orders\/INBOX\/18 was larger than limits\.messageOctets/)
    assert.deepEqual(await names(), ['orders/INBOX/17'])
    const last = (await ledgerEntries(ORDERS, archive)).at(-1)
    assert.deepEqual(last, {
      type: 'refetch',
      folder: 'INBOX',
      epoch: '1',
      ids: '18:19',
      by: 'ada',
      reason: 'tried again',
    })
  })

  test('dismisses a message, and tells its history', async () => {
    assert.equal((await run('dismiss', 'orders/INBOX/17', '--reason', 'a test', '--by', 'ada')).status, 0)

    assert.deepEqual(await names(), [])
    assert.deepEqual(await names('--all'), ['orders/INBOX/17'])
    const { stdout } = await run('show', 'orders/INBOX/17')
    assert.match(stdout, /given up after 5 attempts: MESSAGE_UNFETCHABLE.*\n.*dismissed by ada: a test\n$/)
    assert.match((await run('list')).stdout, /Nothing is in quarantine/)
  })
})
