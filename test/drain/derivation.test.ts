import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ArchivedData, type Event, MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import { attachmentKey } from '../../shared/contract/object-key.ts'
import type { RouteConfig } from '../../shared/contract/routes.ts'
import type { DerivedStore } from '../../shared/derived/derived.ts'
import { openMemoryDerived } from '../../shared/derived/memory.ts'
import { extractAttachments } from '../../shared/drain/derivation.ts'
import { IngestError } from '../../shared/errors.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { memoryOctets, openSpool } from '../../shared/octets.ts'
import { corpus, corpusMissing } from '../support/corpus.ts'
import { DrainWorld } from '../support/drain-world.ts'
import { digestOf } from '../support/stores.ts'

const PDF = `%PDF-1.7\n${'the invoice '.repeat(50)}`
const LOGO = 'GIF89a logo'

const INVOICE = [
  'From: billing@supplier.example',
  'Subject: invoice',
  'Content-Type: multipart/related; boundary=b',
  '',
  '--b',
  'Content-Type: text/html',
  '',
  '<img src="cid:logo">',
  '--b',
  'Content-Type: image/gif',
  'Content-ID: <logo>',
  '',
  LOGO,
  '--b',
  'Content-Type: application/octet-stream; name="../invoice.pdf"',
  'Content-Transfer-Encoding: base64',
  'Content-Disposition: attachment',
  '',
  Buffer.from(PDF).toString('base64'),
  '--b--',
  '',
].join('\r\n')

function route(extract: RouteConfig['extract']): RouteConfig {
  return { queue: 'default', when: {}, ...(extract === undefined ? {} : { extract }) }
}

function dataOf(event: Event | undefined): ArchivedData {
  assert.ok(event?.type === MESSAGE_ARCHIVED)
  return event.data
}

function worldWith(raw: string, extract: RouteConfig['extract']): DrainWorld {
  const world = new DrainWorld()
  world.routes = [route(extract)]
  world.store.deliver(raw)
  return world
}

async function drained(extract: RouteConfig['extract'], raw = INVOICE) {
  const world = worldWith(raw, extract)
  await world.drain()
  const [event] = await world.takeEvents()
  return { world, data: dataOf(event) }
}

describe('an attachment', () => {
  test('that a route wants is stored under its digest before the event names it', async () => {
    const { world, data } = await drained(['application/pdf'])

    const key = attachmentKey(world.mailbox.id, digestOf(PDF))
    assert.equal(data.attachments[1]?.key, key)
    assert.equal(data.attachments[1]?.uri, `memory:///${key}`)
    assert.equal(data.attachments[1]?.name, 'invoice.pdf')
    assert.deepEqual([...world.derived], [[key, Buffer.from(PDF)]])
  })

  const RULES: readonly (readonly [string, RouteConfig['extract'], readonly string[]])[] = [
    ['no rule', undefined, []],
    ['its declared type', 'application/octet-stream', [PDF]],
    ['the type of its octets', 'application/PDF', [PDF]],
    ['another type', ['application/zip', 'text/*'], []],
    ['any type, which no picture within the text is meant by', '*', [PDF]],
    ['pictures within the text too', { types: '*', inlineImages: true }, [LOGO, PDF]],
    ['a size that it has', { types: '*', minOctets: PDF.length, maxOctets: PDF.length }, [PDF]],
    ['a larger size', { types: '*', minOctets: PDF.length + 1 }, []],
    ['a smaller size', { types: '*', maxOctets: PDF.length - 1 }, []],
  ]
  for (const [what, extract, stored] of RULES)
    test(`is stored or not by ${what}`, async () => {
      const { world } = await drained(extract)

      assert.deepEqual([...world.derived.values()].map(String).sort(), stored.toSorted())
    })

  test('is not stored without a derived store, and the event is sent all the same', async () => {
    const world = worldWith(INVOICE, '*')

    await world.drain({}, { derived: undefined })

    const [event] = await world.takeEvents()
    assert.equal(dataOf(event).attachments[1]?.key, undefined)
  })

  test('that cannot be stored now is stored by the next drain, and its message is not announced before', async () => {
    const world = worldWith(INVOICE, '*')
    const failing: DerivedStore = {
      ...openMemoryDerived(),
      put: () => Promise.reject(new IngestError('ARCHIVE_UNAVAILABLE', 'the bucket does not answer')),
    }

    const report = await world.drain({}, { derived: failing })

    assert.equal(report.error?.code, 'ARCHIVE_UNAVAILABLE')
    assert.deepEqual(await world.takeEvents(), [])
    await world.drain()
    assert.equal(dataOf((await world.takeEvents())[0]).attachments[1]?.uri?.startsWith('memory:'), true)
    await world.assertLedgerVerifies()
  })

  test('of a message on disk is read from there', async () => {
    const spool = openSpool()
    const octets = await spool.collect(memoryOctets(Buffer.from(INVOICE)).open(), 1)
    const objects = new Map()
    const parsed = await parseMessage(Buffer.from(INVOICE))
    try {
      assert.equal(octets.buffer, undefined)
      const { id } = new DrainWorld().mailbox
      await extractAttachments(id, octets, parsed, [route('*')], openMemoryDerived(objects))
    } finally {
      await spool.close()
    }

    assert.deepEqual([...objects.values()].map(String), [PDF])
  })

  test('of the corpus, whatever its encoding and line ends, is stored with the digest that its event tells', {
    skip: corpusMissing(),
  }, async () => {
    const { id } = new DrainWorld().mailbox
    const everything = [route({ types: '*', inlineImages: true })]
    let stored = 0
    for (const { octets } of corpus()) {
      const parsed = await parseMessage(octets)
      // A put of other octets than the digest says is refused.
      const told = await extractAttachments(id, memoryOctets(octets), parsed, everything, openMemoryDerived())
      stored += told.filter(({ key }) => key !== undefined).length
      assert.deepEqual(
        told.map(({ key }) => key !== undefined),
        parsed.attachments.map((attachment) => attachment.octets > 0),
      )
    }
    assert.ok(stored > 500, `${stored}`)
  })
})

describe('an event that is too large for its queue', () => {
  const crowd = Array.from({ length: 3000 }, (_, n) => `Person ${n} <person-${n}@department.example>`)
  const raw = `From: a@b.example\r\nTo: ${crowd.join(',\r\n ')}\r\nSubject: to all\r\n\r\nHello.\r\n`

  test('is cut, and names an object that has all of it', async () => {
    const { world, data } = await drained(undefined, raw)

    assert.equal(data.message.truncated, true)
    assert.ok(data.message.to.length < 1500, `${data.message.to.length}`)
    const { metadata } = data
    assert.ok(metadata)
    const whole = [...world.derived.values()][0] ?? assert.fail()
    assert.deepEqual([...world.derived.keys()], [metadata.key])
    assert.equal(digestOf(whole), metadata.sha256)
    assert.equal(whole.length, metadata.octets)
    const { message } = JSON.parse(whole.toString()) as ArchivedData
    assert.equal(message.to.length, 3000)
    assert.equal(message.to[2999]?.address, 'person-2999@department.example')
    assert.equal(message.truncated, false)
  })

  test('is cut without one where there is no derived store', async () => {
    const world = worldWith(raw, undefined)
    await world.drain({}, { derived: undefined })

    const data = dataOf((await world.takeEvents())[0])
    assert.equal(data.message.truncated, true)
    assert.equal(data.metadata, undefined)
  })

  test('names none when it is small', async () => {
    assert.equal((await drained(undefined)).data.metadata, undefined)
  })
})
