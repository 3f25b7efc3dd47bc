import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openFileArchive } from '../../shared/archive/file.ts'
import { mailboxId } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { CliFolder, jsonLines, mailboxOn, runCli } from '../support/cli.ts'
import { recordMessages } from '../support/recorded-archive.ts'
import { digestOf } from '../support/stores.ts'

const MAILBOX = mailboxId('orders')
const ONE = rawKey(MAILBOX, digestOf('one'))

describe('mailsluice archive verify', () => {
  const folder = new CliFolder()
  let common: string[]
  before(async () => {
    const config = folder.config('mailsluice.yaml', mailboxOn({ port: 1 }))
    common = ['--config', config, folder.local('data')]
    await recordMessages(openFileArchive(join(folder.path, 'data', 'archive')), [['one', 'two'], ['three']], {
      mailbox: MAILBOX,
    })
  })
  after(() => folder.remove())

  test('says what was verified, and that files have no locks', async () => {
    const { status, stdout, stderr } = await runCli(['archive', 'verify', '--deep', ...common])

    assert.deepEqual([status, stderr], [0, ''])
    assert.match(
      stdout,
      /^orders: verified: 2 segments, 3 messages, 11 B, 5 inspected, 5 read, head [0-9a-f]{64}$/m,
    )
    assert.match(stdout, /no Object Lock/)
  })

  test('leaves the file of --resume alone when it is not its own, and removes its own at the end', async () => {
    const other = folder.write('other.json', '{}')
    const { status, stderr } = await runCli(['archive', 'verify', '--resume', other, ...common])
    assert.deepEqual([status, /is not of a verification/.test(stderr)], [2, true])
    assert.equal(existsSync(other), true)

    const own = join(folder.path, 'own.json')
    assert.equal((await runCli(['archive', 'verify', '--resume', own, ...common])).status, 0)
    assert.equal(existsSync(own), false)
  })

  test('goes on only with the mailboxes and options that a verification was begun with', async () => {
    const begun = { v: 1, startedAt: new Date().toISOString(), seed: 's', sample: 1, deep: false }
    const file = folder.write(
      'begun.json',
      JSON.stringify({ ...begun, mailboxes: null, findings: 2, done: [] }),
    )

    const other = await runCli(['archive', 'verify', '--deep', '--resume', file, ...common])
    assert.deepEqual([other.status, /other mailboxes, --deep or --sample/.test(other.stderr)], [2, true])
    const same = await runCli(['archive', 'verify', '--resume', file, ...common])
    assert.match(same.stderr, /going on with the verification of .*\n.*2 findings/)
    assert.equal(same.status, 1)
  })

  for (const sample of ['0', '101', '5%'])
    test(`refuses --sample ${sample}`, async () => {
      assert.equal((await runCli(['archive', 'verify', '--sample', sample, ...common])).status, 2)
    })

  test('names each finding and fails', async () => {
    rmSync(join(folder.path, 'data', 'archive', ONE))

    const text = await runCli(['archive', 'verify', ...common])
    const json = await runCli(['archive', 'verify', 'orders', '--json', ...common])

    assert.deepEqual([text.status, json.status], [1, 1])
    assert.match(
      text.stdout,
      new RegExp(`^object-missing: ${ONE}: expected 3 octets .*; found nothing$`, 'm'),
    )
    assert.match(text.stderr, /1 finding/)
    const [finding, verified, archive, ...more] = jsonLines(json.stdout)
    assert.deepEqual(more, [])
    assert.deepEqual([finding?.type, finding?.kind, finding?.key], ['finding', 'object-missing', ONE])
    assert.deepEqual([verified?.type, verified?.mailbox, verified?.messages], ['verified', 'orders', 3])
    assert.deepEqual(archive, { type: 'archive', mailboxes: 1, findings: 1, complete: true, locks: false })
  })
})

describe('mailsluice archive verify and ledger verify, by seals', () => {
  const folder = new CliFolder()
  const data = join(folder.path, 'data')
  let common: string[]
  const record = (...texts: string[]) =>
    recordMessages(openFileArchive(join(data, 'archive')), [texts], { mailbox: MAILBOX })
  before(async () => {
    common = ['--config', folder.config('mailsluice.yaml', mailboxOn({ port: 1 })), `--local=${data}`]
    await record('one', 'two')
    assert.equal((await runCli(['ledger', 'seal', ...common])).status, 0)
  })
  after(() => folder.remove())

  test('say which seal the ledgers were compared with', async () => {
    const { status, stdout, stderr } = await runCli(['archive', 'verify', ...common])

    assert.deepEqual([status, stderr], [0, ''])
    assert.match(stdout, /^The ledgers were compared with seal 1 of \d{4}-\d\d-\d\dT/m)
    assert.equal((await runCli(['ledger', 'verify', ...common])).status, 0)
  })

  test('show seals of another key than the one that is given, and refuse what is no key', async () => {
    const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' })
    const other = folder.write('other.pem', String(pem))
    for (const command of ['archive', 'ledger']) {
      const { status, stdout, stderr } = await runCli([command, 'verify', '--key', other, ...common])
      assert.equal(status, 1)
      assert.match(`${stdout}${stderr}`, /evidence\/seals\/0000000001\.ndjson.*signed by another key/)
      for (const none of [folder.write('none.pem', 'x'), join(folder.path, 'missing.pem')])
        assert.equal((await runCli([command, 'verify', '--key', none, ...common])).status, 2)
    }
  })

  test('find a history that was written anew as a whole, and say when nobody vouches for the key', async () => {
    rmSync(join(data, 'keys'), { recursive: true })
    for (const part of ['ledger', 'raw', '.metadata/ledger', '.metadata/raw'])
      rmSync(join(data, 'archive', part), { recursive: true })
    await record('one', 'zwei')
    for (const command of ['archive', 'ledger']) {
      const { status, stdout, stderr } = await runCli([command, 'verify', ...common])
      assert.equal(status, 1)
      assert.match(
        `${stdout}${stderr}`,
        /history-rewritten: evidence\/seals\/0000000001\.ndjson: expected segment 1 /,
      )
      assert.match(stderr, /the seals are checked by the keys that they bring/)
    }
    assert.equal(existsSync(join(data, 'keys')), false)
  })
})
