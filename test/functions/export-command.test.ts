import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { mailboxId } from '../../shared/contract/ids.ts'
import { EXPORT } from '../../shared/limits.ts'
import { checkBundles, checkSums } from '../support/bundle-check.ts'
import { CliFolder, jsonLines, mailboxOn, runCli, startCli } from '../support/cli.ts'
import { startImapServer } from '../support/imap-server.ts'
import { without } from '../support/programs.ts'
import { sampleMessages } from '../support/sample-messages.ts'
import { digestOf } from '../support/stores.ts'
import { writeSyntheticArchive } from '../support/synthetic-archive.ts'

const folder = new CliFolder()
after(() => folder.remove())
const SAMPLES = sampleMessages().map(({ octets }) => octets)
const at = (name: string): string => join(folder.path, name)
let config: string
const run = (...command: string[]) =>
  runCli([...command, '--config', config, folder.local('samples')], { PASSWORD: 'testpass' })

before(async () => {
  const imap = await startImapServer({ messages: SAMPLES.map((raw) => ({ raw })) })
  config = folder.config('mailsluice.yaml', mailboxOn(imap), mailboxOn(imap, { id: 'again' }))
  assert.equal((await run('drain', 'orders')).status, 0)
  assert.equal((await run('ledger', 'seal')).status, 0)
  await imap.close()
})

describe('archive export', () => {
  test('is a bundle that sha256sum and openssl alone find good, with every message and its proof', {
    skip: without('unzip', 'sha256sum', 'openssl'),
  }, async () => {
    const { status, stdout, stderr } = await run('archive', 'export', '--output', at('bundle'))
    assert.deepEqual([status, stderr], [0, ''])
    assert.match(stdout, new RegExp(`bundle: ${SAMPLES.length} messages, [\\d.]+ [kM]?B, 1 part\n$`))

    const key = folder.write('key.pem', (await run('ledger', 'seal', '--public-key')).stdout)
    const [part, ...more] = checkBundles(at('bundle'), at('unpacked'), key)
    assert.deepEqual([more, part?.errors], [[], ''])
    assert.deepEqual([...(part?.messages ?? [])].sort(), SAMPLES.map((octets) => digestOf(octets)).sort())
    assert.match(readFileSync(join(part?.folder as string, 'README.txt'), 'utf8'), /openssl pkeyutl -verify/)
  })

  test('says in --json what it wrote', async () => {
    const words = ['--format', 'eml', '--class', 'bounce', '--json']
    const { status, stdout } = await run('archive', 'export', '--output', at('bounces'), ...words)
    const [report, ...more] = jsonLines(stdout)

    assert.deepEqual([status, more], [0, []])
    const { octets, ...counts } = report as { octets: number }
    assert.deepEqual(counts, {
      folder: at('bounces'),
      messages: 1,
      errors: 0,
      parts: 1,
      resumed: 0,
      complete: true,
    })
    checkSums(at('bounces'))
    const [line = ''] = readFileSync(join(at('bounces'), 'SHA256SUMS'), 'utf8').split('\n')
    const file = readFileSync(join(at('bounces'), line.slice(66)))
    assert.deepEqual([digestOf(file), file.length], [line.slice(0, 64), octets])
  })

  test('as mbox comes back by archive import as the same messages', async () => {
    await run('archive', 'export', '--format', 'mbox', '--output', at('mbox'))
    checkSums(at('mbox'))
    const back = (...command: string[]) => runCli([...command, '--config', config, folder.local('back')])
    const imported = await back(
      'archive',
      'import',
      'orders',
      join(at('mbox'), 'orders-0001.mbox'),
      '--as-is',
    )

    assert.equal(imported.status, 0, imported.stderr)
    const digests = jsonLines((await back('archive', 'list', '--json')).stdout).map(({ sha256 }) => sha256)
    // One that does not end its last line gets a line end.
    const ending = SAMPLES.filter((octets) => octets.at(-1) === 0x0a).map((octets) => digestOf(octets))
    assert.deepEqual(
      ending.filter((digest) => !digests.includes(digest)),
      [],
    )
    assert.equal(digests.length, SAMPLES.length)
  })

  test('counts with --dry-run, and writes nothing', async () => {
    const text = await run('archive', 'export', '--output', at('dry'), '--dry-run')
    const json = await run(
      'archive',
      'export',
      '--output',
      at('dry'),
      '--class',
      'bounce',
      '--dry-run',
      '--json',
    )

    assert.match(text.stdout, new RegExp(`^${SAMPLES.length} messages would be written, `))
    const [counted] = jsonLines(json.stdout)
    assert.deepEqual([counted?.messages, counted?.dryRun], [1, true])
    assert.equal(existsSync(at('dry')), false)
  })

  test('again does nothing; with another query or format it is refused and the folder left as it is', async () => {
    const words = ['archive', 'export', '--output', at('twice'), '--format', 'eml']
    await run(...words)
    const sums = readFileSync(join(at('twice'), 'SHA256SUMS'), 'utf8')
    const again = await run(...words)
    assert.match(again.stdout, /1 part, 1 of them by an earlier run/)
    for (const other of [
      ['--class', 'bounce'],
      ['--format', 'mbox'],
    ]) {
      const { status, stderr } = await run(...words, ...other)
      assert.equal(status, 1)
      assert.match(stderr, /EXPORT_FAILED: .*holds an export of another query or format/)
    }
    assert.equal(readFileSync(join(at('twice'), 'SHA256SUMS'), 'utf8'), sums)
  })

  test('of a mailbox that has nothing is an empty list of sums', async () => {
    const { status, stdout } = await run('archive', 'export', '--output', at('none'), '--mailbox', 'again')
    assert.equal(status, 0)
    assert.match(stdout, /0 messages, 0 B, 0 parts/)
    assert.equal(readFileSync(join(at('none'), 'SHA256SUMS'), 'utf8'), '')
  })

  test('fails for a message that is gone, and has the others', async () => {
    const copy = at('gone')
    const [gone, left] = SAMPLES as [Buffer, Buffer]
    const lost = digestOf(gone)
    const onCopy = (...command: string[]) =>
      runCli([...command, '--config', config, `--local=${copy}`], { PASSWORD: 'testpass' })
    writeFileSync(at('lost.eml'), gone)
    writeFileSync(at('kept.eml'), left)
    await onCopy('archive', 'import', 'orders', at('lost.eml'), at('kept.eml'))
    const object = join(copy, 'archive', 'raw', 'orders', lost.slice(0, 2), `${lost}.eml`)
    rmSync(object)
    const { status, stderr } = await onCopy('archive', 'export', '--format', 'eml', '--output', at('rest'))

    assert.equal(status, 1)
    assert.match(stderr, /1 message could not be read; mailsluice archive verify says which and why/)
    checkSums(at('rest'))
    assert.match(
      readFileSync(join(at('rest'), 'SHA256SUMS'), 'utf8'),
      new RegExp(`^${digestOf(left)}  [^\n]+\n$`),
    )
  })

  for (const [what, words, said] of [
    ['no folder', [], /required option '--output <dir>'/],
    [
      'a format that there is not',
      ['--output', 'x', '--format', 'pst'],
      /Allowed choices are bundle, eml, mbox/,
    ],
    ['a case that there is not', ['--output', 'x', '--case', 'none'], /there is no case none/],
    ['a time that is none', ['--output', 'x', '--before', '1.3.'], /--before: "1\.3\.": expected YYYY-MM-DD/],
    ['a class that there is not', ['--output', 'x', '--class', 'spam'], /--class: "spam": expected one of/],
  ] as const)
    test(`refuses ${what} with status 2`, async () => {
      const { status, stdout, stderr } = await run('archive', 'export', ...words)
      assert.deepEqual([status, stdout], [2, ''])
      assert.match(stderr, said)
      assert.equal(existsSync('x'), false)
    })
})

