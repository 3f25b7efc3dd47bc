import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mailboxId } from '../../shared/contract/ids.ts'
import { CliFolder, jsonLines, mailboxOn, startCli } from '../support/cli.ts'
import { writeSyntheticArchive } from '../support/synthetic-archive.ts'

// Time and memory of verification, on an archive of files with many messages of 2 KB: `node test/bench/verify.bench.ts [messages]`.

const MESSAGES = Number(process.argv[2] ?? 100_000)
const PEAK = fileURLToPath(new URL('../support/peak-memory.mjs', import.meta.url))

const folder = new CliFolder()
const config = folder.config('bench.yaml', mailboxOn({ port: 1 }))
const startedMs = performance.now()
await writeSyntheticArchive(join(folder.path, 'bench', 'archive'), mailboxId('orders'), MESSAGES)
console.log(`${MESSAGES} messages written in ${seconds(startedMs)} s; load ${loadavg()[0]?.toFixed(1)}`)

for (const command of [
  ['ledger', 'verify'],
  ['archive', 'verify'],
  ['archive', 'verify', '--sample', '5'],
  ['archive', 'verify', '--deep'],
]) {
  const peak = join(folder.path, 'peak')
  const fromMs = performance.now()
  const { status, stdout, stderr } = await startCli(
    [...command, '--json', '--config', config, folder.local('bench')],
    { PEAK_MEMORY: peak, NODE_OPTIONS: `--import ${PEAK}` },
  ).ended
  assert.equal(status, 0, stderr)
  const verified = jsonLines(stdout).find(({ mailbox }) => mailbox === 'orders')
  assert.equal(verified?.messages, MESSAGES)
  console.log(`${command.join(' ')}: ${seconds(fromMs)} s, ${readFileSync(peak, 'utf8')} MiB`)
}
folder.remove()

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1000).toFixed(1)
}
