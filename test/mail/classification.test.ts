import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { type Measured, measure, measuredRow } from '../support/classification-truth.ts'
import { CORPUS_FOLDER, corpus, corpusMissing } from '../support/corpus.ts'
import { listedEach, rows } from '../support/corpus-document.ts'
import { tagsOf } from '../support/corpus-expectations.ts'

// docs/classification.md says what is expected here.

describe('the classification of the corpus', { skip: corpusMissing() }, () => {
  let measured: readonly Measured[] = []
  before(async () => {
    const messages = []
    for (const { name, octets } of corpus()) {
      const parsed = await parseMessage(octets)
      messages.push({ name, class: parsed.class, labels: parsed.labels.map(({ label }) => label) })
    }
    measured = measure(messages, tagsOf(CORPUS_FOLDER))
  })

  const each = (names: (one: Measured) => readonly string[]): string[] =>
    measured.flatMap((one) => names(one).map((name) => `${name}: ${one.row.name}`)).sort()

  test('is counted in docs/classification.md', () => {
    assert.deepEqual(rows('Measured'), measured.map(measuredRow))
  })

  test('misses what is listed there, and nothing else', () => {
    assert.deepEqual(
      each(({ missed }) => missed),
      listedEach('Measured', 'Missed'),
    )
  })

  test('finds besides what is listed there, and nothing else', () => {
    assert.deepEqual(
      each(({ besides }) => besides),
      listedEach('Measured', 'Found besides'),
    )
  })
})
