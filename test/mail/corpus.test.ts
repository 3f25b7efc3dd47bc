import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import type { ParsedMessage } from '../../shared/mail/parsed-message.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import { archivedData } from '../support/archived-event.ts'
import { CORPUS_FOLDER, type CorpusMessage, corpus, corpusMissing } from '../support/corpus.ts'
import { listed, listedEach, rows } from '../support/corpus-document.ts'
import { mime4jExpects, stalwartExpects, tagsOf, zbatesonExpects } from '../support/corpus-expectations.ts'
import { readingOf } from '../support/mailparser-oracle.ts'

// docs/corpus.md says what is expected here.

const NOT_PARSED = 'Not `parsed`'
const EXPECTATIONS = 'Against what the corpus expects'

interface Read extends CorpusMessage {
  readonly path: string
  readonly parsed: ParsedMessage
}

describe('the corpus', { skip: corpusMissing() }, () => {
  let messages: readonly Read[] = []
  before(async () => {
    const parser = openWorkerParser()
    try {
      messages = await Promise.all(
        corpus().map(async ({ name, octets }) => ({
          name,
          octets,
          path: join(CORPUS_FOLDER, name),
          parsed: await parser.parse(memoryOctets(octets)),
        })),
      )
    } finally {
      await parser.close()
    }
  })

  test('passes through the worker pool: 687 messages, of which none fails and each gives a valid event', () => {
    assert.equal(messages.length, 687)
    for (const { name, parsed } of messages) {
      assert.notEqual(parsed.parse.status, 'failed', name)
      assert.deepEqual(archivedData(parsed).parse, parsed.parse, name)
    }
  })

  test('is `parsed` but for the messages that docs/corpus.md lists, each under its code', () => {
    const found = messages
      .filter(({ parsed }) => parsed.parse.status !== 'parsed')
      .map(({ name, parsed }) => `${parsed.parse.code} ${name}`)

    assert.deepEqual(
      found.sort(),
      listed(NOT_PARSED)
        .map(({ under, message }) => `${under} ${message}`)
        .sort(),
    )
  })

  test('is counted in docs/corpus.md', () => {
    const counts = new Map<string, number>([['failed', 0]])
    for (const { parsed } of messages) {
      const outcome = [parsed.parse.status, parsed.parse.code].filter(Boolean).join(' ')
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
    }

    assert.deepEqual(
      rows('Results').toSorted(),
      [...counts].map(([outcome, count]) => `${outcome} ${count}`).sort(),
    )
  })

  test('is read as stalwart expects, but for what is listed', () => {
    let compared = 0
    const found = messages.flatMap(({ name, path, octets, parsed }) => {
      const expected = stalwartExpects(path, octets)
      if (!expected) return []
      compared++
      const ours = readingOf(parsed)
      const differing = (['subject', 'from', 'to', 'date', 'messageId'] as const).filter(
        (field) => JSON.stringify(ours[field]) !== JSON.stringify(expected[field]),
      )
      const sameAttachments =
        ours.attachments.length === expected.attachments.length &&
        ours.attachments.every((attachment, index) =>
          attachment.startsWith(expected.attachments[index] as string),
        )
      return [...differing, ...(sameAttachments ? [] : ['attachments'])].map((field) => `${name}: ${field}`)
    })

    assert.ok(compared >= 50, `${compared} messages`)
    assert.deepEqual(found.sort(), listedEach(EXPECTATIONS, "Results of stalwart's mail-parser"))
  })

  test('is decoded as Mime4J expects, but for what is listed', () => {
    let compared = 0
    const found = messages.flatMap(({ name, path, parsed }) => {
      if (!name.startsWith('james-mime4j/')) return []
      const bodies = mime4jExpects(path)
      return parsed.attachments.flatMap(({ contentType, partPath, sha256 }) => {
        const expected = bodies.get(partPath)
        // Of a nested message Mime4J has the parts, we have the whole.
        if (expected === undefined || contentType === 'message/rfc822') return []
        compared++
        return expected === sha256 ? [] : [`${name}: ${partPath}`]
      })
    })

    assert.ok(compared >= 40, `${compared} bodies`)
    assert.deepEqual(found.sort(), listedEach(EXPECTATIONS, 'Bodies decoded by Apache James Mime4J'))
  })

  test('holds the files that zbateson expects, but for what is listed', () => {
    let compared = 0
    const found = messages.flatMap(({ name, path, parsed }) => {
      if (!name.startsWith('zbateson-mail-mime-parser/')) return []
      return parsed.attachments.flatMap((attachment) => {
        const expected = zbatesonExpects(path, attachment.name ?? '')
        if (expected === undefined) return []
        compared++
        return expected === attachment.sha256 ? [] : [`${name}: ${attachment.name}`]
      })
    })

    assert.ok(compared >= 20, `${compared} files`)
    assert.deepEqual(found.sort(), listedEach(EXPECTATIONS, "Files of zbateson's mail-mime-parser"))
  })

  test('has what others measured in it: reports, receipts and invitations, and fields that are missing', () => {
    const tags = tagsOf(CORPUS_FOLDER)
    const tagged = (tag: string): readonly Read[] =>
      messages.filter(({ name }) => tags.get(name)?.includes(tag))

    for (const [tag, kind] of [
      ['arf', 'complaint'],
      ['mdn', 'read-receipt'],
      ['calendar', 'calendar'],
    ] as const) {
      assert.ok(tagged(tag).length >= 2, tag)
      for (const { name, parsed } of tagged(tag)) assert.equal(parsed.class, kind, name)
    }
    assert.ok(tagged('no-message-id').length > 200)
    for (const { name, parsed } of tagged('no-message-id'))
      assert.equal(parsed.message.messageId, undefined, name)
    for (const { name, parsed } of tagged('no-from')) assert.deepEqual(parsed.message.from, [], name)
    for (const { name, parsed } of tagged('no-date')) assert.equal(parsed.message.date, undefined, name)
    for (const { name, parsed } of tagged('tnef'))
      assert.ok(
        parsed.attachments.some(({ contentType }) => /tnef/.test(contentType)),
        name,
      )
  })
})
