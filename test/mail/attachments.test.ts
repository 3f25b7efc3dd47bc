import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import type { AttachmentKind } from '../../shared/contract/event.ts'
import { PARSER } from '../../shared/limits.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { inPieces } from '../support/pieces.ts'
import { largeMessage } from '../support/sample-messages.ts'

function sha256(octets: Buffer | string): string {
  return createHash('sha256').update(octets).digest('hex')
}

function mixed(...parts: readonly (readonly [fields: readonly string[], body: string])[]): Buffer {
  const body = parts.map(
    ([fields, text]) => `--b\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n${text}\r\n`,
  )
  return Buffer.from(
    `From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${body.join('')}--b--\r\n`,
  )
}

const PDF = Buffer.from('%PDF-1.4\n\xff\x00')

describe('attachments', () => {
  test('are told with name, type, place, and length and SHA-256 of what they decode to', async () => {
    const { attachments } = await parseMessage(
      mixed(
        [['Content-Type: text/plain'], 'text'],
        [
          [
            'Content-Type: application/pdf',
            'Content-Disposition: attachment; filename="a.pdf"',
            'Content-Transfer-Encoding: base64',
            'Content-ID: <1@b>',
          ],
          PDF.toString('base64'),
        ],
        [
          ['Content-Type: text/csv; name=b.csv', 'Content-Transfer-Encoding: quoted-printable'],
          'a=3D1\r\nb=\r\nc',
        ],
      ),
    )

    assert.deepEqual(attachments, [
      {
        name: 'a.pdf',
        contentType: 'application/pdf',
        octets: PDF.length,
        sha256: sha256(PDF),
        disposition: 'attachment',
        contentId: '1@b',
        partPath: '2',
        detectedType: 'application/pdf',
        kind: 'file',
      },
      {
        name: 'b.csv',
        contentType: 'text/csv',
        octets: 7,
        sha256: sha256('a=1\r\nbc'),
        disposition: 'inline',
        partPath: '3',
        kind: 'file',
      },
    ])
  })

  test('include a nested message, whole and as it is, with none of its own parts', async () => {
    const nested =
      'Subject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\none\r\n--c--'
    const { attachments, text, message } = await parseMessage(
      mixed([['Content-Type: message/rfc822'], nested]),
    )

    assert.deepEqual(attachments, [
      {
        contentType: 'message/rfc822',
        octets: nested.length,
        sha256: sha256(nested),
        disposition: 'inline',
        partPath: '1',
        kind: 'message',
      },
    ])
    assert.equal(text.source, 'none')
    assert.equal(message.subject, undefined)
  })

  test('are what is no body text: text with a name behind the first part, text beside HTML in a related part', async () => {
    const paths = async (octets: Buffer): Promise<string[]> =>
      (await parseMessage(octets)).attachments.map(({ partPath }) => partPath)

    assert.deepEqual(await paths(mixed([['Content-Type: text/plain; name=a.txt'], 'a'], [[], 'b'])), [])
    assert.deepEqual(await paths(mixed([[], 'b'], [['Content-Type: text/plain; name=a.txt'], 'a'])), ['2'])
    assert.deepEqual(await paths(mixed([['Content-Disposition: attachment'], 'a'])), ['1'])
    const related = mixed([['Content-Type: text/html'], 'a'], [['Content-Type: text/html'], 'b'])
    assert.deepEqual(await paths(Buffer.from(related.toString().replace('mixed', 'related'))), ['2'])
    assert.deepEqual(await paths(Buffer.from('Content-Type: application/pdf\r\n\r\nx')), ['1'])
  })

  const KINDS: readonly (readonly [AttachmentKind, string, readonly string[], string])[] = [
    ['file', 'a document', ['Content-Type: application/pdf; name=a.pdf'], '%PDF-1.4'],
    ['file', 'a picture of its own', ['Content-Type: image/gif', 'Content-ID: <1@b>'], 'GIF89a'],
    ['archive', 'a ZIP', ['Content-Type: application/octet-stream; name=a.bin'], 'PK\x03\x04'],
    ['archive', 'a ZIP that was cut off', ['Content-Type: application/zip'], ''],
    ['tnef', 'winmail.dat by its type', ['Content-Type: application/ms-tnef'], 'x'],
    ['tnef', 'winmail.dat by its name', ['Content-Type: application/octet-stream; name=WINMAIL.DAT'], 'x'],
    ['calendar', 'an invitation', ['Content-Type: text/calendar; method=REQUEST'], 'BEGIN:VCALENDAR'],
    ['signature', 'a signature', ['Content-Type: application/pgp-signature; name=signature.asc'], 'x'],
    ['report', 'the report of a bounce', ['Content-Type: message/delivery-status'], 'Action: failed'],
    ['message', 'a message', ['Content-Type: message/rfc822; name=a.eml'], 'Subject: x\r\n\r\nx'],
  ]
  for (const [kind, what, fields, body] of KINDS)
    test(`are told apart: ${what} is ${kind}`, async () => {
      assert.equal((await parseMessage(mixed([[], 'text'], [fields, body]))).attachments[0]?.kind, kind)
    })

  test('that HTML shows are inline images: in a multipart/related, with an id', async () => {
    const picture = ['Content-Type: image/gif; name=logo.gif', 'Content-Disposition: inline']
    const related = Buffer.from(
      mixed(
        [['Content-Type: text/html'], '<img src=cid:1@b>'],
        [[...picture, 'Content-ID: <1@b>'], 'GIF89a'],
        [picture, 'GIF89a'],
      )
        .toString()
        .replace('mixed', 'related'),
    )

    assert.deepEqual(
      (await parseMessage(related)).attachments.map(({ kind }) => kind),
      ['inline-image', 'file'],
    )
  })

  test('that are not what they say are marked', async () => {
    const { attachments } = await parseMessage(
      mixed(
        [['Content-Type: application/pdf; name=invoice.pdf'], 'MZ\x90'],
        [['Content-Type: application/pdf; name=invoice.pdf'], '%PDF-1.4'],
      ),
    )

    assert.deepEqual(
      attachments.map(({ typeMismatch }) => typeMismatch),
      [true, undefined],
    )
  })

  test('can be read again: where each stands in the message, and how it is encoded', async () => {
    const octets = mixed(
      [[], 'text'],
      [['Content-Type: image/png', 'Content-Transfer-Encoding: BASE64'], 'AAAA\r\nBBBB'],
      [['Content-Type: image/png'], ''],
    )
    for (const size of [1, 7, octets.length]) {
      const { encoded, attachments } = await parseMessage(inPieces(octets, size))
      const bodies = attachments.map(({ partPath }) => {
        const { start, octets: length, encoding } = encoded[partPath] ?? assert.fail(partPath)
        return [octets.toString('latin1', start, start + length), encoding]
      })

      assert.deepEqual(bodies, [
        ['AAAA\r\nBBBB', 'base64'],
        ['', ''],
      ])
    }
  })

  test('of no octets have the SHA-256 of nothing', async () => {
    const [attachment] = (await parseMessage(mixed([['Content-Type: image/png'], '']))).attachments

    assert.equal(attachment?.octets, 0)
    assert.equal(attachment?.sha256, sha256(''))
  })

  test('that were cut off are told as far as they came, and the message is partial', async () => {
    const whole = largeMessage(1_000_000)
    const { attachments, parse } = await parseMessage(whole.subarray(0, 500_000))

    assert.equal(parse.code, 'TRUNCATED_MULTIPART')
    const [attachment] = attachments
    assert.ok(attachment && attachment.octets > 300_000 && attachment.octets < 400_000)
    assert.match(attachment.sha256, /^[0-9a-f]{64}$/)
  })

  test('in an unknown encoding are told as they are, and the message is partial', async () => {
    const octets = mixed([
      ['Content-Type: image/png', 'Content-Transfer-Encoding: x-uuencode'],
      'begin 644 a',
    ])
    const { attachments, parse } = await parseMessage(octets)

    assert.equal(attachments[0]?.sha256, sha256('begin 644 a'))
    assert.deepEqual(parse.code, 'UNKNOWN_ENCODING')
  })

  test('above the limit are left out, which is said', async () => {
    const many = (count: number): Buffer => mixed(...Array(count).fill([['Content-Type: image/png'], 'x']))

    const fitting = await parseMessage(many(PARSER.attachments))
    assert.equal(fitting.attachments.length, PARSER.attachments)
    assert.equal(fitting.attachmentsTruncated, false)

    const cut = await parseMessage(many(PARSER.attachments + 1))
    assert.equal(cut.attachments.length, PARSER.attachments)
    assert.equal(cut.attachmentsTruncated, true)
  })

  test('with a name that had to be cut are truncated too', async () => {
    const octets = mixed([[`Content-Type: image/png; name=${'a'.repeat(5000)}`], 'x'])

    assert.equal((await parseMessage(octets)).attachmentsTruncated, true)
  })
})

