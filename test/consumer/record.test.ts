import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { readEvent } from '../../shared/consumer/record.ts'
import { lambdaRecord, recordedEvent } from '../support/recorded-events.ts'

const NAMES = readdirSync(new URL('../fixtures/events/', import.meta.url)).flatMap(
  (file) => /^v1-(.*)\.json$/.exec(file)?.[1] ?? [],
)
const EVENT = recordedEvent('archived-invoice')
const BODY = JSON.stringify(EVENT)

const invalid = (message: RegExp) => (error: unknown) =>
  error instanceof Error && 'code' in error && error.code === 'EVENT_INVALID' && message.test(error.message)

describe('an event is read', () => {
  for (const name of NAMES)
    test(`as it was recorded: ${name}`, () => {
      const event = recordedEvent(name)
      assert.deepEqual(readEvent(lambdaRecord(event, '1')), event)
    })

  const records: readonly [where: string, record: unknown][] = [
    ['a body alone', BODY],
    ['a message as the SDK received it', { MessageId: '1', ReceiptHandle: 'x', MD5OfBody: 'x', Body: BODY }],
    ["a record of a Lambda's batch, and of EventBridge Pipes", lambdaRecord(EVENT, '1')],
    ['a record whose body the input transformer of a pipe has parsed', { messageId: '1', body: EVENT }],
    [
      'what a pipe put on an event bus',
      { version: '0', source: 'mailsluice', 'detail-type': EVENT.type, detail: EVENT },
    ],
    [
      'what a pipe put on an event bus without a transformer',
      { version: '0', detail: lambdaRecord(EVENT, '1') },
    ],
    ['a notification of SNS', lambdaRecord({ Type: 'Notification', MessageId: '1', Message: BODY }, '1')],
    ['an event that was parsed by somebody else', EVENT],
  ]
  for (const [where, record] of records)
    test(`out of ${where}`, () => {
      assert.deepEqual(readEvent(record), EVENT)
    })

  test('without the fields that the schema does not know', () => {
    assert.deepEqual(readEvent({ ...EVENT, later: 1, data: { ...EVENT.data, later: { x: 1 } } }), EVENT)
  })
})

describe('no event', () => {
  test('is what has a type that is not known yet: it is left alone', () => {
    assert.equal(readEvent({ ...EVENT, type: 'mailsluice.message.archived.v2' }), undefined)
    assert.equal(readEvent(lambdaRecord({ ...EVENT, type: 'mailsluice.other.v1', data: 5 }, '1')), undefined)
  })

  const records: readonly [what: string, record: unknown, message: RegExp][] = [
    ['text that is no JSON', 'hello', /^not JSON$/],
    ['a number', 5, /^neither an event nor a record/],
    ['nothing', undefined, /^neither/],
    ['a list', [BODY], /^neither/],
    ['a record without a body', { messageId: '1' }, /^neither/],
    ['a body that is none', lambdaRecord('x', '1'), /^neither/],
    [
      'the event of somebody else',
      { ...EVENT, type: 'com.example.other' },
      /^type: a CloudEvent, and none of/,
    ],
    ['an event without data', { ...EVENT, data: undefined }, /^data: /],
    [
      'an event with a field of another type',
      { ...EVENT, data: { ...EVENT.data, raw: { octets: '5' } } },
      /^data\.raw\./,
    ],
    ['an event of another CloudEvents', { ...EVENT, specversion: '2.0' }, /^specversion: /],
    ['an event in five wrappings', { body: { body: { body: { body: { body: EVENT } } } } }, /^neither/],
    ['wrappings without end', JSON.parse(`${'{"body":'.repeat(50_000)}1${'}'.repeat(50_000)}`), /^neither/],
    ['what only inherits a body', Object.create({ body: BODY }), /^neither/],
  ]
  for (const [what, record, message] of records)
    test(`is ${what}, and that is said without what was written`, () => {
      assert.throws(() => readEvent(record), invalid(message))
    })
})
