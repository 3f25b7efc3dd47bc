import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  archivedEvent,
  encodeEvent,
  quarantinedEvent,
  type RawData,
  resetEvent,
  resumedEvent,
  suspendedEvent,
} from '../shared/announcement.ts'
import {
  type ArchivedData,
  type Event,
  type MailboxData,
  MESSAGE_ARCHIVED,
} from '../shared/contract/event.ts'
import { type Epoch, mailboxId, type Sha256 } from '../shared/contract/ids.ts'
import { rawKey } from '../shared/contract/object-key.ts'
import { PARSER, QUEUE } from '../shared/limits.ts'
import { parseMessage } from '../shared/mail/parse-message.ts'
import type { ParsedMessage } from '../shared/mail/parsed-message.ts'
import { anyText, type Bounds, parsedMessages, serverData } from './support/arbitrary-events.ts'

const TIME = new Date('2026-11-25T08:00:00.123Z')
const LATER = new Date('2026-11-26T09:00:00.000Z')
/** 63 characters, the longest there may be. */
const MAILBOX = mailboxId('invoices-'.padEnd(63, 'x'))
const DIGEST = 'c0ffee00'.repeat(8) as Sha256
const RAW: RawData = {
  uri: `s3://acme-mail/${rawKey(MAILBOX, DIGEST)}`,
  bucket: 'acme-mail',
  key: rawKey(MAILBOX, DIGEST),
  versionId: 'v1',
  sha256: DIGEST,
  octets: 1234,
  retainUntil: '2033-11-25T08:00:00.000Z',
}
const SERVER: MailboxData = { id: MAILBOX, protocol: 'imap', folder: 'INBOX', uid: 7, uidValidity: '1' }
const PARSED = await parseMessage(Buffer.from('Subject: order\r\nTo: a@b.example\r\n\r\ntext\r\n'))

function archived(
  parsed: ParsedMessage = PARSED,
  { time = TIME, server = SERVER }: { time?: Date; server?: MailboxData } = {},
): Event {
  return archivedEvent({ mailbox: MAILBOX, time, raw: RAW, server, parsed })
}

function quarantined(changes: Partial<Parameters<typeof quarantinedEvent>[0]> = {}): Event {
  return quarantinedEvent({
    mailbox: MAILBOX,
    time: TIME,
    server: SERVER,
    code: 'MESSAGE_TOO_LARGE',
    reason: 'too large',
    attempts: 1,
    ...changes,
  })
}

function reset(changes: Partial<Parameters<typeof resetEvent>[0]> = {}): Event {
  const [from, to] = ['1', '2'] as Epoch[]
  assert.ok(from && to)
  return resetEvent({ mailbox: MAILBOX, protocol: 'imap', folder: 'INBOX', from, to, time: TIME, ...changes })
}

function suspended(time = TIME, since = '2026-11-25T07:00:00.000Z'): Event {
  return suspendedEvent(
    {
      mailbox: { id: MAILBOX, protocol: 'imap' },
      code: 'AUTHENTICATION_FAILED',
      reason: 'wrong password',
      remedy: 'Check it.',
      since,
      nextTryAt: time.toISOString(),
    },
    time,
  )
}

function resumed(time = TIME, since = '2026-11-25T07:00:00.000Z'): Event {
  return resumedEvent(
    { mailbox: { id: MAILBOX, protocol: 'imap' }, code: 'AUTHENTICATION_FAILED', since, attempts: 3 },
    time,
  )
}

