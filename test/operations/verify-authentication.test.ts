import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { recordedDns } from '../../shared/authentication/dns-record.ts'
import {
  decodeEvidence,
  encodeEvidence,
  readEvidence,
  VERIFIER,
} from '../../shared/authentication/evidence.ts'
import type { DnsEvidence, RecordType } from '../../shared/contract/authentication.ts'
import { type Event, eventSchema, MESSAGE_AUTHENTICATED } from '../../shared/contract/event.ts'
import type { DrainId, Sha256 } from '../../shared/contract/ids.ts'
import { authenticationKey, rawKey } from '../../shared/contract/object-key.ts'
import { deadlineIn } from '../../shared/deadline.ts'
import { openLedger, readSegment } from '../../shared/ledger/ledger.ts'
import type { MessageEntry } from '../../shared/ledger/segment.ts'
import { AUTHENTICATION } from '../../shared/limits.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { verifyAgain } from '../../shared/operations/verify-again.ts'
import { verifyNewMail, verifySegment } from '../../shared/operations/verify-authentication.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import type { EventQueues } from '../../shared/queue/queue.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import { Crash, type Crasher, openCrasher } from '../support/crashing-ports.ts'
import { MemoryStore } from '../support/memory-store.ts'
import { digestOf, draftOf, MAILBOX, messageEntry } from '../support/segments.ts'
import { dkimKey, MESSAGE, signed, taken } from '../support/signed-mail.ts'

const KEY = dkimKey()
const CLOSED_AT = new Date('2026-11-30T10:00:00Z')
const OPTIONS = { receivedBy: 'mx.receiver.example', queues: ['default'] }

const answer = (name: string, rrtype: RecordType, ...records: string[]): DnsEvidence => ({
  type: 'answer',
  name,
  rrtype,
  at: '',
  records,
})
const ANSWERS = [
  answer('one._domainkey.sender.example', 'TXT', KEY.record),
  answer('sender.example', 'TXT', 'v=spf1 ip4:192.0.2.0/24 -all'),
  answer('_dmarc.sender.example', 'TXT', 'v=DMARC1; p=reject'),
]

let store: MemoryStore
let queues: EventQueues
let state: ReturnType<typeof openMemoryState>
/** Names that DNS does not answer. */
let silent: Set<string>
let asked: number
let clock: Date

beforeEach(() => {
  store = new MemoryStore()
  queues = openMemoryQueues({ queues: { default: 'q', other: 'o' } })
  state = openMemoryState()
  silent = new Set()
  asked = 0
  clock = new Date('2026-11-30T10:00:05Z')
})

const known = recordedDns(ANSWERS)
const dns = {
  servers: ['192.0.2.53'],
  async resolve(name: string, type: RecordType) {
    asked++
    if (silent.has(name)) return { failure: 'ESERVFAIL' }
    const found = await known.resolve(name, type)
    return found.records ? found : { failure: 'ENOTFOUND' }
  },
}
const ports = (crasher: Crasher = openCrasher(undefined)) => ({
  archive: crasher.guard('archive', store.archive, ['uri', 'bucket'], ['list']),
  queues: crasher.guard('queues', queues),
  state: crasher.guard('state', state),
  dns,
  now: () => clock,
})

/** A segment with these messages, and their octets. */
async function arrive(texts: readonly string[], rest: Partial<MessageEntry> = {}): Promise<void> {
  const ledger = await openLedger(MAILBOX, { archive: store.archive, state: undefined })
  const entries = texts.map((text, index) =>
    messageEntry(text, { id: ledger.nextSeq * 100 + index, octets: Buffer.byteLength(text), ...rest }),
  )
  for (const text of texts)
    await store.archive.put(rawKey(MAILBOX, digestOf(text)), memoryOctets(Buffer.from(text)), {
      contentType: 'message/rfc822',
      writtenFor: { seq: ledger.nextSeq, drain: 'drain-1' as DrainId },
    })
  await ledger.commit(draftOf(entries, { closedAt: CLOSED_AT }), undefined)
}

const message = async (subject: string): Promise<string> =>
  taken(await signed(MESSAGE.replace('Invoice 42', subject), { key: KEY }))

