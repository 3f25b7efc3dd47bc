import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type DrainId, mailboxId } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { openLedger } from '../../shared/ledger/ledger.ts'
import type { MessageEntry } from '../../shared/ledger/segment.ts'
import { LEDGER } from '../../shared/limits.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { findByQuery, type QueryPorts } from '../../shared/query/find.ts'
import { matcherOf } from '../../shared/query/matcher.ts'
import type { MessageQuery } from '../../shared/query/query.ts'
import { DrainWorld, message } from '../support/drain-world.ts'
import { digestOf, draftOf, MAILBOX, messageEntry } from '../support/segments.ts'

const ARCHIVED_AT = '2026-03-10T12:00:00Z'

const INVOICE: Partial<MessageEntry> = {
  from: 'billing@supplier.example, boss@supplier.example',
  to: ['invoices@example.com', 'Anna@Example.com'],
  subject: 'Rechnung 2026-0042 für März',
  date: '2026-03-03T09:03:00+01:00',
  internalDate: '2026-03-04T00:00:00Z',
  messageId: 'sample-3@example.net',
  attachments: ['Rechnung.PDF', 'logo.png'],
  class: 'ordinary',
}

function matchOf(query: MessageQuery, entry: Partial<MessageEntry> = INVOICE) {
  return matcherOf(query)({
    mailbox: MAILBOX,
    seq: 1,
    archivedAt: ARCHIVED_AT,
    entry: messageEntry('a', entry),
  })
}

describe('a message is meant', () => {
  for (const [by, query] of [
    ['a query without fields', {}],
    ['its mailbox', { mailboxes: ['orders', MAILBOX] }],
    ['its second sender', { from: ['boss@*'] }],
    ['a recipient, whatever its case', { to: ['anna@example.com'] }],
    ['an address of either side', { address: ['*@supplier.example'] }],
    ['an address of the other side', { address: ['nobody@x.example', 'invoices@example.com'] }],
    ['words of its subject in any order', { subject: ['märz', 'rechnung'] }],
    ['a class among others', { class: ['bounce', 'ordinary'] }],
    ['its Message-ID', { messageId: ['sample-3@example.net'] }],
    ['the name of an attachment', { attachment: ['*.pdf'] }],
    ['its SHA-256', { ids: [digestOf('a')] }],
    ['the id of its event', { ids: [`${MAILBOX}/${digestOf('a')}`] }],
    ['a day that its date is on', { since: '2026-03-03', before: '2026-03-04' }],
    ['the second at which the server had it', { since: '2026-03-04T00:00:00Z' }],
    ['when it was archived', { archivedSince: '2026-03-10T12:00:00Z', archivedBefore: '2026-03-11' }],
  ] satisfies [string, MessageQuery][])
    test(`by ${by}`, () => assert.equal(matchOf(query), 'yes'))

  for (const [by, query] of [
    ['another mailbox', { mailboxes: ['orders'] }],
    ['a part of a sender', { from: ['boss'] }],
    ['a recipient as sender', { from: ['invoices@example.com'] }],
    ['one word of two', { subject: ['rechnung', 'april'] }],
    ['the id of another mailbox', { ids: [`orders/${digestOf('a')}`] }],
    ['the end of the range', { before: '2026-03-03T08:03:00Z' }],
    ['after both of its times', { since: '2026-03-05' }],
    ['before it was archived', { archivedBefore: '2026-03-10T12:00:00Z' }],
    ['one field of two', { class: ['ordinary'], subject: ['april'] }],
    ['a name of an attachment that it has not', { attachment: ['*.xml'] }],
  ] satisfies [string, MessageQuery][])
    test(`but not by ${by}`, () => assert.equal(matchOf(query), 'no'))

  test('by when it was archived if it says no time of its own, and only then', () => {
    const march = { since: '2026-03-10', before: '2026-03-11' }

    assert.equal(matchOf(march, {}), 'yes')
    assert.equal(matchOf(march), 'no')
    assert.equal(matchOf(march, { date: 'yesterday' }), 'no')
  })

  test('perhaps, where its entry was written before there was such a field, or its list was cut', () => {
    assert.equal(matchOf({ to: ['a@b.example'] }, { to: undefined }), 'unknown')
    assert.equal(matchOf({ to: ['a@b.example'] }, { to: [], toCut: true }), 'unknown')
    assert.equal(matchOf({ address: ['a@b.example'] }, { from: 'a@b.example', to: undefined }), 'yes')
    assert.equal(matchOf({ attachment: ['*'] }, { attachments: undefined }), 'unknown')
    assert.equal(matchOf({ attachment: ['*'] }, { attachments: ['x'], attachmentsCut: true }), 'yes')
    assert.equal(matchOf({ attachment: ['*'], class: ['bounce'] }, { class: 'ordinary' }), 'no')
  })
})

