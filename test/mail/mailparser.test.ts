import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { corpus, corpusMissing, withoutBareCr } from '../support/corpus.ts'
import { listedEach } from '../support/corpus-document.ts'
import { type Reading, readingOf, readWithMailparser } from '../support/mailparser-oracle.ts'
import { sampleMessages } from '../support/sample-messages.ts'

// mailparser reads the same messages. Where it reads something else docs/corpus.md says who is right, and why.

/** Names of what two readings do not agree on. The text of ours is that of the first part, mailparser's that of all. */
function disagreements(ours: Reading, theirs: Reading): string[] {
  return (Object.keys(ours) as (keyof Reading)[]).filter((field) => {
    if (field === 'text' && ours.text !== '') return !theirs.text.startsWith(ours.text)
    return JSON.stringify(ours[field]) !== JSON.stringify(theirs[field])
  })
}

describe('mailparser and we', () => {
  for (const { name, octets } of sampleMessages().filter(({ name }) => name !== 'malformed'))
    test(`agree on a message of our own: ${name}`, async () => {
      assert.deepEqual(
        disagreements(readingOf(await parseMessage(octets)), await readWithMailparser(octets)),
        [],
      )
    })

  test('agree on the corpus, but for what docs/corpus.md lists', { skip: corpusMissing() }, async () => {
    const found: string[] = []
    for (const { name, octets } of corpus()) {
      const ours = readingOf(await parseMessage(octets))
      const theirs = await readWithMailparser(withoutBareCr(octets))
      found.push(...disagreements(ours, theirs).map((field) => `${name}: ${field}`))
    }

    assert.deepEqual(found.sort(), listedEach('Against mailparser'))
  })
})
