import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { CliFolder, jsonLines, mailboxOn, runCli } from '../support/cli.ts'
import { corpus, corpusMissing } from '../support/corpus.ts'
import { sampleMessages } from '../support/sample-messages.ts'
import { digestOf } from '../support/stores.ts'

const folder = new CliFolder()
after(() => folder.remove())
const config = folder.config(
  'mailsluice.yaml',
  mailboxOn({ port: 1 }),
  mailboxOn({ port: 1 }, { id: 'copies' }),
)
const SAMPLES = sampleMessages().map(({ octets }) => octets)

/** The command line on an archive of this name. */
const on =
  (name: string) =>
  (...command: string[]) =>
    runCli([...command, '--config', config, folder.local(name)])

async function archived(run: ReturnType<typeof on>, mailbox = 'orders'): Promise<Record<string, unknown>[]> {
  return jsonLines((await run('archive', 'list', mailbox, '--json')).stdout)
}

function emlFolder(name: string, messages: readonly (Buffer | string)[]): string {
  const path = join(folder.path, name)
  mkdirSync(join(path, 'deep'), { recursive: true })
  for (const [index, octets] of messages.entries())
    writeFileSync(join(path, index % 2 ? 'deep' : '.', `${String(index).padStart(4, '0')}.eml`), octets)
  return path
}

