import assert from 'node:assert/strict'
import { jsonLines } from '../support/cli.ts'
import { openLargeArchive } from './large-archive.ts'

// Time and memory of verification, on an archive of files with many messages of 2 KB: `node test/bench/verify.bench.ts [messages]`.

const MESSAGES = Number(process.argv[2] ?? 100_000)

const archive = await openLargeArchive(MESSAGES)
for (const command of [
  ['ledger', 'verify'],
  ['archive', 'verify'],
  ['archive', 'verify', '--sample', '5'],
  ['archive', 'verify', '--deep'],
]) {
  const { stdout, cost } = await archive.measure(command)
  const verified = jsonLines(stdout).find(({ mailbox }) => mailbox === 'orders')
  assert.equal(verified?.messages, MESSAGES)
  console.log(`${command.join(' ')}: ${cost}`)
}
archive.remove()
