import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { PARSER } from '../../shared/limits.ts'
import { safeFileName } from '../../shared/mail/file-name.ts'

const NAMES: readonly (readonly [what: string, declared: string, safe: string | undefined])[] = [
  ['stays as it is', 'Rechnung März 2026.pdf', 'Rechnung März 2026.pdf'],
  ['keeps its other dots', 'a.tar.gz', 'a.tar.gz'],
  ['loses a path', '/etc/cron.d/job', 'job'],
  ['loses a path upwards, of Windows too', '..\\..\\a.txt', 'a.txt'],
  ['is nothing when it is a path alone', '../..', undefined],
  ['loses a mark that turns the direction', 'invoice\u202efdp.exe', 'invoicefdp.exe'],
  ['loses characters without width', 'a\u200b\u034f\u00ad.pdf', 'a.pdf'],
  ['loses controls', 'a\r\nBcc.pdf\0', 'aBcc.pdf'],
  ['has no letters of which a mark is apart', 'Ma\u0308rz.pdf', 'März.pdf'],
  ['has no half of a character', 'a\ud800.pdf', 'a\ufffd.pdf'],
  ['has what Windows refuses replaced', 'a<b>:"c|d?*.pdf', 'a_b___c_d__.pdf'],
  ['loses dots and spaces at its end', 'a.exe. . ', 'a.exe'],
  ['is not hidden', '.bashrc', '_.bashrc'],
  ['is no device', 'CON', '_CON'],
  ['is no device with an ending', 'lpt1.txt', '_lpt1.txt'],
  ['is no device with a digit that is raised', 'COM¹.log', '_COM¹.log'],
  ['may begin like a device', 'console.log', 'console.log'],
]

describe('a file name', () => {
  for (const [what, declared, safe] of NAMES)
    test(what, () => {
      assert.equal(safeFileName(declared), safe)
    })

  test('is cut in the middle, by octets: its ending stays, and no character is halved', () => {
    const name = safeFileName(`${'ä'.repeat(500)}.pdf`) ?? assert.fail()

    assert.ok(Buffer.byteLength(name) <= PARSER.fileNameOctets && Buffer.byteLength(name) > 190)
    assert.match(name, /^ä+\.pdf$/)
    assert.equal(Buffer.byteLength(safeFileName(`a.${'b'.repeat(500)}`) ?? ''), PARSER.fileNameOctets)
  })

  test('is safe once it was made safe', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 4 }),
      fc.constantFrom('.', ' ', '/', '\\', 'CON', ':', '\u202e', '\ud800', 'a\u0308', '.pdf'),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const once = safeFileName(pieces.join(''))
        if (once === undefined) return
        assert.equal(safeFileName(once), once)
        assert.doesNotMatch(once, /[/\\<>:"|?*\u0000-\u001f\u202a-\u202e]|^\.|[. ]$/)
        assert.ok(Buffer.byteLength(once) <= PARSER.fileNameOctets + 1)
      }),
      { numRuns: 3000 },
    )
  })
})
