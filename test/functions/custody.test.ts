import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { CliFolder, jsonLines, mailboxOn, runCli } from '../support/cli.ts'
import { message } from '../support/drain-world.ts'
import { type ImapServer, startImapServer } from '../support/imap-server.ts'
import { digestOf } from '../support/stores.ts'

// The records officer at the command line, over an archive in files. One story, in its order.

const LOAN = message('Loan of March')
const LUNCH = message('Lunch')
const folder = new CliFolder()
let imap: ImapServer
let config: string

before(async () => {
  imap = await startImapServer({ messages: [LOAN, LUNCH].map((text) => ({ raw: Buffer.from(text) })) })
  config = folder.write(
    'mailsluice.yaml',
    `queues: { default: mail-events }\nmailboxes: ${JSON.stringify([mailboxOn(imap)])}\n`,
  )
})

after(async () => {
  await imap.close()
  folder.remove()
})

const run = (...command: string[]) =>
  runCli([...command, '--config', config, folder.local('archive')], { PASSWORD: 'testpass' })
const officer = (...command: string[]) => run(...command, '--reason', 'order of 3 March', '--by', 'Ada Ott')

describe('the records officer at the command line', () => {
  test('holds by query, and a dry run before it holds nothing', async () => {
    assert.equal((await run('drain')).status, 0)
    const hold = ['archive', 'hold', '--case', 'ott', '--subject', 'loan']

    const dry = await officer(...hold, '--dry-run')
    assert.match(dry.stdout, /^ott: 1 message found: 1 would be held, 0 held before$/m)
    assert.match((await run('cases', 'list')).stdout, /^There is no case\.$/m)

    const { status, stdout } = await officer(...hold)
    assert.equal(status, 0)
    assert.match(stdout, /^ott: 1 message found: 1 held, 0 held before$/m)
    assert.match((await officer(...hold)).stdout, /1 message found: 0 held, 1 held before/)
  })

  test('sees who holds what, when and why', async () => {
    assert.match(
      (await run('cases', 'list')).stdout,
      /^ott {2}open {2}opened \d{4}-\d\d-\d\d by Ada Ott .* order of 3 March$/m,
    )
    const { stdout } = await run('cases', 'show', 'ott', '--json')
    const steps = jsonLines(stdout)

    assert.deepEqual(
      steps.map(({ type, step, sha256 }) => (type === 'case' ? step : sha256)),
      ['opened', 'holding', digestOf(LOAN), 'held', digestOf(LOAN), 'searched', 'searched'],
    )
    for (const each of steps.filter(({ type }) => type === 'case'))
      assert.deepEqual([each.by, each.reason, each.state], ['Ada Ott', 'order of 3 March', 'open'])
    assert.match(
      (await run('archive', 'retention', 'show')).stdout,
      /^orders\/[0-9a-f]{12} .* Loan of March {2}no retention, held for ott$/m,
    )
  })

  test('finds new mail of an open case held by the drain that brought it', async () => {
    const late = message('Loan of April')
    imap.append('INBOX', { raw: Buffer.from(late) })

    const { stderr } = await run('drain')

    assert.match(stderr, /orders: 1 new message held for open cases/)
    assert.match(
      (await run('archive', 'retention', 'show', '--subject', 'april')).stdout,
      /no retention, held for ott$/m,
    )
  })

  test('deletes what has expired and not what is held', async () => {
    const simulated = await run('archive', 'retention', 'simulate', '--on', '2100-01-01')
    assert.match(simulated.stdout, /1 message may be deleted, 2 under a legal hold$/m)

    const { status, stdout } = await officer('archive', 'retention', 'delete')

    assert.equal(status, 0)
    assert.match(stdout, /^deleted {2}orders\/[0-9a-f]{12} .* Lunch$/m)
    assert.match((await run('ledger', 'verify')).stdout, /^orders: verified/m)
    assert.match(
      (await run('ledger', 'show')).stdout,
      /^ {2}deleted [0-9a-f]{12} .*, expired, by Ada Ott: order of 3 March$/m,
    )
  })

  test('cannot forget what is held, and can when it is released', async () => {
    const kept = await officer('archive', 'forget', digestOf(LOAN))
    assert.equal(kept.status, 1)
    assert.match(kept.stderr, new RegExp(`${digestOf(LOAN)}: held for ott$`, 'm'))

    const released = await officer('archive', 'release', '--case', 'ott')
    assert.match(released.stdout, /^ott: closed: 2 messages released, 0 held on by other cases$/m)
    const again = await officer('archive', 'release', '--case', 'ott')
    assert.equal(again.status, 1)
    assert.match(again.stderr, /CASE_STATE: case ott is closed/)

    const { status, stdout, stderr } = await officer('archive', 'forget', `orders/${digestOf(LOAN)}`)
    assert.equal(status, 0)
    assert.match(stdout, /: forgotten$/m)
    assert.match(stderr, /stays, addresses and subject included/)
    assert.equal((await run('archive', 'get', digestOf(LOAN))).status, 1)
    assert.match((await run('ledger', 'verify')).stdout, /^orders: verified/m)
    const verified = await run('archive', 'verify')
    assert.deepEqual([verified.status, verified.stderr], [0, ''])
  })

  test('keeps longer, and what is kept is not deleted', async () => {
    const extended = await officer('archive', 'retention', 'extend', '--until', '2090-01-01')
    assert.match(extended.stdout, /^1 message kept until 2090-01-01T00:00:00\.000Z; 0 kept as long already$/m)

    assert.match(
      (await officer('archive', 'retention', 'delete')).stdout,
      /^0 messages deleted, 1 kept by their retention$/m,
    )
  })
})

describe('an order that cannot be meant', () => {
  for (const [name, command, expected] of [
    ['without a reason', ['archive', 'release', '--case', 'ott'], /--reason/],
    ['for no reason', ['archive', 'release', '--case', 'ott', '--reason', ' '], /--reason: empty/],
    ['by nobody', ['archive', 'release', '--case', 'ott', '--reason', 'x', '--by', ''], /--by: empty/],
    ['with a story', ['archive', 'release', '--case', 'ott', '--reason', 'x'.repeat(501)], /501 characters/],
    [
      'of a case with a name that is none',
      ['archive', 'hold', '--case', '../x', '--reason', 'x'],
      /"..\/x" is not the name of a case/,
    ],
    [
      'until a day that is past',
      ['archive', 'retention', 'extend', '--until', '2020-01-01', '--reason', 'x'],
      /is past/,
    ],
    [
      'on a day that is none',
      ['archive', 'retention', 'simulate', '--on', 'tomorrow'],
      /tomorrow is not a time/,
    ],
    [
      'on a day that there is not',
      ['archive', 'retention', 'simulate', '--on', '2026-02-31'],
      /2026-02-31 is not a time/,
    ],
    [
      'to forget what is not named whole',
      ['archive', 'forget', 'abc123', '--reason', 'x'],
      /abc123: expected a whole SHA-256/,
    ],
  ] as const)
    test(`${name} changes nothing and is a mistake of usage`, async () => {
      const { status, stderr } = await run(...command)

      assert.equal(status, 2)
      assert.match(stderr, expected)
    })

  test('to hold for a case that was never opened says what to do', async () => {
    const { status, stderr } = await run('archive', 'hold', '--case', 'unheard', '--reason', 'x')

    assert.equal(status, 1)
    assert.match(stderr, /CASE_STATE: there is no case unheard\n.*cases list/)
  })
})
