import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CliFolder, jsonLines, mailboxOn, runCli } from '../support/cli.ts'
import { startImapServer } from '../support/imap-server.ts'
import { sampleMessages } from '../support/sample-messages.ts'

const LAUNCH = fileURLToPath(new URL('../../functions/launch.mjs', import.meta.url))
const folder = new CliFolder()
after(() => folder.remove())
const file = (name: string): string => join(folder.path, name)
let config: string
const run = (...command: string[]) =>
  runCli([...command, '--config', config, folder.local('local')], { PASSWORD: 'testpass' })

before(async () => {
  const imap = await startImapServer({ messages: sampleMessages().map(({ octets }) => ({ raw: octets })) })
  config = folder.config('mailsluice.yaml', mailboxOn(imap))
  await run('drain')
  await imap.close()
})

/** A process without network, configuration or environment, in an empty folder. */
function offline(...words: string[]) {
  const empty = file('empty')
  mkdirSync(empty, { recursive: true })
  const isolated = spawnSync('unshare', ['-rn', 'true']).status === 0
  if (!isolated) console.log('without unshare the process has a network that it could use')
  const command = [process.execPath, LAUNCH, 'archive', 'verify-proof', ...words]
  const [program = '', ...rest] = isolated ? ['unshare', '-rn', ...command] : command
  return spawnSync(program, rest, { cwd: empty, env: { PATH: process.env.PATH }, encoding: 'utf8' })
}

describe('a proof on the command line', () => {
  test('is to be had for sealed messages, and verifies without configuration and network', async () => {
    const [first] = jsonLines((await run('archive', 'list', '--json')).stdout)
    const id = first?.sha256 as string
    const early = await run('archive', 'prove', id)
    assert.equal(early.status, 1)
    assert.match(early.stderr, /NOT_SEALED/)

    const sealed = await run('ledger', 'seal')
    assert.equal(sealed.status, 0, sealed.stderr)
    assert.match(sealed.stdout, /^seal 1: 14 lines of the ledgers, root [0-9a-f]{64}/)
    assert.match((await run('ledger', 'seal')).stderr, /Nothing to seal/)
    writeFileSync(file('key.pem'), (await run('ledger', 'seal', '--public-key')).stdout)
    await run('archive', 'get', id, '--output', file('message.eml'))
    const proved = await run('archive', 'prove', id.slice(0, 12), '--output', file('proof.json'))
    assert.equal(proved.status, 0, proved.stderr)

    const verified = offline(file('message.eml'), file('proof.json'), '--key', file('key.pem'))
    assert.equal(verified.status, 0, verified.stderr)
    assert.match(verified.stdout, /^verified: .*message\.eml/)
    assert.match(verified.stdout, /from mailbox orders when seal 1 was made/)
  })

  test('that was tampered with, or is for another message or key, is refused with status 1', () => {
    const write = (name: string, content: string): string => folder.write(name, content)
    const message = readFileSync(file('message.eml'), 'latin1')
    const proof = readFileSync(file('proof.json'), 'utf8')
    const [good, key] = [file('message.eml'), file('key.pem')]
    const other = write(
      'other.pem',
      '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n',
    )
    for (const [words, said] of [
      [
        [write('m.eml', message.replace(/.\r\n$/, '!\r\n')), file('proof.json'), '--key', key],
        /the message is another one/,
      ],
      [[good, write('p.json', proof.replace('INBOX', 'OTHER')), '--key', key], /does not lead to the root/],
      [[good, file('proof.json'), '--key', other], /not signed by this key/],
      [[good, file('message.eml'), '--key', key], /not JSON/],
    ] as const) {
      const { status, stderr } = offline(...words)
      assert.equal(status, 1, stderr)
      assert.match(stderr, said)
    }
    const missing = offline(good, file('none.json'), '--key', key)
    assert.equal(missing.status, 2, missing.stderr)
    assert.equal(offline(good, file('proof.json')).status, 2)
  })
})
