import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { deflateSync } from 'node:zlib'
import { PARSER } from '../../shared/limits.ts'
import { PdfScan } from '../../shared/mail/pdf-scan.ts'
import { everyCut } from '../support/pieces.ts'

const XML =
  '<?xml version="1.0"?><Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"></Invoice>'

function scanned(...pieces: readonly (Buffer | string)[]): PdfScan {
  const scan = new PdfScan()
  for (const piece of pieces) scan.write(Buffer.from(piece as string))
  return scan
}

function embedded(content: Buffer | string, more = ''): Buffer {
  return Buffer.concat([
    Buffer.from(`1 0 obj<</Type/EmbeddedFile${more}>>stream\n`),
    Buffer.from(content as string),
    Buffer.from('\nendstream endobj\n'),
  ])
}

describe('a PDF is looked through', () => {
  const IN_A_FILE = Buffer.concat([Buffer.from('%PDF-1.7\n'), embedded(XML), Buffer.from('%%EOF')])
  const IN_ITS_XMP = Buffer.from(
    '%PDF-1.7\n<x:y xmlns:x="urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#" x:ConformanceLevel="MINIMUM"/>',
  )
  const SECRET = Buffer.from(`%PDF-1.7\n${'x'.repeat(3000)}trailer<</Encrypt 5 0 R>>`)

  test('with the same result however its octets come', () => {
    for (const octets of [IN_A_FILE, IN_ITS_XMP, SECRET.subarray(-60)]) {
      const whole = scanned(octets)
      assert.ok(whole.invoice ?? whole.encrypted)
      for (const pieces of everyCut(octets)) {
        const scan = scanned(...pieces)
        assert.deepEqual([scan.invoice, scan.encrypted], [whole.invoice, whole.encrypted])
      }
    }
  })

  test('for an invoice of any filter that it knows, and of no other', () => {
    const deflated = deflateSync(XML)
    const found = (content: Buffer | string, more: string) => scanned(embedded(content, more)).invoice?.syntax

    assert.equal(found(XML, ''), 'ubl-invoice')
    assert.equal(found(deflated, '/Filter/FlateDecode'), 'ubl-invoice')
    assert.equal(found(deflated, '/Filter[/Fl]'), 'ubl-invoice')
    assert.equal(found(deflated, '/Filter/LZWDecode'), undefined)
    assert.equal(found(deflated, '/Filter/FlateDecode/DecodeParms<</Predictor 12>>'), undefined)
    assert.equal(found('no deflate', '/Filter/FlateDecode'), undefined)
  })

  test('as far as so many embedded files, and so many octets of each', () => {
    const others = (count: number) => Array.from({ length: count }, () => embedded('<notes/>'))
    assert.equal(scanned(...others(PARSER.embeddedFiles - 1), embedded(XML)).invoice?.syntax, 'ubl-invoice')
    assert.equal(scanned(...others(PARSER.embeddedFiles), embedded(XML)).invoice, undefined)

    const behind = (octets: number) => scanned(embedded(`${' '.repeat(octets)}${XML}`)).invoice?.syntax
    assert.equal(behind(PARSER.embeddedFileOctets - 1000), 'ubl-invoice')
    assert.equal(behind(PARSER.embeddedFileOctets), undefined)

    const profile = (spaces: number) =>
      scanned(`:pdfa:CrossIndustryDocument:invoice:${' '.repeat(spaces)}<a fx:ConformanceLevel="MINIMUM"/>`)
        .invoice?.profile
    assert.equal(profile(7000), 'minimum')
    assert.equal(profile(10_000), undefined)
  })
})
