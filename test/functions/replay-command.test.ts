import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openLocalStores } from '../../functions/local-stores.ts'
import type { Event } from '../../shared/contract/event.ts'
import { CliFolder, jsonLines, mailboxOn, runCli, startCli } from '../support/cli.ts'
import { startImapServer } from '../support/imap-server.ts'
import { sampleMessages } from '../support/sample-messages.ts'

const QUEUES = { default: 'mail-events', again: 'again-events' }
const folder = new CliFolder()
after(() => folder.remove())
const SAMPLES = sampleMessages().map(({ octets }) => octets)
const MANY = Array.from({ length: 120 }, (_, n) =>
  Buffer.from(
    `From: a@x.example\r\nTo: b@x.example\r\nSubject: number ${n}\r\nMessage-ID: <${n}@x.example>\r\n\r\nHello.\r\n`,
  ),
)
let config: string
const run = (...command: string[]) =>
  runCli([...command, '--config', config, folder.local('samples')], { PASSWORD: 'testpass' })

before(async () => {
  for (const [name, messages] of [
    ['samples', SAMPLES],
    ['many', MANY],
  ] as const) {
    const imap = await startImapServer({ messages: messages.map((raw) => ({ raw })) })
    config = folder.write(
      'mailsluice.yaml',
      JSON.stringify({ queues: QUEUES, mailboxes: [mailboxOn(imap), mailboxOn(imap, { id: 'empty' })] }),
    )
    const drained = await runCli(['drain', 'orders', '--config', config, folder.local(name)], {
      PASSWORD: 'testpass',
    })
    assert.equal(drained.status, 0, drained.stderr)
    await imap.close()
  }
})

/** Takes everything that a queue has. */
async function taken(name: string, queue: keyof typeof QUEUES = 'default'): Promise<Event[]> {
  const stores = openLocalStores({ queues: QUEUES }, join(folder.path, name))
  const events: Event[] = []
  try {
    while (true) {
      const received = await stores.queues.receive(queue, { waitSeconds: 0, visibilitySeconds: 60 })
      if (received.length === 0) return events
      for (const { body, remove } of received) {
        events.push(JSON.parse(body) as Event)
        await remove()
      }
    }
  } finally {
    await stores.close()
  }
}

const idsOf = (events: readonly Event[]): string[] => events.map(({ id }) => id).sort()

describe('replay', () => {
  let first: Event[]
  before(async () => {
    first = await taken('samples')
  })

  test('announces every message again under the ids that its events had, marked as one replay', async () => {
    const { status, stdout, stderr } = await run('replay', '--all', '--json')
    assert.deepEqual([status, stderr], [0, ''])
    const [report, ...more] = jsonLines(stdout)
    assert.deepEqual(more, [])
    const { replay, ...counts } = report as { replay: string }
    assert.match(replay, /^replay-[0-9a-f-]{36}$/)
    assert.deepEqual(counts, {
      messages: SAMPLES.length,
      sent: { default: SAMPLES.length },
      failures: [],
      failed: 0,
      resumed: 0,
    })

    const again = await taken('samples')
    assert.deepEqual(idsOf(again), idsOf(first))
    assert.deepEqual(new Set(again.map((event) => event.replay)), new Set([replay]))
    assert.ok(first.every((event) => event.replay === undefined))
  })

  test('announces what the query means, to the queue that it is told, and says so', async () => {
    const { status, stdout } = await run('replay', '--class', 'bounce', '--queue', 'again')

    assert.equal(status, 0)
    assert.match(stdout, /^1 message announced again as replay-[0-9a-f-]+: 1 event to again$/m)
    assert.deepEqual([(await taken('samples', 'again')).length, (await taken('samples')).length], [1, 0])
  })

  test('announces to where routes send them now, whatever they said when it was archived', async () => {
    const routes = [{ queue: 'again', when: { class: 'bounce' } }]
    const today = folder.write(
      'routes.yaml',
      JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), routes }),
    )
    const words = ['replay', '--all', '--json', '--config', today, folder.local('samples')]
    const { status, stdout, stderr } = await runCli(words, { PASSWORD: 'testpass' })

    assert.equal(status, 0, stderr)
    assert.deepEqual(jsonLines(stdout)[0]?.sent, { default: SAMPLES.length - 1, again: 1 })
    const ids = [...(await taken('samples')), ...(await taken('samples', 'again'))]
    assert.deepEqual(idsOf(ids), idsOf(first))
  })

  test('of a mailbox that has nothing announces nothing', async () => {
    const { status, stdout } = await run('replay', '--mailbox', 'empty')
    assert.equal(status, 0)
    assert.match(stdout, /^0 messages announced again as replay-[0-9a-f-]+$/m)
  })

  test('sends nothing with --dry-run, and tells what it would', async () => {
    const text = await run('replay', '--all', '--dry-run')
    const [report] = jsonLines((await run('replay', '--all', '--dry-run', '--json')).stdout)

    assert.match(text.stdout, new RegExp(`^${SAMPLES.length} messages would be announced again: `))
    assert.deepEqual(report?.dryRun, true)
    assert.deepEqual(report?.sent, { default: SAMPLES.length })
    assert.deepEqual(await taken('samples'), [])
  })

  test('with --diff announces nothing, and finds nothing where the same parser has read', async () => {
    const { status, stdout, stderr } = await run('replay', '--all', '--diff')

    assert.deepEqual([status, stdout], [0, ''])
    assert.match(
      stderr,
      new RegExp(`^${SAMPLES.length} messages parsed again, 0 of them are read in another way`),
    )
    assert.deepEqual(await taken('samples'), [])
  })

  for (const [what, words, said] of [
    ['no query', [], /no query: expected options that choose messages, or --all/],
    [
      'a queue that is not configured',
      ['--all', '--queue', 'none'],
      /none is not configured; there are default, again/,
    ],
    ['a mailbox that is not configured', ['--mailbox', 'none'], /none/],
    ['a rate of nothing', ['--all', '--rate', '0'], /whole number above 0/],
    ['a time that is none', ['--since', 'yesterday'], /--since: "yesterday": expected YYYY-MM-DD/],
    [
      'a place kept for what announces nothing',
      ['--all', '--diff', '--resume', 'x'],
      /cannot be used with option '--diff'/,
    ],
    [
      'a place kept for a dry run',
      ['--all', '--dry-run', '--resume', 'x'],
      /cannot be used with option '--dry-run'/,
    ],
  ] as const)
    test(`refuses ${what} with status 2`, async () => {
      const { status, stdout, stderr } = await run('replay', ...words)
      assert.deepEqual([status, stdout], [2, ''])
      assert.match(stderr, said)
    })
})