/** The subjects of what a query finds. */
async function subjects(query: MessageQuery, ports: QueryPorts, mailboxes = [MAILBOX]): Promise<unknown[]> {
  const found = await Array.fromAsync(findByQuery(query, mailboxes, ports))
  return found.map(({ entry }) => entry.subject)
}

/** An archive whose ledger was written before it had recipients. What of `texts` is in `lost` is not there any more. */
async function oldArchive(texts: readonly string[], lost: readonly string[] = []): Promise<QueryPorts> {
  const { archive, ...ports } = new DrainWorld().ports()
  const options = { contentType: 'message/rfc822', writtenFor: { seq: 1, drain: 'd' as DrainId } } as const
  for (const text of texts) {
    const octets = memoryOctets(Buffer.from(text))
    if (!lost.includes(text)) await archive.put(rawKey(MAILBOX, octets.sha256), octets, options)
  }
  const ledger = await openLedger(MAILBOX, { archive, state: undefined })
  const entries = texts.map((text, index) => messageEntry(text, { id: index + 1, subject: `${index + 1}` }))
  await ledger.commit(draftOf(entries), undefined)
  return { archive, ...ports }
}

describe('a query over an archive', () => {
  test('finds what a drain recorded, each message once', async () => {
    const world = new DrainWorld()
    for (const subject of ['one', 'two', 'three']) world.store.deliver(message(subject))
    world.store.deliver(message('two'))
    await world.drain()

    assert.deepEqual(await subjects({}, world.ports()), ['one', 'two', 'three'])
    assert.deepEqual(await subjects({ to: ['b@*'], subject: ['t'] }, world.ports()), ['two', 'three'])
    assert.deepEqual(await subjects({ mailboxes: ['orders'] }, world.ports()), [])
    assert.deepEqual(await subjects({}, world.ports(), [mailboxId('orders')]), [])
  })

  test('reads a message whose entry does not tell', async () => {
    const other = message('other').replace('b@example.com', 'c@example.com')
    const ports = await oldArchive([message('one'), other])

    assert.deepEqual(await subjects({ to: ['b@example.com'] }, ports), ['1'])
    assert.deepEqual(await subjects({ address: ['c@*', 'x@*'] }, ports), ['2'])
    assert.deepEqual(await subjects({ attachment: ['*'] }, ports), [])
  })

  test('counts as meant what cannot be read any more', async () => {
    const ports = await oldArchive([message('one'), message('two')], [message('two')])

    assert.deepEqual(await subjects({ to: ['nobody@example.com'] }, ports), ['2'])
  })

  test('finds a recipient beyond those that an entry keeps', async () => {
    const world = new DrainWorld()
    const many = Array.from({ length: LEDGER.catalogueValues + 10 }, (_, n) => `r${n}@example.com`)
    world.store.deliver(message('many').replace('b@example.com', many.join(',\r\n ')))
    await world.drain()
    const [entry] = (await world.entries()) as MessageEntry[]

    assert.equal(entry?.to?.length, LEDGER.catalogueValues)
    assert.equal(entry.toCut, true)
    assert.deepEqual(await subjects({ to: [many.at(-1) as string] }, world.ports()), ['many'])
    assert.deepEqual(await subjects({ to: ['stranger@example.com'] }, world.ports()), [])
  })
})
