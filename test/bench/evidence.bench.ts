import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mailboxId } from '../../shared/contract/ids.ts'
import { CliFolder, mailboxOn, startCli } from '../support/cli.ts'
import { writeSyntheticArchive } from '../support/synthetic-archive.ts'

// Time and memory of seals, search and export, on an archive of files with many messages of 2 KB: `node test/bench/evidence.bench.ts [messages]`.

const MESSAGES = Number(process.argv[2] ?? 100_000)
const PEAK = fileURLToPath(new URL('../support/peak-memory.mjs', import.meta.url))

const folder = new CliFolder()
const config = folder.config('bench.yaml', mailboxOn({ port: 1 }))
const startedMs = performance.now()
await writeSyntheticArchive(join(folder.path, 'bench', 'archive'), mailboxId('orders'), MESSAGES)
console.log(`${MESSAGES} messages written in ${seconds(startedMs)} s; load ${loadavg()[0]?.toFixed(1)}`)

for (const command of [
  ['ledger', 'seal'],
  ['archive', 'search', '--from', 'sender7@*', '--subject', 'invoice meadow', '--limit', '100000'],
  ['archive', 'search', '--since', '2026-02-01', '--before', '2026-02-02', '--limit', '100000'],
  ['archive', 'export', '--format', 'eml', '--output', 'eml'],
  ['archive', 'export', '--format', 'mbox', '--output', 'mbox'],
  ['archive', 'export', '--format', 'bundle', '--output', 'bundle'],
]) {
  const peak = join(folder.path, 'peak')
  const at = command.indexOf('--output')
  const to = at < 0 ? undefined : join(folder.path, command[at + 1] as string)
  const words = to === undefined ? command : [...command.slice(0, at + 1), to]
  const fromMs = performance.now()
  const { status, stdout, stderr } = await startCli(
    [...words, '--json', '--config', config, folder.local('bench')],
    { PEAK_MEMORY: peak, NODE_OPTIONS: `--import ${PEAK}` },
  ).ended
  assert.equal(status, 0, stderr)
  const lines = stdout.split('\n').length - 1
  console.log(`${command.join(' ')}: ${seconds(fromMs)} s, ${readFileSync(peak, 'utf8')} MiB, ${lines} lines`)
  if (to !== undefined) rmSync(to, { recursive: true })
}
folder.remove()

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1000).toFixed(1)
}
