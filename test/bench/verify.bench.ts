import assert from 'node:assert/strict'
import { jsonLines } from '../support/cli.ts'
import { messagesAsked, openLargeArchive } from './large-archive.ts'

// What verification costs, on an archive of files with many messages of 2 KB: `node test/bench/verify.bench.ts --messages 100000`.

const messages = messagesAsked()
const archive = await openLargeArchive(messages)
try {
  for (const command of [
    ['ledger', 'verify'],
    ['archive', 'verify'],
    ['archive', 'verify', '--sample', '5'],
    ['archive', 'verify', '--deep'],
  ]) {
    const verified = jsonLines(await archive.measure(command)).find(({ mailbox }) => mailbox === 'orders')
    assert.equal(verified?.messages, messages)
  }
} finally {
  archive.remove()
}
