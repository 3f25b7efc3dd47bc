import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import * as z from 'zod'
import {
  archivedEvent,
  authenticatedEvent,
  encodeEvent,
  quarantinedEvent,
  resetEvent,
  resumedEvent,
  suspendedEvent,
} from '../../shared/announcement.ts'
import { archivedEventId, type Event, eventSchema, MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import { type Epoch, mailboxId, type Sha256, sha256 } from '../../shared/contract/ids.ts'
import { rawKey } from '../../shared/contract/object-key.ts'
import { ERROR_CODES } from '../../shared/errors.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { sampleMessages } from '../support/sample-messages.ts'
import { schemaFile } from '../support/write-schemas.ts'

const MAILBOX = mailboxId('invoices')
const TIME = new Date('2026-11-25T08:00:00.123Z')
const SERVER = { id: MAILBOX, protocol: 'imap', folder: 'INBOX', uid: 7, uidValidity: '1' } as const
const BOX = { id: MAILBOX, protocol: 'pop3' } as const

const archived = await Promise.all(
  sampleMessages().map(async ({ name, octets }): Promise<[string, Event]> => {
    const { length, sha256: digest } = memoryOctets(octets)
    const key = rawKey(MAILBOX, digest)
    const raw = { uri: `s3://acme-mail/${key}`, bucket: 'acme-mail', key, sha256: digest, octets: length }
    const parsed = await parseMessage(octets)
    return [name, archivedEvent({ mailbox: MAILBOX, time: TIME, raw, server: SERVER, parsed })]
  }),
)

/** One of each type at least. */
const EXAMPLES: readonly [string, Event][] = [
  ...archived,
  [
    'a message that was verified',
    authenticatedEvent(
      MAILBOX,
      {
        raw: { uri: 's3://acme-mail/raw/x', key: 'raw/x', sha256: 'a'.repeat(64), octets: 7 },
        mailbox: { id: MAILBOX },
        verifiedAt: TIME.toISOString(),
        dkim: [{ result: 'neutral', domain: 'a.example', selector: 's', reason: 'no key' }],
        spf: { result: 'none', reason: 'no receivedBy is configured' },
        dmarc: { result: 'fail', domain: 'a.example', policyDomain: 'a.example', policy: 'reject' },
        arc: { result: 'pass', instance: 2 },
        evidence: { uri: 's3://acme-mail/evidence/x', key: 'evidence/x' },
      },
      TIME,
    ),
  ],
  [
    'a message that was quarantined',
    quarantinedEvent({
      mailbox: MAILBOX,
      time: TIME,
      server: { ...BOX, folder: 'INBOX', uidl: 'x1' },
      code: 'MESSAGE_TOO_LARGE',
      reason: 'it has 200000000 octets',
      attempts: 1,
      octets: 200_000_000,
    }),
  ],
  [
    'a folder that was made anew',
    resetEvent({
      mailbox: MAILBOX,
      protocol: 'imap',
      folder: 'INBOX',
      from: '1' as Epoch,
      to: '2' as Epoch,
      time: TIME,
    }),
  ],
  [
    'a mailbox that was suspended',
    suspendedEvent(
      {
        mailbox: BOX,
        code: 'AUTHENTICATION_FAILED',
        reason: 'the server refused the password',
        remedy: ERROR_CODES.AUTHENTICATION_FAILED.remedy,
        since: TIME.toISOString(),
        nextTryAt: TIME.toISOString(),
      },
      TIME,
    ),
  ],
  [
    'a mailbox that was resumed',
    resumedEvent(
      { mailbox: BOX, code: 'AUTHENTICATION_FAILED', since: TIME.toISOString(), attempts: 3 },
      TIME,
    ),
  ],
]

/** What a consumer in another language has: the file alone. */
const PUBLISHED = z.fromJSONSchema(
  JSON.parse(readFileSync(schemaFile('event.schema.json'), 'utf8')) as Parameters<typeof z.fromJSONSchema>[0],
)

describe('an event', () => {
  test('has an example of every type that the schema knows', () => {
    const types = eventSchema.options.map(({ shape }) => shape.type.value)
    assert.deepEqual(new Set(EXAMPLES.map(([, { type }]) => type)), new Set(types))
  })

  for (const [what, event] of EXAMPLES)
    test(`about ${what} is what the schema says, as it comes out of the queue`, () => {
      const received: unknown = JSON.parse(encodeEvent(event))

      assert.deepEqual(eventSchema.parse(received), received)
      assert.deepEqual(PUBLISHED.parse(received), received)
    })

  for (const [what, event] of EXAMPLES)
    test(`about ${what} has the attributes of a CloudEvent (CloudEvents 1.0.2, 3.1)`, () => {
      const { data, ...attributes } = JSON.parse(encodeEvent(event)) as Event & { subject?: string }
      const { specversion, id, source, type, time, datacontenttype, subject } = attributes
      assert.equal(specversion, '1.0')
      assert.ok(id.length > 0)
      // A URI-reference (RFC 3986, 4.1) that is the same for every event of the mailbox; with id it is unique.
      assert.equal(source, 'mailsluice/invoices')
      assert.equal(new URL(source, 'https://consumer.example/').pathname, '/mailsluice/invoices')
      // "SHOULD be prefixed with a reverse-DNS name" is not followed: the project owns none. Version last.
      assert.match(type, /^mailsluice\.[a-z]+\.[a-z]+\.v1$/)
      // RFC 3339, 5.6.
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      assert.equal(datacontenttype, 'application/json')
      assert.ok(subject === undefined || subject.length > 0)
      // Names of attributes are lower-case letters and digits, 20 at most.
      assert.deepEqual(
        Object.keys(attributes).filter((name) => !/^[a-z0-9]{1,20}$/.test(name)),
        [],
      )
      assert.ok(typeof data === 'object')
    })

  test('of a message names the raw object as its subject', () => {
    for (const [, event] of archived) {
      assert.ok(event.type === MESSAGE_ARCHIVED)
      assert.equal(event.subject, event.data.raw.key)
    }
  })

  test('that has a field more, which a later version may add, is still valid for who has the schema of today', () => {
    const [[, event] = []] = archived
    const later = { ...event, data: { ...event?.data, addedLater: { x: 1 } } }

    assert.equal(PUBLISHED.safeParse(later).success, true)
    assert.equal(eventSchema.safeParse(later).success, true)
  })

  for (const [what, change] of Object.entries<Record<string, unknown>>({
    'an unknown type': { type: 'mailsluice.message.archived.v2' },
    'no id': { id: undefined },
    'another specversion': { specversion: '0.3' },
    'no data': { data: undefined },
    'the data of another type': { data: EXAMPLES.at(-1)?.[1].data },
  }))
    test(`with ${what} is not valid`, () => {
      const wrong: unknown = JSON.parse(JSON.stringify({ ...archived[0]?.[1], ...change }))

      assert.equal(eventSchema.safeParse(wrong).success, false)
      assert.equal(PUBLISHED.safeParse(wrong).success, false)
    })

  test('has an id that only a mailbox and a digest make', () => {
    const digest = sha256('ab'.repeat(32))
    assert.equal(archivedEventId(MAILBOX, digest), `invoices/${digest}`)
    assert.equal(archivedEventId(mailboxId('x'.repeat(63)), digest).length, 128)

    // Never run: the compiler has to refuse each line.
    const refused = (): unknown[] => {
      // @ts-expect-error in each other's place
      const swapped = archivedEventId(digest, MAILBOX)
      // @ts-expect-error bare text
      const bare = archivedEventId('invoices', 'ab'.repeat(32))
      // @ts-expect-error no event without its data
      const event: Event = { specversion: '1.0', type: MESSAGE_ARCHIVED, id: 'x', source: 'x', time: 'x' }
      return [swapped, bare, event]
    }
    assert.equal(typeof refused, 'function')
  })

  test('is told apart by its type, and then the compiler knows its data', () => {
    const octetsOf = (event: Event): number | Sha256 =>
      event.type === MESSAGE_ARCHIVED
        ? event.data.raw.octets
        : // @ts-expect-error only an archived message has octets in the archive
          event.data.raw.octets
    const [[, event] = []] = archived
    assert.ok(event)
    assert.ok(octetsOf(event))
  })
})
