import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { ArchivedData } from '../../shared/contract/event.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { type ExampleQueue, openExampleQueue, runExample } from '../support/examples.ts'
import { type ArchivedEvent, archivedEvent } from '../support/recorded-events.ts'

const ADDRESS = 'support@acme.example'

let queue: ExampleQueue
let next = 0

/** An event of a message from somebody, named `<name@x.example>`, in answer to others. */
function mail(
  name: string,
  change: Partial<ArchivedData> & { from?: string; to?: readonly string[]; time?: string } = {},
): ArchivedEvent {
  const { from = 'ada@customer.example', to = [], time = '2026-11-30T08:00:00.000Z', ...data } = change
  const event = archivedEvent('plain')
  const message: ArchivedData['message'] = {
    ...event.data.message,
    messageId: `${name}@x.example`,
    inReplyTo: to.slice(-1),
    references: [...to],
    from: [{ address: from }],
    subject: name,
    headers: {},
    ...data.message,
  }
  return { ...event, id: `invoices/${name}-${next++}`, time, data: { ...event.data, ...data, message } }
}

interface Line {
  readonly what: string
  readonly ticket?: number
  readonly subject: string
  readonly acknowledged: boolean
}

/** Lets the consumer work until the queue is empty; its log. */
async function consumed(...events: ArchivedEvent[]): Promise<Line[]> {
  await queue.send(...events)
  const FOLDER = join(queue.folder, 'tickets')
  await runExample('tickets', { ...queue.environment, FOLDER, ADDRESS })
  assert.equal(await queue.waiting(), 0)
  const lines = readFileSync(join(FOLDER, 'tickets.ndjson'), 'utf8').trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as Line)
}

const told = (lines: readonly Line[]) =>
  lines.map(({ what, ticket, subject, acknowledged }) => [subject, what, ticket, acknowledged])

const outbox = (): string[] => readdirSync(join(queue.folder, 'tickets', 'outbox')).sort()

describe('the example of tickets', () => {
  test('joins what belongs to a thread, by Message-IDs or by what the provider says, also after it was begun anew', async () => {
    queue = await openExampleQueue()
    const mailbox = { ...archivedEvent('plain').data.mailbox, gmailThreadId: '17' }
    await consumed(mail('one'), mail('two', { mailbox }))
    const lines = await consumed(
      mail('reply', { to: ['one@x.example'], from: 'ben@customer.example' }),
      mail('late', { to: ['lost@x.example', 'reply@x.example'] }),
      mail('same', { mailbox }),
      mail('other'),
    )

    assert.deepEqual(told(lines), [
      ['one', 'opened', 1, true],
      ['two', 'opened', 2, true],
      ['reply', 'joined', 1, false],
      ['late', 'joined', 1, false],
      ['same', 'joined', 2, false],
      ['other', 'opened', 3, true],
    ])
    assert.deepEqual(outbox(), ['1.eml', '2.eml', '3.eml'])
  })

  test('takes an event once, however often it comes', async () => {
    queue = await openExampleQueue()
    const event = mail('one')
    await consumed(event, event)
    assert.deepEqual(told(await consumed(event)), [['one', 'opened', 1, true]])
  })

  test('acknowledges with what tells machines that a machine wrote it', async () => {
    queue = await openExampleQueue()
    await consumed(mail('one'))
    const octets = readFileSync(join(queue.folder, 'tickets', 'outbox', '1.eml'))
    const { message, class: kind } = await parseMessage(octets)

    assert.equal(kind, 'auto-reply')
    assert.deepEqual([message.to[0]?.address, message.from[0]?.address], ['ada@customer.example', ADDRESS])
    assert.deepEqual(message.inReplyTo, ['one@x.example'])
  })

  test('keeps answers of machines from looping: they join, open nothing and are not answered', async () => {
    queue = await openExampleQueue()
    await consumed(mail('one'))
    const { message } = await parseMessage(readFileSync(join(queue.folder, 'tickets', 'outbox', '1.eml')))
    const answered = [message.messageId ?? '']
    const lines = await consumed(
      mail('vacation', { class: 'auto-reply', to: answered }),
      mail('vacation of nobody', { class: 'auto-reply', from: 'x@y.example' }),
      mail('bounce', {
        class: 'bounce',
        from: 'MAILER-DAEMON@customer.example',
        bounce: { recipients: [], originalMessageId: answered[0] ?? '' },
      }),
      mail('bounce of nothing', { class: 'bounce', from: 'MAILER-DAEMON@customer.example' }),
      mail('receipt', { class: 'read-receipt' }),
      mail('newsletter', { class: 'list' }),
      mail('our own', { from: 'Support@ACME.example' }),
    )

    assert.deepEqual(told(lines.slice(1)), [
      ['vacation', 'joined', 1, false],
      ['vacation of nobody', 'ignored', undefined, false],
      ['bounce', 'bounced', 1, false],
      ['bounce of nothing', 'ignored', undefined, false],
      ['receipt', 'ignored', undefined, false],
      ['newsletter', 'ignored', undefined, false],
      ['our own', 'ignored', undefined, false],
    ])
    assert.deepEqual(outbox(), ['1.eml'])
  })

  test('opens a ticket without an answer where one would go astray, or for the fourth time in an hour', async () => {
    queue = await openExampleQueue()
    const { message } = archivedEvent('plain').data
    const headers = (fields: Record<string, string[]>) => ({
      message: {
        ...message,
        headers: fields,
        subject: 'bulk',
        messageId: `m${next}@x.example`,
        references: [],
        inReplyTo: [],
      },
    })
    const lines = await consumed(
      mail('bulk', { ...headers({ precedence: ['bulk'] }) }),
      mail('nobody', { ...headers({ 'return-path': ['<>'] }) }),
      mail('odd', { from: 'a@b.example>\r\nBcc: <c@d.example' }),
      ...['1', '2', '3', '4'].map((name) => mail(name, { from: 'eva@x.example' })),
      mail('an hour later', { from: 'eva@x.example', time: '2026-11-30T09:00:00.001Z' }),
    )

    assert.deepEqual(
      lines.map(({ what }) => what),
      Array(8).fill('opened'),
    )
    assert.deepEqual(
      lines.map(({ acknowledged }) => acknowledged),
      [false, false, false, true, true, true, false, true],
    )
  })
})
