import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { CliFolder, jsonLines, mailboxOn, runCli } from '../support/cli.ts'

describe('mailsluice cost', () => {
  const folder = new CliFolder()
  after(() => folder.remove())
  const mailbox = (id: string, every: string) => mailboxOn({ port: 143 }, { id, every })

  test('needs no configuration where mailboxes are counted, and says what each part costs and of when the prices are', async () => {
    const command = ['cost', '--mailboxes', '100', '--messages', '100000', '--config', 'no-such.yaml']
    const { status, stdout, stderr } = await runCli(command)
    assert.deepEqual([status, stderr], [0, ''])
    assert.match(stdout, /^100 mailboxes, looked at 876,000 times a month; 100,000 messages of 75 kB a month/)
    assert.match(stdout, /list prices of 20\d\d-\d\d-\d\d/)
    assert.match(stdout, /^ +\d+\.\d\d {2}looking whether there is mail$/m)
    assert.match(stdout, /^ +\d+\.\d\d {2}together$/m)
  })

  test('reckons with the mailboxes of the configuration, each as often as it is looked at', async () => {
    const config = folder.config('two.yaml', mailbox('a', '10m'), mailbox('b', '1h'))
    const { stdout } = await runCli([
      'cost',
      '--messages',
      '10',
      '--size',
      '1M',
      '--json',
      '--config',
      config,
    ])
    const [told] = jsonLines(stdout)
    const { mailboxes, looks, octets, relay } = (told?.usage ?? {}) as Record<string, unknown>
    assert.deepEqual([mailboxes, looks, octets, relay], [2, 730 * 6 + 730, 1_000_000, undefined])
  })

  test('takes the relay, another interval and the months of storage from its options', async () => {
    const of = async (...more: string[]): Promise<Record<string, number>> => {
      const { stdout } = await runCli([
        'cost',
        '--mailboxes',
        '3000',
        '--messages',
        '1000000',
        '--json',
        ...more,
      ])
      return jsonLines(stdout)[0]?.cost as Record<string, number>
    }
    const cost = await of()
    assert.equal(cost.relay, 0)
    assert.ok(((await of('--relay')).relay ?? 0) > 20, 'two tasks, for one holds 2,000 mailboxes')
    assert.ok(((await of('--every', '10m')).looks ?? 0) * 1.99 < (cost.looks ?? 0))
    assert.equal(Math.round(((await of('--months', '24')).storage ?? 0) / (cost.storage ?? 0)), 2)
  })

  for (const [name, more, said] of [
    ['without messages', [], /--messages <count>' not specified/],
    ['with a size that is none', ['--messages', '1', '--size', 'big'], /Expected octets: 75000, 75k or 1M/],
    ['with an interval that is none', ['--messages', '1', '--every', '5'], /5 is not a duration; expected/],
  ] as const)
    test(`${name} is a mistake of usage`, async () => {
      const { status, stdout, stderr } = await runCli(['cost', '--mailboxes', '1', ...more])
      assert.deepEqual([status, stdout], [2, ''])
      assert.match(stderr, said)
    })
})