const verifyFirst = async (options: Partial<Parameters<typeof verifySegment>[1]> = {}) =>
  verifySegment(await readSegment(MAILBOX, store.archive, 1), { ...OPTIONS, ...options }, ports())

type Authenticated = Extract<Event, { type: typeof MESSAGE_AUTHENTICATED }>

async function announced(queue = 'default'): Promise<Authenticated[]> {
  const events: Authenticated[] = []
  while (true) {
    const received = await queues.receive(queue, { waitSeconds: 0, visibilitySeconds: 0 })
    if (received.length === 0) return events
    for (const { body, remove } of received) {
      const event = eventSchema.parse(JSON.parse(body))
      assert.equal(event.type, MESSAGE_AUTHENTICATED)
      events.push(event as Authenticated)
      await remove()
    }
  }
}

const evidenceOf = (text: string) => readEvidence(MAILBOX, digestOf(text), store.archive)

describe('the messages of a segment', () => {
  test('are verified, kept with what DNS said, and announced to every queue', async () => {
    const texts = [await message('a'), await message('b')]
    await arrive(texts, { versionId: 'v1', retainUntil: '2033-01-01T00:00:00.000Z' })

    const report = await verifyFirst({ queues: ['default', 'other'] })

    assert.deepEqual(report, { verified: 2, left: 0 })
    const events = await announced()
    assert.deepEqual(await announced('other'), events)
    assert.equal(new Set(events.map(({ id }) => id)).size, 2)
    for (const text of texts) {
      const digest = digestOf(text)
      const { header, answers } = (await evidenceOf(text)) ?? assert.fail()
      assert.equal(header.sha256, digest)
      assert.equal(header.verifier, VERIFIER)
      assert.deepEqual(header.resolver, { servers: ['192.0.2.53'], dnssec: 'unknown' })
      assert.ok(answers.some(({ records }) => records?.[0] === KEY.record))
      const { data } = events.find(({ subject }) => subject === rawKey(MAILBOX, digest)) ?? assert.fail()
      assert.deepEqual(
        [data.dkim[0]?.result, data.spf.result, data.dmarc.result, data.arc.result],
        ['pass', 'pass', 'pass', 'none'],
      )
      assert.deepEqual(data.raw, {
        uri: store.archive.uri(rawKey(MAILBOX, digest)),
        key: rawKey(MAILBOX, digest),
        sha256: digest,
        octets: text.length,
        versionId: 'v1',
        retainUntil: '2033-01-01T00:00:00.000Z',
      })
      assert.equal(data.evidence.key, authenticationKey(MAILBOX, digest))
      const facts = await store.archive.find(authenticationKey(MAILBOX, digest))
      assert.deepEqual(facts?.writtenFor, { seq: 1, drain: 'drain-1' })
    }
  })

  test('are announced again as they were found, though DNS says otherwise now', async () => {
    const text = await message('a')
    await arrive([text])
    await verifyFirst()
    const [first] = await announced()
    const kept = await evidenceOf(text)
    for (const { name } of ANSWERS) silent.add(name)
    asked = 0
    clock = new Date('2026-11-30T10:30:00Z')

    assert.deepEqual(await verifyFirst(), { verified: 1, left: 0 })

    const [again] = await announced()
    assert.deepEqual(again, { ...first, time: clock.toISOString() })
    assert.deepEqual(await evidenceOf(text), kept)
    assert.equal(asked, 0)
  })

  test('are kept alone, when no queue is named', async () => {
    const text = await message('a')
    await arrive([text])

    assert.deepEqual(await verifyFirst({ queues: [] }), { verified: 1, left: 0 })
    assert.ok(await evidenceOf(text))
    assert.deepEqual(await announced(), [])
  })

  test('that were imported or are duplicates are not verified', async () => {
    await arrive([await message('a')], { outcome: 'imported' })
    await arrive([await message('b')], { outcome: 'duplicate' })

    assert.deepEqual(await verifyNewMail(MAILBOX, OPTIONS, ports()), { verified: 0, left: 0 })
    assert.equal(asked, 0)
  })

  test('that came weeks ago are not verified: their keys have changed', async () => {
    await arrive([await message('a')])
    clock = new Date(CLOSED_AT.getTime() + AUTHENTICATION.freshMs + 1)

    assert.deepEqual(await verifyFirst(), { verified: 0, left: 0 })
    assert.equal(asked, 0)
  })

  test('that were deleted meanwhile keep nobody waiting', async () => {
    const [deleted, other] = [await message('a'), await message('b')]
    await arrive([deleted, other])
    store.objects.delete(rawKey(MAILBOX, digestOf(deleted)))

    assert.deepEqual(await verifyFirst(), { verified: 1, left: 0 })
    assert.equal((await announced()).length, 1)
  })

  test('are left when the time is up', async () => {
    await arrive([await message('a'), await message('b')])

    assert.deepEqual(await verifyFirst({ deadline: deadlineIn(0) }), { verified: 0, left: 2 })
    assert.equal(asked, 0)
  })
})

