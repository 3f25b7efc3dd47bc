import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { corpus, corpusMissing, withoutBareCr } from '../support/corpus.ts'
import { listedEach } from '../support/corpus-document.ts'
import {
  comparableReading,
  type PostalMimeReading,
  readWithPostalMime,
} from '../support/postal-mime-oracle.ts'

// postal-mime reads the same messages. Where it reads something else docs/corpus.md says who is right, and why.

test('postal-mime and we agree on the corpus, but for what docs/corpus.md lists', {
  skip: corpusMissing(),
}, async () => {
  const found: string[] = []
  for (const { name, octets } of corpus()) {
    const ours = await comparableReading(octets, await parseMessage(octets))
    const theirs = await readWithPostalMime(withoutBareCr(octets))
    for (const field of Object.keys(theirs) as (keyof PostalMimeReading)[])
      if (JSON.stringify(ours[field]) !== JSON.stringify(theirs[field])) found.push(`${name}: ${field}`)
  }

  assert.deepEqual(found.sort(), listedEach('Against postal-mime'))
})