describe('archive import', () => {
  test('takes a folder of .eml octet by octet, records it as an import, and tells nobody', async () => {
    const run = on('eml')
    const source = emlFolder('eml-files', SAMPLES)
    const { status, stdout, stderr } = await run('archive', 'import', 'orders', source)

    assert.equal(status, 0, stderr)
    assert.match(
      stdout,
      new RegExp(`: ${SAMPLES.length} messages, .*: ${SAMPLES.length} archived, 0 there already`),
    )
    const list = await archived(run)
    assert.deepEqual(
      list.map(({ sha256 }) => sha256).sort(),
      SAMPLES.map((octets) => digestOf(octets)).sort(),
    )
    assert.deepEqual(new Set(list.map(({ outcome }) => outcome)), new Set(['imported']))
    const [segment] = jsonLines((await run('ledger', 'show', '--json')).stdout)
    assert.deepEqual(
      { ...(segment?.server as object) },
      { protocol: 'import', host: source, port: 0, user: 'testuser', tls: 'none' },
    )
    assert.match((await run('events', 'receive')).stderr, /nothing to receive/)
    assert.equal((await run('ledger', 'verify')).status, 0)
  })

  test('twice is once, and says so', async () => {
    const run = on('eml')
    const { stdout } = await run('archive', 'import', 'orders', join(folder.path, 'eml-files'))

    assert.match(stdout, new RegExp(`0 archived, ${SAMPLES.length} there already`))
    assert.equal((await archived(run)).length, SAMPLES.length)
    assert.equal(
      jsonLines((await run('ledger', 'show', 'orders', '--json')).stdout).filter(
        ({ type }) => type === 'segment',
      ).length,
      1,
    )
  })

  test('has from an mbox of archive export what was exported', async () => {
    const run = on('eml')
    const to = join(folder.path, 'exported')
    assert.equal(
      (await run('archive', 'export', '--output', to, '--format', 'mbox', '--mailbox', 'orders')).status,
      0,
    )
    const { status, stderr } = await run('archive', 'import', 'copies', join(to, 'orders-0001.mbox'))

    assert.equal(status, 0, stderr)
    const whole = (list: Record<string, unknown>[]) => list.map(({ sha256 }) => sha256).sort()
    // A message that does not end its last line cannot come back as it was: an mbox ends it.
    const unended = SAMPLES.filter((octets) => octets.at(-1) !== 0x0a).map(
      (octets) => digestOf(octets) as string,
    )
    const copies = whole(await archived(run, 'copies'))
    const expected = whole(await archived(run)).filter((digest) => !unended.includes(digest as string))
    assert.deepEqual(
      copies.filter((digest) => expected.includes(digest)),
      expected,
    )
    assert.equal(copies.length, SAMPLES.length)
  })

  test('reads an mbox of Unix: quoted lines, line ends, an empty body, dates', async () => {
    const run = on('mbox')
    const mbox = [
      'From ada@example.net Tue Mar  3 09:03:00 2026',
      'Subject: one',
      '',
      '>From here',
      '>>From there',
      'not From here',
      '',
      'From the middle of a paragraph, for no empty line is before: it is',
      '',
      'From - Tue Mar  3 10:00:00 2026',
      'Subject: two',
      '',
      '',
    ].join('\n')
    const file = folder.write('unix.mbox', mbox)
    const { status, stderr } = await run('archive', 'import', 'orders', file)
    assert.equal(status, 0, stderr)
    const list = await archived(run)

    assert.deepEqual(
      list.map(({ subject, internalDate }) => [subject, internalDate]),
      [
        ['one', '2026-03-03T09:03:00.000Z'],
        [undefined, undefined],
        ['two', '2026-03-03T10:00:00.000Z'],
      ],
    )
    const { stdout } = await run('archive', 'get', list[0]?.sha256 as string)
    assert.equal(stdout, 'Subject: one\r\n\r\nFrom here\r\n>From there\r\nnot From here\r\n')
  })

  test('reads a Maildir with its folders and flags, and leaves out what is not delivered', async () => {
    const run = on('maildir')
    const root = join(folder.path, 'Maildir')
    for (const each of ['cur', 'new', 'tmp', '.Sent/cur', '.Sent/new'])
      mkdirSync(join(root, each), { recursive: true })
    const seen = join(root, 'cur', '1.host:2,FS')
    writeFileSync(seen, 'Subject: seen\n\nHello.\n')
    utimesSync(seen, 1_700_000_000, 1_700_000_000)
    writeFileSync(join(root, 'new', '2.host'), 'Subject: new\n\nHello.\n')
    writeFileSync(join(root, 'tmp', '3.host'), 'Subject: half\n')
    writeFileSync(join(root, '.Sent/cur', '4.host:2,'), 'Subject: sent\r\n\r\nBare\nline end.\r\n')
    const { status, stderr } = await run('archive', 'import', 'orders', root)
    assert.equal(status, 0, stderr)
    const list = await archived(run)

    assert.deepEqual(list.map(({ subject }) => subject).sort(), ['new', 'seen', 'sent'])
    const one = list.find(({ subject }) => subject === 'seen')
    assert.deepEqual([one?.flags, one?.internalDate], [['\\Flagged', '\\Seen'], '2023-11-14T22:13:20.000Z'])
    assert.equal(one?.sha256, digestOf('Subject: seen\r\n\r\nHello.\r\n'))
    const sent = list.find(({ subject }) => subject === 'sent')
    assert.equal(sent?.sha256, digestOf(readFileSync(join(root, '.Sent/cur', '4.host:2,'))))
  })

  test('announces where it is asked to, and reads all and archives nothing in a dry run', async () => {
    const run = on('announced')
    const source = emlFolder('two', SAMPLES.slice(0, 2))
    const dry = await run('archive', 'import', 'orders', source, '--dry-run')
    assert.match(dry.stdout, /nothing is archived in a dry run/)
    assert.deepEqual(await archived(run), [])

    assert.match(
      (await run('archive', 'import', 'orders', source, '--announce')).stdout,
      /2 archived and announced/,
    )
    assert.equal(jsonLines((await run('events', 'receive', '--json')).stdout).length, 2)
  })

  test('goes on beside a file that cannot be read, and names it', async () => {
    const run = on('broken')
    const source = emlFolder('broken-files', SAMPLES.slice(0, 2))
    mkdirSync(join(source, 'x.eml'))
    const { status, stdout } = await run('archive', 'import', 'orders', source)
    assert.deepEqual([status, /2 archived/.test(stdout)], [0, true])

    const none = await run('archive', 'import', 'orders', join(folder.path, 'none'))
    assert.equal(none.status, 2)
    assert.match(none.stderr, /none cannot be read/)
    const noMbox = await run('archive', 'import', 'orders', '--format', 'mbox', config)
    assert.equal(noMbox.status, 2)
    assert.match(noMbox.stderr, /is no mbox/)
  })

  test('takes every message of the corpus through .eml, mbox and back', {
    skip: corpusMissing() ?? false,
  }, async () => {
    const run = on('corpus')
    const octets = corpus().map(({ octets }) => octets)
    const source = emlFolder('corpus-files', octets)
    assert.equal((await run('archive', 'import', 'orders', source)).status, 0)
    const to = join(folder.path, 'corpus-exported')
    await run('archive', 'export', '--output', to, '--format', 'mbox', '--mailbox', 'orders')
    await run('archive', 'import', 'copies', join(to, 'orders-0001.mbox'), '--as-is')

    const ended = new Set(
      octets.filter((each) => each.at(-1) === 0x0a).map((each) => digestOf(each) as string),
    )
    const copies = new Set((await archived(run, 'copies')).map(({ sha256 }) => sha256 as string))
    assert.deepEqual(
      [...ended].filter((digest) => !copies.has(digest)),
      [],
    )
  })
})
