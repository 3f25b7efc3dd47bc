import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { ArchivedData } from '../../shared/contract/event.ts'
import { openExampleQueue, runExample } from '../support/examples.ts'
import { type ArchivedEvent, archivedEvent } from '../support/recorded-events.ts'
import { startScriptedS3 } from '../support/scripted-s3.ts'

const CASES = [
  { name: 'acme-v-globex', custodians: ['anna@acme.example', '@globex.example'], since: '2026-01-01' },
  { name: 'leak', custodians: ['anna@acme.example'] },
]

/** An event of a message to somebody, in the archive bucket. */
function mail(name: string, to: string, change: Partial<ArchivedData> = {}): ArchivedEvent {
  const event = archivedEvent('plain')
  const { raw, message } = event.data
  const key = `raw/invoices/aa/${name}.eml`
  return {
    ...event,
    id: `invoices/${name}`,
    data: {
      ...event.data,
      raw: { ...raw, bucket: 'archive', key, versionId: `v-${name}` },
      message: { ...message, to: [{ address: to }] },
      ...change,
    },
  }
}

/** Lets the consumer work until the queue is empty: the objects held, what stays in the queue, and the list of a case. */
async function consumed(events: readonly ArchivedEvent[], derived: ReadonlyMap<string, Buffer> = new Map()) {
  const queue = await openExampleQueue()
  const objects = new Map([...derived].map(([key, content]) => [key, { content, headers: {} }]))
  const s3 = await startScriptedS3({ archive: {}, derived: { objects } })
  const cases = join(queue.folder, 'cases.json')
  writeFileSync(cases, JSON.stringify(CASES))
  const FOLDER = join(queue.folder, 'cases')
  try {
    await queue.send(...events)
    await runExample('legal-hold', {
      ...queue.environment,
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      CASES: cases,
      FOLDER,
    })
    const held = s3.requests.filter(({ operation }) => operation === 'PutObjectLegalHold')
    return {
      held: held.map(({ key }) => key.replace(/^raw\/invoices\/aa\/|\.eml$/g, '')),
      waiting: await queue.waiting(),
      list: (name: string) =>
        readFileSync(join(FOLDER, `${name}.ndjson`), 'utf8')
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as Record<string, unknown>),
    }
  } finally {
    await s3.close()
  }
}

describe('the example of a legal hold', () => {
  test('holds what concerns a case, whoever of its custodians wrote or got it, and lists it', async () => {
    const { message } = archivedEvent('plain').data
    const { held, waiting, list } = await consumed([
      mail('to-anna', 'Anna@ACME.example'),
      mail('to-globex', 'ceo@globex.example'),
      mail('to-others', 'ben@acme.example'),
      mail('like-globex', 'ceo@notglobex.example'),
      mail('delivered', 'list@acme.example', {
        message: { ...message, deliveredTo: ['<anna@acme.example>'] },
      }),
    ])

    assert.deepEqual(held.sort(), ['delivered', 'to-anna', 'to-globex'])
    assert.deepEqual(
      list('leak')
        .map(({ eventId }) => eventId)
        .sort(),
      ['invoices/delivered', 'invoices/to-anna'],
    )
    assert.equal(list('acme-v-globex').length, 3)
    const [line] = list('leak').filter(({ eventId }) => eventId === 'invoices/to-anna')
    const { raw } = mail('to-anna', '').data
    assert.deepEqual([line?.versionId, line?.sha256, line?.octets], ['v-to-anna', raw.sha256, raw.octets])
    assert.equal(waiting, 0)
  })

  test('asks when a message arrived, and not what its sender says of it', async () => {
    const { mailbox, message } = mail('x', 'ceo@globex.example').data
    const { held } = await consumed([
      mail('before', 'ceo@globex.example', {
        mailbox: { ...mailbox, internalDate: '2025-12-31T23:59:59.000Z' },
      }),
      mail('forged', 'ceo@globex.example', {
        mailbox: { ...mailbox, internalDate: '2026-02-01T00:00:00.000Z' },
        message: { ...message, date: '1999-01-01T00:00:00Z', to: [{ address: 'ceo@globex.example' }] },
      }),
    ])
    assert.deepEqual(held, ['forged'])
  })

  test('finds a custodian whom the event has no room for, and holds in doubt', async () => {
    const { data } = mail('cut', 'first@x.example')
    const derived = new Map<string, Buffer>()
    const truncated = { ...data.message, truncated: true }
    /** An event that was cut, with an object that has all recipients. */
    const cut = (name: string, lastRecipient: string): ArchivedEvent => {
      const message = { ...data.message, bcc: [{ address: lastRecipient }] }
      const whole = Buffer.from(JSON.stringify({ ...data, message }))
      const key = `metadata/${name}`
      derived.set(key, whole)
      const sha256 = createHash('sha256').update(whole).digest('hex')
      const metadata = { uri: `s3://derived/${key}`, bucket: 'derived', key, sha256, octets: whole.length }
      return mail(name, 'x', { message: truncated, metadata })
    }
    const { held } = await consumed(
      [
        cut('cut', 'anna@acme.example'),
        cut('others', 'ben@acme.example'),
        mail('doubt', 'x', { message: truncated }),
      ],
      derived,
    )
    assert.deepEqual(held.sort(), ['cut', 'doubt'])
  })

  test('leaves an event in the queue whose hold is refused', async () => {
    const { data } = mail('x', 'anna@acme.example')
    const { held, waiting } = await consumed([
      mail('elsewhere', 'anna@acme.example', { raw: { ...data.raw, bucket: 'gone' } }),
    ])
    assert.deepEqual([held.length, waiting], [1, 1])
  })
})