describe('replay --resume', () => {
  const file = join(folder.path, 'replay.json')
  const words = (...more: string[]) => [
    ...['replay', '--all', '--rate', '100', '--resume', file, '--json', ...more],
    ...['--config', config, folder.local('many')],
  ]

  test('goes on after SIGKILL, as the same replay, with at most one batch repeated each time', async () => {
    const first = idsOf(await taken('many'))
    assert.equal(first.length, MANY.length)
    const marks = new Set<string>()
    let deaths = 0
    for (const from of [1, 35, 72]) {
      const replaying = startCli(words())
      while (replaying.child.exitCode === null && reached() < from)
        await new Promise((resolve) => setTimeout(resolve, 5))
      replaying.child.kill('SIGKILL')
      if ((await replaying.ended).signal === 'SIGKILL') deaths++
      marks.add((JSON.parse(readFileSync(file, 'utf8')) as { replay: string }).replay)
    }
    const { status, stdout, stderr } = await startCli(words()).ended
    const [report] = jsonLines(stdout)

    assert.deepEqual([status, report?.messages, report?.sent], [0, MANY.length, { default: MANY.length }])
    assert.match(stderr, /going on with replay-\S+ after \d+ messages/)
    assert.ok((report?.resumed as number) >= 72)
    assert.equal(existsSync(file), false)
    const events = await taken('many')
    assert.deepEqual([...new Set(idsOf(events))], first)
    const repeats = events.length - first.length
    assert.ok(repeats <= 10 * deaths, `${repeats} repeats of ${deaths} deaths`)
    assert.deepEqual(new Set(events.map((event) => event.replay)), marks)
    assert.deepEqual([marks.size, deaths], [1, 3])
  })

  test('refuses a file that is not its own, or of another query or queue', async () => {
    const other = folder.write('other.json', '{}')
    const foreign = await runCli(words('--resume', other))
    assert.equal(foreign.status, 2)
    assert.match(foreign.stderr, /is not of a replay/)
    assert.equal(readFileSync(other, 'utf8'), '{}')

    const asked = createHash('sha256').update('another').digest('hex')
    const tally = { messages: 1, sent: {}, failed: 0, failures: [] }
    const begun = folder.write('begun.json', JSON.stringify({ v: 1, asked, replay: 'replay-1', tally }))
    const { status, stderr } = await runCli(words('--resume', begun))
    assert.equal(status, 2)
    assert.match(stderr, /of a replay of another query or to another queue/)
  })

  /** Messages that the file says are done. */
  function reached(): number {
    if (!existsSync(file)) return 0
    return (JSON.parse(readFileSync(file, 'utf8')) as { tally: { messages: number } }).tally.messages
  }
})