describe('an export that is killed', () => {
  const messages = EXPORT.partMessages + 300
  const words = (format: string, output: string) => [
    ...['archive', 'export', '--format', format, '--output', output, '--json'],
    ...['--config', config, folder.local('many')],
  ]
  before(() => writeSyntheticArchive(join(at('many'), 'archive'), mailboxId('orders'), messages))

  /** Kills it once `reached` says so. */
  async function killed(command: readonly string[], reached: () => boolean): Promise<void> {
    const exporting = startCli(command)
    while (exporting.child.exitCode === null && !reached())
      await new Promise((resolve) => setTimeout(resolve, 5))
    exporting.child.kill('SIGKILL')
    assert.equal((await exporting.ended).signal, 'SIGKILL')
  }

  test('within its first part, then after it, goes on: every .eml file is there, whole, once', async () => {
    const command = words('eml', at('killed-eml'))
    await killed(command, () => existsSync(join(at('killed-eml'), 'orders', 'ff')))
    assert.equal(existsSync(join(at('killed-eml'), 'part-0001.sums')), false)
    await killed(command, () => existsSync(join(at('killed-eml'), 'part-0001.sums')))
    assert.equal(existsSync(join(at('killed-eml'), 'SHA256SUMS')), false)
    const { status, stdout } = await startCli(command).ended
    const [report] = jsonLines(stdout)

    assert.deepEqual([status, report?.messages, report?.parts], [0, messages, 2])
    checkSums(at('killed-eml'))
    const files = readdirSync(join(at('killed-eml'), 'orders'), { recursive: true, withFileTypes: true })
    const names = files.filter((each) => each.isFile()).map(({ name }) => name)
    assert.equal(names.length, messages)
    assert.deepEqual(
      names.filter((name) => !name.endsWith('.eml')),
      [],
    )
  })

  test('as a bundle keeps the part that was complete as it is, and ends with all', {
    skip: without('unzip', 'sha256sum', 'openssl'),
  }, async () => {
    const command = words('bundle', at('killed-bundle'))
    const sealed = await runCli(['ledger', 'seal', '--config', config, folder.local('many')])
    assert.equal(sealed.status, 0, sealed.stderr)
    const state = (): { parts: { sha256: string }[] } =>
      JSON.parse(readFileSync(join(at('killed-bundle'), 'export.json'), 'utf8'))
    await killed(
      command,
      () => existsSync(join(at('killed-bundle'), 'export.json')) && state().parts.length > 0,
    )
    const [first] = state().parts
    const { status, stdout } = await startCli(command).ended
    const [report] = jsonLines(stdout)

    assert.deepEqual([status, report?.messages, report?.parts, report?.resumed], [0, messages, 2, 1])
    const key = (await runCli(['ledger', 'seal', '--public-key', '--config', config, folder.local('many')]))
      .stdout
    const parts = checkBundles(at('killed-bundle'), at('killed-unpacked'), folder.write('many.pem', key))
    assert.equal(new Set(parts.flatMap((part) => part.messages)).size, messages)
    assert.equal(state().parts[0]?.sha256, first?.sha256)
  })
})
