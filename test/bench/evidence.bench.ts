import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { openLargeArchive } from './large-archive.ts'

// Time and memory of seals, search and export, on an archive of files with many messages of 2 KB: `node test/bench/evidence.bench.ts [messages]`.

const archive = await openLargeArchive(Number(process.argv[2] ?? 100_000))
for (const command of [
  ['ledger', 'seal'],
  ['archive', 'search', '--from', 'sender7@*', '--subject', 'invoice meadow', '--limit', '100000'],
  ['archive', 'search', '--since', '2026-02-01', '--before', '2026-02-02', '--limit', '100000'],
  ['archive', 'export', '--format', 'eml', '--output', 'eml'],
  ['archive', 'export', '--format', 'mbox', '--output', 'mbox'],
  ['archive', 'export', '--format', 'bundle', '--output', 'bundle'],
]) {
  const at = command.indexOf('--output')
  const to = at < 0 ? undefined : join(archive.path, command[at + 1] as string)
  const words = to === undefined ? command : [...command.slice(0, at + 1), to]
  const { stdout, cost } = await archive.measure(words)
  console.log(`${command.join(' ')}: ${cost}, ${stdout.split('\n').length - 1} lines`)
  if (to !== undefined) rmSync(to, { recursive: true })
}
archive.remove()
