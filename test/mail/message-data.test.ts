import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PARSER } from '../../shared/limits.ts'
import { Bounds } from '../../shared/mail/clean-text.ts'
import { readHeaderFields } from '../../shared/mail/header-fields.ts'
import { CHOSEN_FIELDS, readAuthentication, readMessageData } from '../../shared/mail/message-data.ts'

function read(lines: readonly string[], bounds = new Bounds()) {
  return readMessageData(readHeaderFields(Buffer.from(lines.map((line) => `${line}\r\n`).join(''))), bounds)
}

describe('what a header says of its message', () => {
  test('is all in the event', () => {
    const data = read([
      'Delivered-To: orders@example.com',
      'X-Original-To: shop@example.com',
      'Return-Path: <ada@example.net>',
      'Message-ID: <3@example.net>',
      'In-Reply-To: <2@example.net>',
      'References: <1@example.net>',
      ' <2@example.net>',
      'Date: Tue, 3 Mar 2026 09:00:00 +0100',
      'From: Ada <ada@example.net>',
      'Sender: secretary@example.net',
      'Reply-To: replies@example.net',
      'To: orders@example.com, Team: a@example.com;',
      'Cc: c@example.com',
      'Bcc: undisclosed-recipients:;',
      'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=',
      'X-Mailer: =?utf-8?q?Br=C3=BCcke?= 1.0',
      'X-Secret: not chosen',
    ])

    assert.deepEqual(data, {
      messageId: '3@example.net',
      inReplyTo: ['2@example.net'],
      references: ['1@example.net', '2@example.net'],
      threadKey: '1@example.net',
      date: '2026-03-03T09:00:00+01:00',
      from: [{ name: 'Ada', address: 'ada@example.net' }],
      sender: [{ address: 'secretary@example.net' }],
      replyTo: [{ address: 'replies@example.net' }],
      to: [{ address: 'orders@example.com' }, { address: 'a@example.com', group: 'Team' }],
      cc: [{ address: 'c@example.com' }],
      bcc: [{ group: 'undisclosed-recipients' }],
      deliveredTo: ['orders@example.com', 'shop@example.com'],
      subject: 'Grüße',
      headers: { 'return-path': ['<ada@example.net>'], 'x-mailer': ['Brücke 1.0'] },
    })
  })

  test('is nothing when it says nothing', () => {
    assert.deepEqual(read([]), {
      inReplyTo: [],
      references: [],
      from: [],
      sender: [],
      replyTo: [],
      to: [],
      cc: [],
      bcc: [],
      deliveredTo: [],
      headers: {},
    })
  })

  test('names a thread by the first reference, else by what is answered, else by itself', () => {
    assert.equal(
      read(['References: <a@b> <c@d>', 'In-Reply-To: <e@f>', 'Message-ID: <g@h>']).threadKey,
      'a@b',
    )
    assert.equal(read(['In-Reply-To: <e@f> <i@j>', 'Message-ID: <g@h>']).threadKey, 'e@f')
    assert.equal(read(['References:', 'Message-ID: <g@h>']).threadKey, 'g@h')
    assert.equal(read(['Subject: x']).threadKey, undefined)
  })

  test('counts once where a field may stand once, the topmost, and adds up where mailers repeat it', () => {
    const data = read(['Subject: one', 'From: a@b', 'To: a@b', 'Subject: two', 'From: c@d', 'To: c@d'])

    assert.equal(data.subject, 'one')
    assert.deepEqual(data.from, [{ address: 'a@b' }])
    assert.deepEqual(data.to, [{ address: 'a@b' }, { address: 'c@d' }])
  })

  test('keeps an empty subject apart from none', () => {
    assert.equal(read(['Subject:']).subject, '')
    assert.equal(read(['To: a@b']).subject, undefined)
  })

  test('is cut at the limits, which is said', () => {
    const cases: readonly (readonly [
      readonly string[],
      (data: ReturnType<typeof read>) => number,
      number,
    ])[] = [
      [[`Subject: ${'x'.repeat(5000)}`], (data) => data.subject?.length ?? 0, PARSER.headerCharacters],
      [
        [`Message-ID: <${'x'.repeat(5000)}@b>`],
        (data) => data.messageId?.length ?? 0,
        PARSER.headerCharacters,
      ],
      [[`References: ${'<a@b> '.repeat(1500)}`], (data) => data.references.length, PARSER.references],
      [Array(6000).fill('Delivered-To: a@b'), (data) => data.deliveredTo.length, PARSER.addresses],
      [Array(6000).fill('To: a@b'), (data) => data.to.length, PARSER.addresses],
      [Array(500).fill('X-Mailer: x'), (data) => data.headers['x-mailer']?.length ?? 0, PARSER.headerValues],
      [
        [`List-Id: ${'x'.repeat(5000)}`],
        (data) => data.headers['list-id']?.[0]?.length ?? 0,
        PARSER.headerCharacters,
      ],
      // Encoded text that is longer than what is looked at, although little of it is left.
      [[`Subject: ${'=?utf-8?q??= '.repeat(5000)}`], (data) => data.subject?.length ?? 0, 16],
    ]
    for (const [lines, measure, limit] of cases) {
      const bounds = new Bounds()
      assert.ok(measure(read(lines, bounds)) <= limit, lines[0]?.slice(0, 20))
      assert.equal(bounds.exceeded, true, lines[0]?.slice(0, 20))
    }
  })

  const DATES: readonly (readonly [
    what: string,
    date: string,
    received: string,
    credible: boolean | undefined,
  ])[] = [
    ['a date before it was received', '09:00:00 +0100', '09:00:05 +0100', true],
    ['a clock that is an hour fast', '10:00:00 +0100', '09:00:05 +0100', true],
    ['another zone', '03:00:00 -0500', '09:00:05 +0100', true],
  ]
  for (const [what, date, received, credible] of DATES)
    test(`says whether its date is credible: ${what}`, () => {
      const data = read([
        `Received: from a by b; Tue, 3 Mar 2026 ${received}`,
        'Received: from c by a; Mon, 2 Mar 2020 09:00:00 +0100',
        `Date: Tue, 3 Mar 2026 ${date}`,
      ])
      assert.equal(data.dateCredible, credible)
      assert.equal(data.receivedAt, `2026-03-03T${received.slice(0, 8)}+01:00`)
    })

  test('says whether its date is credible: days off, missing, nothing to compare it with', () => {
    const credible = (date: string | undefined, received = 'Tue, 3 Mar 2026 09:00:00 +0100') =>
      read([...(date ? [`Date: ${date}`] : []), ...(received ? [`Received: from a by b; ${received}`] : [])])
        .dateCredible

    assert.equal(credible('Thu, 5 Mar 2026 09:00:00 +0100'), false)
    assert.equal(credible('Thu, 26 Feb 2026 09:00:00 +0100'), true)
    assert.equal(credible('Mon, 23 Feb 2026 09:00:00 +0100'), false)
    assert.equal(credible('Thu, 1 Jan 1970 00:00:00 +0000'), false)
    assert.equal(credible(undefined), false)
    assert.equal(credible('yesterday'), false)
    assert.equal(credible('Thu, 5 Mar 2026 09:00:00 +0100', ''), undefined)
    assert.equal(credible('Thu, 5 Mar 2026 09:00:00 +0100', 'who knows'), undefined)
  })

  const PRIORITIES: readonly (readonly [line: string, priority: string | undefined])[] = [
    ['Importance: High', 'high'],
    ['X-Priority: 1 (Highest)', 'high'],
    ['X-Priority: 3', 'normal'],
    ['X-Priority: 5 (Lowest)', 'low'],
    ['Priority: non-urgent', 'low'],
    ['X-MSMail-Priority: Normal', 'normal'],
    ['X-Priority: whatever', undefined],
    ['Subject: urgent', undefined],
  ]
  for (const [line, priority] of PRIORITIES)
    test(`has the priority that its sender says: ${line}`, () => {
      assert.equal(read([line]).priority, priority)
    })

  test('says whom its sender wants a receipt to go to', () => {
    assert.deepEqual(read(['Disposition-Notification-To: Ann <a@b.example>']).receiptTo, [
      { name: 'Ann', address: 'a@b.example' },
    ])
    assert.deepEqual(read(['Return-Receipt-To: a@b.example']).receiptTo, [{ address: 'a@b.example' }])
    assert.equal(read(['To: a@b.example']).receiptTo, undefined)
  })

  test('and only what is chosen comes among `headers`, whatever its name', () => {
    const { headers } = read(['__proto__: x', 'Constructor: y', 'Precedence: list', 'Priority: urgent'])

    assert.deepEqual(headers, { precedence: ['list'], priority: ['urgent'] })
    assert.deepEqual([...CHOSEN_FIELDS], [...CHOSEN_FIELDS].sort())
  })
})

describe('what receiving servers found', () => {
  test('comes topmost first, so many at most', () => {
    const block = Buffer.from(
      'Authentication-Results: mx2; spf=pass\r\nAuthentication-Results: mx1;\r\n\tdkim=fail\r\n',
    )
    const bounds = new Bounds()

    assert.deepEqual(readAuthentication(readHeaderFields(block), bounds), ['mx2; spf=pass', 'mx1; dkim=fail'])
    assert.equal(bounds.exceeded, false)

    const long = readHeaderFields(Buffer.from(`Authentication-Results: ${'x'.repeat(9000)}\r\n`))
    const cut = new Bounds()
    assert.equal(readAuthentication(long, cut)[0]?.length, PARSER.authenticationCharacters)
    assert.equal(cut.exceeded, true)

    const many = readHeaderFields(Buffer.from('Authentication-Results: x\r\n'.repeat(100)))
    assert.equal(readAuthentication(many, bounds).length, PARSER.headerValues)
    assert.equal(bounds.exceeded, true)
  })
})