describe('a text', () => {
  test('that is declared an attachment is one, also when it comes first, and is not what is previewed', async () => {
    const { attachments, text } = await parseMessage(
      mixed(
        [['Content-Type: text/plain', 'Content-Disposition: attachment'], 'a file'],
        [['Content-Type: text/plain'], 'what was written'],
      ),
    )

    assert.deepEqual(
      attachments.map(({ partPath }) => partPath),
      ['1'],
    )
    assert.equal(text.preview, 'what was written')
  })

  test('whose lines end with CR alone is read, and the event says so', async () => {
    const { text, parse } = await parseMessage(Buffer.from('Subject: x\r\rone\rtwo\r'))

    assert.equal(text.reply, 'one\ntwo')
    assert.deepEqual([parse.status, parse.code], ['partial', 'BARE_CR_LINE_ENDS'])
  })
})

describe('the name of an attachment', () => {
  const attachmentOf = async (fileName: string) =>
    (await parseMessage(mixed([[`Content-Type: application/x-a; name="${fileName}"`], 'x']))).attachments[0]

  test('is told as it was declared where it had to be changed, and only there', async () => {
    const changed = await attachmentOf('../a.txt')
    assert.deepEqual([changed?.name, changed?.declaredName], ['a.txt', '../a.txt'])
    const kept = await attachmentOf('a.txt')
    assert.deepEqual([kept?.name, kept?.declaredName], ['a.txt', undefined])
  })
})

describe('what is said of an attachment by its octets', () => {
  const attachmentOf = async (octets: Buffer, size: number) => {
    const message = mixed([
      ['Content-Type: application/x-a', 'Content-Transfer-Encoding: base64'],
      octets.toString('base64').replace(/.{76}/g, '$&\r\n'),
    ])
    return (await parseMessage(inPieces(message, size))).attachments[0]
  }

  for (const size of [100, 100_000])
    test(`is found behind its start too, in pieces of ${size} octets`, async () => {
      const zip = Buffer.from('504b030414000100', 'hex')
      assert.equal((await attachmentOf(zip, size))?.encrypted, true)
      assert.equal((await attachmentOf(Buffer.from('504b030414000000', 'hex'), size))?.encrypted, undefined)

      const pdf = Buffer.from(`%PDF-1.7\n${'x'.repeat(9000)}\ntrailer<</Encrypt 5 0 R>>`)
      assert.equal((await attachmentOf(pdf, size))?.encrypted, true)
      const invoice = Buffer.from(`%PDF-1.7\n${'x'.repeat(9000)}:pdfa:CrossIndustryDocument:invoice:`)
      assert.deepEqual((await attachmentOf(invoice, size))?.invoice, { embedded: true })
    })
})
