import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MessageClass } from '../../shared/contract/event.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'

async function classOf(fields: readonly string[], body: readonly string[] = ['text']): Promise<MessageClass> {
  const message = ['From: a@b.example', 'Subject: x', ...fields, '', ...body].join('\r\n')
  return (await parseMessage(Buffer.from(message))).class
}

/** A multipart with parts of these fields. */
function multipart(type: string, ...parts: readonly (readonly string[])[]): readonly [string[], string[]] {
  const body = parts.flatMap((fields) => ['--b', ...fields, '', 'x'])
  return [[`Content-Type: ${type}; boundary=b`], [...body, '--b--']]
}

const STATUS = ['Content-Type: message/delivery-status']
const INVITATION = 'Content-Type: text/calendar; method=REQUEST'

const CLASSES: readonly (readonly [MessageClass, string, readonly string[], (readonly string[])?])[] = [
  ['ordinary', 'a message that says nothing of itself', []],
  ['ordinary', 'words of a bounce in the subject alone', ['Subject: Undelivered Mail Returned to Sender']],

  [
    'bounce',
    'a report of delivery status (RFC 3464)',
    ...multipart('multipart/report; report-type=delivery-status', [], STATUS),
  ],
  ['bounce', 'such a report that names no type', ...multipart('multipart/report', [], STATUS)],
  [
    'bounce',
    'such a report whose status part is missing',
    ...multipart('multipart/report; report-type="Delivery-Status"', []),
  ],
  [
    'bounce',
    'an internationalized report (RFC 6533)',
    ...multipart('multipart/report', [], ['Content-Type: message/global-delivery-status']),
  ],
  ['bounce', 'X-Failed-Recipients, as Exim and Google write', ['X-Failed-Recipients: a@b.example']],
  [
    'bounce',
    'a status part from a null return path',
    ['Return-Path: <>', ...multipart('multipart/mixed', [], STATUS)[0]],
    multipart('multipart/mixed', [], STATUS)[1],
  ],
  [
    'bounce',
    'a report that is answered automatically',
    ['Auto-Submitted: auto-replied', ...multipart('multipart/report', [], STATUS)[0]],
    multipart('multipart/report', [], STATUS)[1],
  ],
  ['ordinary', 'a status part from somebody', ...multipart('multipart/mixed', [], STATUS)],
  ['ordinary', 'a null return path alone', ['Return-Path: <>']],
  ['bounce', 'a return path of MAILER-DAEMON', ['Return-Path: <MAILER-DAEMON@mx.example>']],

  ['auto-reply', 'Auto-Submitted', ['Auto-Submitted: auto-replied']],
  ['auto-reply', 'Auto-Submitted with a parameter', ['Auto-Submitted: Auto-Replied; owner-email="a@b"']],
  ['auto-reply', 'Auto-Submitted with a comment', ['Auto-Submitted: auto-generated (cron)']],
  ['auto-reply', 'an Auto-Submitted that no standard knows', ['Auto-Submitted: auto-notified']],
  ['auto-reply', 'Precedence: auto_reply', ['Precedence: auto_reply']],
  ['auto-reply', 'X-Autoreply', ['X-Autoreply: yes']],
  ['auto-reply', 'X-Autoresponder with an address', ['X-Autoresponder: robot@b.example']],
  ['ordinary', 'Auto-Submitted: no', ['Auto-Submitted: no']],
  ['ordinary', 'Auto-Submitted: no, with a comment', ['Auto-Submitted: NO (a person)']],
  ['ordinary', 'an empty Auto-Submitted', ['Auto-Submitted:']],
  ['ordinary', 'X-Autoreply: no', ['X-Autoreply: no']],
  ['ordinary', 'a wish that nobody answers automatically', ['X-Auto-Response-Suppress: All']],
  ['ordinary', 'Precedence: bulk', ['Precedence: bulk']],

  ['calendar', 'an invitation', [INVITATION], ['BEGIN:VCALENDAR']],
  ['calendar', 'an invitation among alternatives', ...multipart('multipart/alternative', [], [INVITATION])],
  ['ordinary', 'a calendar without a method', ['Content-Type: text/calendar'], ['BEGIN:VCALENDAR']],

  ['list', 'List-Id', ['List-Id: <users.lists.example>']],
  [
    'auto-reply',
    'an automatic answer to a list',
    ['List-Id: <users.lists.example>', 'Auto-Submitted: auto-replied'],
  ],
  ['calendar', 'an invitation by a list', ['List-Id: <users.lists.example>', INVITATION]],

  [
    'dmarc-report',
    'the file name of RFC 7489',
    ['Content-Type: application/gzip; name="google.com!b.example!1772323200!1772409599.xml.gz"'],
  ],
  [
    'dmarc-report',
    'the file name with an id',
    ['Content-Type: application/zip; name="a.example!b.example!1772323200!1772409599!1.zip"'],
  ],
  [
    'dmarc-report',
    'the file name of an attachment',
    ...multipart(
      'multipart/mixed',
      [],
      [
        'Content-Type: application/zip',
        'Content-Disposition: attachment; filename=a!b.example!1772323200!1772409599.xml',
      ],
    ),
  ],
  [
    'ordinary',
    'another file name with exclamation marks',
    ['Content-Type: application/zip; name="a!b!c.zip"'],
  ],

  [
    'read-receipt',
    'a disposition notification (RFC 8098)',
    ...multipart(
      'multipart/report; report-type=disposition-notification',
      [],
      ['Content-Type: message/disposition-notification'],
    ),
  ],
  ['ordinary', 'a wish for one', ['Disposition-Notification-To: a@b.example']],

  [
    'complaint',
    'an abuse report (RFC 5965)',
    ...multipart(
      'multipart/report; report-type=feedback-report',
      [],
      ['Content-Type: message/feedback-report'],
    ),
  ],
  [
    'complaint',
    'an abuse report that names no type',
    ...multipart('multipart/report', [], ['Content-Type: message/feedback-report']),
  ],
  [
    'complaint',
    'an abuse report that has a status part too',
    ...multipart('multipart/report; report-type=feedback-report', STATUS),
  ],
  [
    'ordinary',
    'such a part elsewhere',
    ...multipart('multipart/mixed', [], ['Content-Type: message/feedback-report']),
  ],

  ['encrypted', 'PGP/MIME', ...multipart('multipart/encrypted; protocol="application/pgp-encrypted"', [])],
  [
    'encrypted',
    'S/MIME',
    ['Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m'],
  ],
  [
    'encrypted',
    'S/MIME with authentication',
    ['Content-Type: application/pkcs7-mime; smime-type=AuthEnveloped-Data'],
  ],
  ['encrypted', 'S/MIME by its old name', ['Content-Type: application/x-pkcs7-mime; name=smime.p7m']],
  ['ordinary', 'S/MIME that is signed', ['Content-Type: application/pkcs7-mime; smime-type=signed-data']],
  [
    'ordinary',
    'PGP/MIME that is signed',
    ...multipart('multipart/signed', [], ['Content-Type: application/pgp-signature']),
  ],
  [
    'ordinary',
    'an encrypted part among others',
    ...multipart('multipart/mixed', [], ['Content-Type: application/pkcs7-mime; smime-type=enveloped-data']),
  ],
]

describe('a message is called', () => {
  for (const [expected, what, fields, body] of CLASSES)
    test(`${expected}: ${what}`, async () => {
      assert.equal(await classOf(fields, body), expected)
    })

  test('dmarc-report: the subject of RFC 7489, 7.2.1.1', async () => {
    const message =
      'From: a@b\r\nSubject: Report Domain: b.example Submitter: a.example Report-ID: <1>\r\n\r\n'
    assert.equal((await parseMessage(Buffer.from(message))).class, 'dmarc-report')
  })
})

describe('mail of a postmaster', () => {
  const classFrom = async (...fields: readonly string[]): Promise<MessageClass> =>
    (await parseMessage(Buffer.from(`From: Postmaster <postmaster@a.example>\r\n${fields.join('')}\r\ntext`)))
      .class

  test('is a bounce when its return path is null or that of MAILER-DAEMON, and else of a person', async () => {
    assert.equal(await classFrom('Return-Path: <>\r\n'), 'bounce')
    assert.equal(await classFrom('Return-Path: <mailer-daemon@a.example>\r\n'), 'bounce')
    assert.equal(await classFrom('Return-Path: <postmaster@a.example>\r\n'), 'ordinary')
    assert.equal(await classFrom(), 'ordinary')
  })
})
