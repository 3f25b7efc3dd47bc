import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PARSER } from '../../shared/limits.ts'
import { readCalendar } from '../../shared/mail/calendar.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'

function report(type: string, ...parts: readonly (readonly [type: string, body: string])[]): Buffer {
  const body = parts.map(([partType, text]) => `--b\r\nContent-Type: ${partType}\r\n\r\n${text}\r\n`).join('')
  return Buffer.from(
    `From: a@b.example\r\nContent-Type: multipart/report; report-type=${type}; boundary=b\r\n\r\n${body}--b--\r\n`,
  )
}

const RETURNED = [
  'message/rfc822',
  'Message-ID: <order-1@shop.example>\r\nSubject: order\r\n\r\ntext',
] as const

const STATUS = [
  'Reporting-MTA: dns; mx.example.net',
  '',
  'Original-Recipient: rfc822;Sales@example.com',
  'Final-Recipient: rfc822; sales@example.com (Sales)',
  'Action: Failed',
  'Status: 5.1.1 (bad destination)',
  'Remote-MTA: dns; mx.example.com',
  'Diagnostic-Code: smtp; 550 5.1.1 <sales@example.com>: no such user',
  '',
  'Final-Recipient: rfc822; <late@example.com>',
  'Action: delayed',
  'Status: 4.4.1',
].join('\r\n')

const SALES = {
  recipient: 'sales@example.com',
  originalRecipient: 'Sales@example.com',
  action: 'failed',
  status: '5.1.1',
  diagnostic: '550 5.1.1 <sales@example.com>: no such user',
  remoteMta: 'mx.example.com',
}

describe('a bounce', () => {
  test('is told with each recipient, what became of it and why, and with the message that came back', async () => {
    const {
      bounce,
      class: decided,
      labels,
    } = await parseMessage(
      report('delivery-status', ['text/plain', 'sorry'], ['message/delivery-status', STATUS], RETURNED),
    )

    assert.equal(decided, 'bounce')
    assert.deepEqual(bounce, {
      recipients: [SALES, { recipient: 'late@example.com', action: 'delayed', status: '4.4.1' }],
      reportingMta: 'mx.example.net',
      originalMessageId: 'order-1@shop.example',
    })
    assert.deepEqual(labels, [
      {
        label: 'bounce',
        evidence: ['part: multipart/report; report-type=delivery-status', 'part: message/delivery-status'],
      },
    ])
  })

  test('whose fields are not set apart by an empty line has its recipient all the same', async () => {
    const { bounce } = await parseMessage(
      report('delivery-status', ['message/delivery-status', STATUS.replaceAll('\r\n\r\n', '\r\n')]),
    )

    assert.deepEqual(bounce?.recipients[0], SALES)
  })

  test('that returns the header alone is told with its Message-ID', async () => {
    const { bounce } = await parseMessage(
      report('delivery-status', ['message/delivery-status', STATUS], ['text/rfc822-headers', RETURNED[1]]),
    )

    assert.equal(bounce?.originalMessageId, 'order-1@shop.example')
  })

  test('of Exim and Google is told with the recipients of X-Failed-Recipients', async () => {
    const { bounce, labels } = await parseMessage(
      Buffer.from(
        'From: Mailer-Daemon@mx.example\r\nX-Failed-Recipients: a@b.example,\r\n <c@d.example>\r\n\r\n',
      ),
    )

    assert.deepEqual(bounce, { recipients: [{ recipient: 'a@b.example' }, { recipient: 'c@d.example' }] })
    assert.deepEqual(labels[0]?.evidence, [
      'from: Mailer-Daemon@mx.example',
      'x-failed-recipients: a@b.example, <c@d.example>',
    ])
  })
})

test('a read receipt is told with what it is about', async () => {
  const { receipt } = await parseMessage(
    report('disposition-notification', [
      'message/disposition-notification',
      'Final-Recipient: rfc822;reader@example.com\r\nOriginal-Message-ID: <order-1@shop.example>\r\nDisposition: manual-action/MDN-sent-manually; displayed',
    ]),
  )

  assert.deepEqual(receipt, {
    disposition: 'manual-action/MDN-sent-manually; displayed',
    finalRecipient: 'reader@example.com',
    originalMessageId: 'order-1@shop.example',
  })
})

test('a complaint is told with whom it is about', async () => {
  const { complaint } = await parseMessage(
    report(
      'feedback-report',
      ['text/plain', 'x'],
      [
        'message/feedback-report',
        'Feedback-Type: Abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\nOriginal-Rcpt-To: <user@example.com>\r\nSource-IP: 192.0.2.1',
      ],
      RETURNED,
    ),
  )

  assert.deepEqual(complaint, {
    feedbackType: 'abuse',
    originalRecipient: 'user@example.com',
    sourceIp: '192.0.2.1',
    originalMessageId: 'order-1@shop.example',
  })
})