describe('while DNS does not answer', () => {
  test('a message is left and nobody is told; others of its segment are not kept waiting', async () => {
    const other = 'From: a@other.example\r\n\r\nunsigned\r\n'
    const text = await message('a')
    await arrive([text, other])
    silent.add('one._domainkey.sender.example')

    assert.deepEqual(await verifyFirst(), { verified: 1, left: 1 })
    assert.equal(await evidenceOf(text), undefined)
    assert.ok(await evidenceOf(other))
    assert.equal((await announced()).length, 1)
  })

  test('it passes when DNS answers in the hour', async () => {
    const text = await message('a')
    await arrive([text])
    silent.add('one._domainkey.sender.example')
    await verifyFirst()
    silent.clear()
    clock = new Date(CLOSED_AT.getTime() + AUTHENTICATION.retryMs)

    assert.deepEqual(await verifyFirst(), { verified: 1, left: 0 })
    assert.equal((await evidenceOf(text))?.header.dkim[0]?.result, 'pass')
  })

  test('and has not for an hour, that is the result', async () => {
    const text = await message('a')
    await arrive([text])
    silent.add('one._domainkey.sender.example')
    clock = new Date(CLOSED_AT.getTime() + AUTHENTICATION.retryMs + 1)

    assert.deepEqual(await verifyFirst(), { verified: 1, left: 0 })
    const [event] = await announced()
    assert.equal(event?.data.dkim[0]?.result, 'temperror')
    assert.equal(event.data.dmarc.result, 'pass', 'by SPF')
  })
})

test('a queue that refuses leaves the message, which is announced by the next try as it was found', async () => {
  const text = await message('a')
  await arrive([text])
  const refusing: EventQueues = {
    ...queues,
    send: async (_, events) => events.map(() => ({ sent: false, refused: 'throttled' })),
  }
  const segment = await readSegment(MAILBOX, store.archive, 1)

  assert.deepEqual(await verifySegment(segment, OPTIONS, { ...ports(), queues: refusing }), {
    verified: 0,
    left: 1,
  })
  asked = 0
  assert.deepEqual(await verifyFirst(), { verified: 1, left: 0 })
  assert.equal((await announced()).length, 1)
  assert.equal(asked, 0)
})

test('two who verify at the same time keep one result, and announce that one', async () => {
  await arrive([await message('a')])
  clock = new Date(CLOSED_AT.getTime() + AUTHENTICATION.retryMs + 1)
  const segment = await readSegment(MAILBOX, store.archive, 1)
  const cutOff = { ...dns, resolve: async () => ({ failure: 'ESERVFAIL' }) }

  await Promise.all([
    verifySegment(segment, OPTIONS, { ...ports(), dns: cutOff }),
    verifySegment(segment, OPTIONS, ports()),
  ])

  const [one, two, ...more] = await announced()
  assert.deepEqual(one, two)
  assert.deepEqual(more, [])
})

