import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { jsonLines } from '../support/cli.ts'
import { messagesAsked, openLargeArchive } from './large-archive.ts'

// What seals, searches, exports and a replay that sends nothing cost, on an archive of files with many messages of 2 KB:
// `node test/bench/evidence.bench.ts --messages 100000`.

const messages = messagesAsked()
const archive = await openLargeArchive(messages)
try {
  await archive.measure(['ledger', 'seal'])
  for (const query of [
    ['--from', 'sender7@*', '--subject', 'invoice meadow'],
    ['--since', '2026-01-02', '--before', '2026-01-03'],
  ])
    await archive.measure(['archive', 'search', ...query, '--limit', String(messages)])
  for (const format of ['eml', 'mbox', 'bundle']) {
    const output = join(archive.path, format)
    const [report] = jsonLines(
      await archive.measure(['archive', 'export', '--format', format, '--output', output]),
    )
    assert.deepEqual([report?.messages, report?.errors], [messages, 0])
    rmSync(output, { recursive: true })
  }
  const [replayed] = jsonLines(await archive.measure(['replay', '--all', '--dry-run']))
  assert.equal(replayed?.messages, messages)
} finally {
  archive.remove()
}
