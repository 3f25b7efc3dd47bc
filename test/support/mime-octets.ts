import fc from 'fast-check'

const FRAGMENTS = [
  'From: a@b.example',
  'To: "A, B" <c@d.example>, Team: e@f;',
  'Subject: =?utf-8?q?=C3=A9?= x',
  'Date: Tue, 3 Mar 2026 09:00:00 +0100',
  'Message-ID: <1@b>',
  'References: <1@b> <2@b>',
  'Content-Type: multipart/mixed; boundary=b',
  'Content-Type: multipart/digest; boundary="bb"',
  'Content-Type: multipart/alternative; boundary=b',
  'Content-Type: text/html; charset=utf-8',
  'Content-Type: message/rfc822',
  'Content-Type: application/pdf; name="a.pdf"',
  "Content-Disposition: attachment; filename*0*=utf-8''%C3; filename*1*=%A9",
  'Content-Transfer-Encoding: base64',
  'Content-Transfer-Encoding: quoted-printable',
  'Content-Transfer-Encoding: x-unknown',
  'Auto-Submitted: auto-replied',
  '--b',
  '--b--',
  '--bb',
  '--bb--',
  '--',
  '-',
  'YQ==',
  '=C3=A9 =',
  '<p>a</p>',
  '=?iso-2022-jp?b?GyRC?=',
  '(comment "',
  '\xc3\xa9\xff',
  '\0',
  ' ',
  '\t',
  ';',
  ':',
] as const

const LINE_ENDS = ['\r\n', '\n', '\n\n', '\r\n\r\n', '\r', ''] as const

/** Octets that look like a message in places: header fields, delimiters and encodings in any order, whole and torn. */
export function mimeOctets(): fc.Arbitrary<Buffer> {
  const fragment = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...FRAGMENTS) },
    { weight: 1, arbitrary: fc.constantFrom(...FRAGMENTS).map((text) => text.slice(0, text.length >> 1)) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 8 }) },
  )
  const line = fc.tuple(fragment, fc.constantFrom(...LINE_ENDS)).map((pair) => pair.join(''))
  return fc.array(line, { maxLength: 40 }).map((lines) => Buffer.from(lines.join(''), 'latin1'))
}