test('a DMARC report is told by the name of its file', async () => {
  const { dmarcReport } = await parseMessage(
    Buffer.from(
      'Subject: Report domain: b.example Submitter: a.example Report-ID: <77>\r\nContent-Type: application/gzip; name="a.example!b.example!1772323200!1772409599.xml.gz"\r\n\r\n',
    ),
  )

  assert.deepEqual(dmarcReport, {
    submitter: 'a.example',
    domain: 'b.example',
    begin: '2026-03-01T00:00:00Z',
    end: '2026-03-01T23:59:59Z',
    reportId: '77',
  })
})

const INVITATION = [
  'BEGIN:VCALENDAR',
  'METHOD:REQUEST',
  'BEGIN:VTIMEZONE',
  'TZID:Europe/Zurich',
  'BEGIN:STANDARD',
  'DTSTART:19701025T030000',
  'END:STANDARD',
  'END:VTIMEZONE',
  'BEGIN:VEVENT',
  'UID:meeting-1@example.com',
  'SUMMARY;LANGUAGE=en:Budget\\, part 2\\; with a very ',
  ' long line',
  'DTSTART;TZID="Europe/Zurich":20261130T090000',
  'DTEND;TZID=Europe/Zurich:20261130T100000',
  'RRULE:FREQ=WEEKLY',
  'BEGIN:VALARM',
  'SUMMARY:not this',
  'END:VALARM',
  'END:VEVENT',
  'BEGIN:VEVENT',
  'UID:meeting-2@example.com',
  'END:VEVENT',
  'END:VCALENDAR',
].join('\r\n')

describe('a calendar', () => {
  test('is told with method, uid and times of its first component, those of time zones left out', () => {
    assert.deepEqual(readCalendar(INVITATION, undefined), {
      method: 'REQUEST',
      uid: 'meeting-1@example.com',
      summary: 'Budget, part 2; with a very long line',
      start: '20261130T090000',
      startZone: 'Europe/Zurich',
      end: '20261130T100000',
      endZone: 'Europe/Zurich',
      recurs: true,
    })
  })

  test('is told with the method of its part where it has none of its own', async () => {
    const octets = `Content-Type: text/calendar; method=reply\r\n\r\n${INVITATION.replace('METHOD:REQUEST\r\n', '')}`
    const { calendar, class: decided } = await parseMessage(Buffer.from(octets))

    assert.equal(decided, 'calendar')
    assert.equal(calendar?.method, 'REPLY')
  })

  test('that holds no component is none, and one that is cut off is told as far as it came', () => {
    assert.equal(readCalendar('BEGIN:VCALENDAR\r\nEND:VCALENDAR', 'REQUEST'), undefined)
    assert.deepEqual(readCalendar('BEGIN:VEVENT\nUID:1', undefined), { uid: '1' })
  })

  test('of hostile lines takes time in proportion to them', () => {
    for (const piece of [';', ';A=', ';A="', 'A:', '\n ', 'BEGIN:VEVENT\n', 'END:X\n'])
      readCalendar(`BEGIN:VEVENT\nDTSTART${piece.repeat(20_000)}`, undefined)
  })

  test('tells what its first component says itself: not what stands in it or behind it, nor what is said twice', () => {
    const lines = [
      'BEGIN:VCALENDAR',
      'METHOD:REQUEST',
      'UID:of the calendar',
      'BEGIN:VEVENT',
      'BEGIN:VALARM',
      'UID:of the alarm',
      'SUMMARY:of the alarm',
      'METHOD:CANCEL',
      'END:VALARM',
      'METHOD:CANCEL',
      'UID:first',
      'UID:second',
      'END:VEVENT',
      'BEGIN:VEVENT',
      'SUMMARY:of another',
      'END:VEVENT',
      'END:VCALENDAR',
    ]

    assert.deepEqual(readCalendar(lines.join('\n'), undefined), { method: 'REQUEST', uid: 'first' })
  })

  test('is told in texts that are bounded', () => {
    const { uid } = readCalendar(`BEGIN:VEVENT\nUID:${'x'.repeat(5000)}`, undefined) ?? {}

    assert.equal(uid?.length, PARSER.headerCharacters)
  })
})

describe('a bounce', () => {
  test('is not told of a message that reports none', async () => {
    assert.equal((await parseMessage(Buffer.from('Subject: x\r\n\r\ntext'))).bounce, undefined)
  })

  test('is told with as many recipients as a field of addresses, and no more', async () => {
    const failed = Array.from({ length: PARSER.addresses + 10 }, (_, number) => `${number}@b.example`)
    const { bounce } = await parseMessage(
      Buffer.from(`X-Failed-Recipients: ${failed.join(',\r\n ')}\r\n\r\ntext`),
    )

    assert.equal(bounce?.recipients.length, PARSER.addresses)
    assert.equal(bounce.recipients[0]?.recipient, '0@b.example')
  })
})