describe('the id of an event', () => {
  test('is equal on every attempt, whenever and after whatever parse', async () => {
    const otherwise = await parseMessage(Buffer.alloc(0))
    const server = { ...SERVER, folder: 'Archive', uid: 9 }
    assert.equal(archived().id, archived(otherwise, { time: LATER, server }).id)
    assert.equal(quarantined().id, quarantined({ time: LATER, attempts: 9, reason: 'still' }).id)
    assert.equal(reset().id, reset({ time: LATER }).id)
    assert.equal(suspended().id, suspended(LATER).id)
    assert.equal(resumed().id, resumed(LATER).id)
  })

  test('is another one for everything that happened', () => {
    const uidl = { id: MAILBOX, protocol: 'pop3', folder: 'INBOX', uidl: '7' } as const
    const nothing = { id: MAILBOX, protocol: 'pop3', folder: 'INBOX' } as const
    const ids = [
      archived(),
      quarantined(),
      quarantined({ code: 'MESSAGE_UNFETCHABLE' }),
      quarantined({ server: { ...SERVER, uid: 8 } }),
      quarantined({ server: { ...SERVER, uidValidity: '2' } }),
      quarantined({ server: { ...SERVER, folder: 'Other' } }),
      quarantined({ server: uidl }),
      quarantined({ server: { ...uidl, uidl: '8' } }),
      quarantined({ server: nothing, octets: 1 }),
      quarantined({ server: nothing, octets: 2 }),
      reset(),
      reset({ folder: 'Other' }),
      reset({ from: '2' as Epoch, to: '1' as Epoch }),
      suspended(),
      suspended(TIME, '2026-11-25T07:00:01.000Z'),
      resumed(),
    ].map(({ id }) => id)

    assert.equal(new Set(ids).size, ids.length)
  })

  test('begins with the mailbox and fits a MessageDeduplicationId: at most 128 printable characters', () => {
    for (const { id } of [archived(), quarantined(), reset(), suspended(), resumed()]) {
      assert.ok(id.startsWith(`${MAILBOX}/`))
      assert.match(id, /^[!-~]{1,128}$/)
    }
  })

  test('of an archived message is its mailbox and its octets, and nothing of the sender', () => {
    assert.equal(archived().id, `${MAILBOX}/${DIGEST}`)
  })
})