describe('the new mail of a mailbox', () => {
  test('is verified from where the last call ended', async () => {
    await arrive([await message('a')])
    await arrive([await message('b')])
    assert.deepEqual(await verifyNewMail(MAILBOX, OPTIONS, ports()), { verified: 2, left: 0 })
    await announced()
    await arrive([await message('c')])

    assert.deepEqual(await verifyNewMail(MAILBOX, OPTIONS, ports()), { verified: 1, left: 0 })
    assert.equal((await announced()).length, 1)
  })

  test('is verified though another archive’s place is in the state store', async () => {
    await arrive([await message('a')])
    await verifyNewMail(MAILBOX, OPTIONS, ports())
    await announced()
    store = new MemoryStore()
    await arrive([await message('b')])

    assert.deepEqual(await verifyNewMail(MAILBOX, OPTIONS, ports()), { verified: 1, left: 0 })
  })

  test('waits at a segment in which something is left', async () => {
    await arrive([await message('a')])
    await arrive([await message('b')])
    silent.add('one._domainkey.sender.example')
    assert.deepEqual(await verifyNewMail(MAILBOX, OPTIONS, ports()), { verified: 0, left: 1 })
    silent.clear()

    assert.deepEqual(await verifyNewMail(MAILBOX, OPTIONS, ports()), { verified: 2, left: 0 })
    assert.equal((await announced()).length, 2)
  })

  test('is verified and announced whole, whenever the process dies; what is announced twice is the same', async () => {
    const texts = [await message('a'), await message('b'), await message('c')]
    const begin = async (): Promise<void> => {
      store = new MemoryStore()
      state = openMemoryState()
      queues = openMemoryQueues({ queues: { default: 'q' } })
      await arrive(texts.slice(0, 2))
      await arrive(texts.slice(2))
    }
    await begin()
    const whole = openCrasher(undefined)
    await verifyNewMail(MAILBOX, OPTIONS, ports(whole))
    assert.ok(whole.calls() > 15, `${whole.calls()} calls`)

    for (let call = 1; call <= whole.calls(); call++)
      for (const moment of ['before', 'after'] as const) {
        await begin()
        await assert.rejects(verifyNewMail(MAILBOX, OPTIONS, ports(openCrasher({ call, moment }))), Crash)

        assert.equal((await verifyNewMail(MAILBOX, OPTIONS, ports())).left, 0)

        const byId = Map.groupBy(await announced(), ({ id }) => id)
        assert.equal(byId.size, 3, `${moment} call ${call}`)
        for (const [first, ...again] of byId.values()) for (const each of again) assert.deepEqual(each, first)
        for (const text of texts) assert.ok(await evidenceOf(text))
      }
  })
})

describe('a message that was verified', () => {
  test('is confirmed by its evidence, without DNS', async () => {
    const text = await message('a')
    await arrive([text])
    await verifyFirst()
    asked = 0

    const again = await verifyAgain(MAILBOX, digestOf(text), store.archive)

    assert.equal(again?.confirmed, true)
    assert.equal(asked, 0)
  })

  test('is not by evidence that says something else than message and answers do', async () => {
    const text = await message('a')
    await arrive([text])
    await verifyFirst()
    const key = authenticationKey(MAILBOX, digestOf(text))
    const { header, answers } = (await evidenceOf(text)) ?? assert.fail()
    const forgeries = [
      { header: { ...header, spf: { ...header.spf, result: 'fail' } }, answers },
      { header, answers: answers.map((each) => ({ ...each, ...(each.records ? { records: ['x'] } : {}) })) },
      { header: { ...header, answers: 0 }, answers: [] },
      { header: { ...header, receivedBy: 'mx.other.example' }, answers },
    ]
    for (const forgery of forgeries) {
      await store.putOver(key, encodeEvidence(forgery))
      assert.equal((await verifyAgain(MAILBOX, digestOf(text), store.archive))?.confirmed, false)
    }
  })

  test('has evidence that is whole, or is refused', async () => {
    const text = await message('a')
    await arrive([text])
    await verifyFirst()
    const { header, answers } = (await evidenceOf(text)) ?? assert.fail()
    const key = authenticationKey(MAILBOX, digestOf(text))
    for (const damaged of [
      encodeEvidence({ header, answers: answers.slice(1) }),
      encodeEvidence({ header, answers }).subarray(0, -10),
      Buffer.from('{}\n'),
      Buffer.from(''),
    ])
      assert.throws(() => decodeEvidence(damaged, key), { code: 'ARCHIVE_CONFLICT' })
  })

  test('that never was has none', async () => {
    assert.equal(await verifyAgain(MAILBOX, 'f'.repeat(64) as Sha256, store.archive), undefined)
  })
})
