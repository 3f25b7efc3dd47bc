import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodedPart } from '../../shared/mail/decoded-part.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { memoryOctets } from '../../shared/octets.ts'
import { inPieces } from '../support/pieces.ts'

/** A message with one attachment, in this encoding and with these line ends. */
function message(encoding: string, body: string, lineEnd: string): Buffer {
  const lines = [
    'Subject: x',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: application/x-a',
    `Content-Transfer-Encoding: ${encoding}`,
    '',
    ...body.split('\n'),
    '--b--',
    '',
  ]
  return Buffer.from(lines.join(lineEnd), 'latin1')
}

const BODIES: Readonly<Record<string, string>> = {
  base64: `${'QUJD'.repeat(19)}\nQUI`,
  'quoted-printable': 'a=\nb  \nc=C3=BC=',
  '8bit': 'a\n\xfcb\n',
  'x-none': 'a\n=3D\n',
}

describe('a part that is decoded from its place', () => {
  for (const [encoding, body] of Object.entries(BODIES))
    for (const [name, lineEnd] of Object.entries({ CRLF: '\r\n', LF: '\n', 'CR alone': '\r' }))
      test(`is what its reader measured: ${encoding}, lines that end with ${name}`, async () => {
        const octets = message(encoding, body, lineEnd)
        const { attachments, encoded } = await parseMessage(octets)
        const [attachment] = attachments
        const part = encoded[attachment?.partPath ?? ''] ?? assert.fail('it has a place')
        const place = octets.subarray(part.start, part.start + part.octets)

        for (const size of [1, 7, 1000]) {
          const pieces: Buffer[] = []
          for await (const piece of decodedPart(inPieces(place, size), part)) pieces.push(piece)

          const { length, sha256 } = memoryOctets(Buffer.concat(pieces))
          assert.deepEqual([length, sha256], [attachment?.octets, attachment?.sha256])
        }
      })
})