describe('an encoded event', () => {
  test('is ASCII alone, and decodes to what it was, whatever characters mail brings', () => {
    const some: Bounds = { text: anyText(8), list: { maxLength: 2 } }
    fc.assert(
      fc.property(parsedMessages(some), serverData(some), (parsed, server) => {
        const event = archived(parsed, { server })

        const encoded = encodeEvent(event)

        assert.match(encoded, /^[\x20-\x7e]*$/)
        assert.deepEqual(JSON.parse(encoded), event)
      }),
    )
  })

  test('escapes the characters that SQS refuses, and those that emulators refuse', async () => {
    const subject = 'a\u0000\u0008\u000b\u001f\u007f\ud800\udfff\ufffe\uffff\u{1f4e7}é'
    const parsed = { ...PARSED, message: { ...PARSED.message, subject } }

    const encoded = encodeEvent(archived(parsed))

    assert.ok(encoded.includes('a\\u0000\\b\\u000b\\u001f\\u007f'), encoded)
    assert.equal((JSON.parse(encoded) as { data: ArchivedData }).data.message.subject, subject)
  })

  test('that fits is not cut, to the last octet', () => {
    const encoded = (length: number) => encodeEvent(archived({ ...PARSED, text: preview(length) }))
    const room = QUEUE.eventOctets - encoded(0).length

    assert.equal(encoded(room).length, QUEUE.eventOctets)
    assert.equal(textOf(encoded(room)).truncated, false)
    assert.equal(textOf(encoded(room + 1)).truncated, true)
  })

  test('is bounded and valid however much there is of everything, and says what was cut', () => {
    const long = fc
      .tuple(fc.constantFrom('a', 'é', '\ud800', '\u{1f4e7}', '\0'), fc.integer({ min: 0, max: 3000 }))
      .map(([character, length]) => character.repeat(length))
    const much: Bounds = {
      text: fc.oneof({ weight: 1, arbitrary: long }, anyText(5)),
      list: { maxLength: 60 },
    }
    fc.assert(
      fc.property(parsedMessages(much), serverData(much), (parsed, server) => {
        const event = archived(parsed, { server })

        const encoded = encodeEvent(event)

        assert.ok(encoded.length <= QUEUE.eventOctets, `${encoded.length} octets`)
        const { type, data } = JSON.parse(encoded) as Event
        assert.ok(type === MESSAGE_ARCHIVED)
        assert.deepEqual(data.raw, RAW)
        assertMarked(event.data as ArchivedData, data as ArchivedData)
      }),
      { numRuns: 40, endOnFailure: true },
    )
  })

  test('is bounded when every single value is as long as a hostile server makes it', () => {
    const endless: Bounds = {
      text: fc.constant('\u{1f4e7}'.repeat(50_000)),
      list: { minLength: 1, maxLength: 1 },
    }
    fc.assert(
      fc.property(parsedMessages(endless), serverData(endless), (parsed, server) => {
        const { folder } = server
        for (const event of [
          archived(parsed, { server }),
          quarantined({ server, reason: folder }),
          reset({ folder }),
        ])
          assert.ok(encodeEvent(event).length <= QUEUE.eventOctets, event.type)
      }),
      { numRuns: 10, endOnFailure: true },
    )
  })

  test('never cuts a character in two', () => {
    const encoded = encodeEvent(
      archived({ ...PARSED, text: { ...preview(0), preview: '\u{1f4e7}'.repeat(60_008) } }),
    )

    const { preview: cut } = textOf(encoded)
    assert.equal(cut.length, 7501, 'the test no longer cuts where it hurts')
    assert.match(cut, /^\u{1f4e7}+\ufffd?$/u)
    assert.ok(cut.isWellFormed())
  })

  test('keeps as much as it can: of one long list at least a quarter of what fits', () => {
    const to = Array.from({ length: 5000 }, (_, i) => ({ address: `a${i}@b.example` }))
    const { message } = PARSED

    const encoded = encodeEvent(archived({ ...PARSED, message: { ...message, to } }))

    assert.ok(encoded.length > QUEUE.eventOctets / 4)
    const { data } = JSON.parse(encoded) as { data: ArchivedData }
    assert.deepEqual(data.message.to, to.slice(0, data.message.to.length))
    assert.equal(data.message.subject, 'order')
    assert.equal(data.message.truncated, true)
    assert.equal(data.text.truncated, false)
    assert.equal(data.attachmentsTruncated, undefined)
  })

  for (const [what, changes] of Object.entries<{ headers: Record<string, string[]> } | { subject: string }>({
    'a map of fields': {
      headers: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`x-${i}`, ['x'.repeat(1000)]])),
    },
    'a single value': { subject: 'x'.repeat(100_000) },
  }))
    test(`says so when ${what} was cut and nothing else`, () => {
      const { message, attachments, text } = PARSED

      const encoded = encodeEvent(archived({ ...PARSED, message: { ...message, ...changes } }))

      const { data } = JSON.parse(encoded) as { data: ArchivedData }
      const { headers, subject = '', ...rest } = data.message
      assert.equal(data.message.truncated, true)
      assert.ok(Object.keys(headers).length === 50 || subject.length === PARSER.headerCharacters)
      const { headers: _, subject: __, ...asGiven } = message
      assert.deepEqual({ ...rest, truncated: false }, asGiven)
      assert.deepEqual({ text: data.text, attachments: data.attachments }, { text, attachments })
    })

  test('says so when the name of a folder was cut, and nothing else', () => {
    const server = { ...SERVER, folder: 'x'.repeat(100_000) }

    const { data } = JSON.parse(encodeEvent(archived(PARSED, { server }))) as { data: ArchivedData }

    assert.equal(data.mailbox.folder.length, PARSER.headerCharacters)
    assert.deepEqual(data.message, { ...PARSED.message, truncated: true })
  })

  test('leaves the event that it was given as it was', () => {
    const event = archived({ ...PARSED, text: preview(200_000) })
    const before = structuredClone(event)

    encodeEvent(event)

    assert.deepEqual(event, before)
  })
})

test('the reason of a quarantine is cut to what a header value may have', () => {
  const { data } = quarantined({ reason: 'x'.repeat(100_000) }) as { data: { reason: string } }
  assert.equal(data.reason.length, PARSER.headerCharacters)
})

function preview(length: number): ParsedMessage['text'] {
  return { preview: 'x'.repeat(length), truncated: false, source: 'plain' }
}

function textOf(encoded: string): ArchivedData['text'] {
  return (JSON.parse(encoded) as { data: ArchivedData }).data.text
}

/** Whatever differs from what was given is marked. */
function assertMarked(given: ArchivedData, told: ArchivedData): void {
  const differs = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b)
  const { truncated, ...message } = told.message
  const { truncated: _, ...asGiven } = given.message
  const others = differs(message, asGiven) || differs(told.mailbox, given.mailbox)
  if (others || differs(told.authentication, given.authentication)) assert.equal(truncated, true)
  if (told.text.preview !== given.text.preview) assert.equal(told.text.truncated, true)
  if (told.attachments.length !== given.attachments.length) assert.equal(told.attachmentsTruncated, true)
  else if (differs(told.attachments, given.attachments)) assert.equal(truncated, true)
}
