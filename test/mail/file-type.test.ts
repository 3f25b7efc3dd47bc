import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { contradicts, detectType, isEncryptedZip } from '../../shared/mail/file-type.ts'

/** A local header of a ZIP (APPNOTE 4.3.7) with its octets. */
function entry(name: string, content = '', flags = 0): Buffer {
  const header = Buffer.alloc(30)
  header.write('PK\x03\x04', 'latin1')
  header.writeUInt16LE(flags, 6)
  header.writeUInt32LE(content.length, 18)
  header.writeUInt16LE(name.length, 26)
  return Buffer.concat([header, Buffer.from(name + content)])
}

function zip(...names: readonly string[]): Buffer {
  return Buffer.concat(names.map((name) => entry(name, 'x')))
}

const OPEN_XML = 'application/vnd.openxmlformats-officedocument'

const FILES: readonly (readonly [what: string, start: Buffer | string, type: string | undefined])[] = [
  ['a PDF', '%PDF-1.7\n', 'application/pdf'],
  ['a PDF behind what other software wrote', `${'\n'.repeat(500)}%PDF-1.4`, 'application/pdf'],
  ['a PNG', Buffer.from('89504e470d0a1a0a0000', 'hex'), 'image/png'],
  ['a JPEG', Buffer.from('ffd8ffe0', 'hex'), 'image/jpeg'],
  ['a WebP', 'RIFF\0\0\0\0WEBPVP8 ', 'image/webp'],
  ['a ZIP', zip('a.txt'), 'application/zip'],
  ['an empty ZIP', 'PK\x05\x06', 'application/zip'],
  [
    'a document of Word',
    zip('[Content_Types].xml', '_rels/.rels', 'word/document.xml'),
    `${OPEN_XML}.wordprocessingml.document`,
  ],
  ['a table of Excel', zip('_rels/.rels', 'xl/workbook.xml'), `${OPEN_XML}.spreadsheetml.sheet`],
  [
    'a text of OpenDocument',
    Buffer.concat([
      entry('mimetype', 'application/vnd.oasis.opendocument.text'),
      entry('content.xml', '<a/>'),
    ]),
    'application/vnd.oasis.opendocument.text',
  ],
  ['a presentation', zip('[Content_Types].xml', 'ppt/a.xml'), `${OPEN_XML}.presentationml.presentation`],
  ['a JAR', zip('META-INF/MANIFEST.MF'), 'application/java-archive'],
  ['a ZIP that has a folder called word', zip('word/list.txt'), 'application/zip'],
  ['what has one letter of a ZIP', 'PX\x03\x04', undefined],
  ['what has the other letter of a ZIP', 'XK\x03\x04', undefined],
  ['two letters of a ZIP', 'PK is how it begins', undefined],
  ['a program of Windows', 'MZ\x90\0', 'application/vnd.microsoft.portable-executable'],
  ['an old document of Office', Buffer.from('d0cf11e0a1b11ae1', 'hex'), 'application/x-ole-storage'],
  ['winmail.dat', Buffer.from('789f3e220100', 'hex'), 'application/ms-tnef'],
  ['XML', '\ufeff  <?xml version="1.0"?><a/>', 'application/xml'],
  ['XML in UTF-16', Buffer.from('\ufeff<?xml version="1.0"?><a/>', 'utf16le'), 'application/xml'],
  [
    'XML in UTF-16, the other order',
    Buffer.from('\ufeff<?xml ?><a/>', 'utf16le').swap16(),
    'application/xml',
  ],
  ['a picture in XML', '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">', 'image/svg+xml'],
  ['a page in XML', '<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml">', 'text/html'],
  ['a page behind a comment', '<!-- saved --><html>', 'text/html'],
  ['a comment and no page', '<!-- <html> --><a/>', undefined],
  ['a page', '<!DOCTYPE html><html>', 'text/html'],
  ['a calendar', 'BEGIN:VCALENDAR\r\n', 'text/calendar'],
  ['a script', '#!/bin/sh\n', 'text/x-shellscript'],
  ['a tar', Buffer.concat([Buffer.alloc(257), Buffer.from('ustar\0')]), 'application/x-tar'],
  ['prose', 'Dear colleagues,', undefined],
  ['nothing', '', undefined],
]

describe('the type of a file by its octets', () => {
  for (const [what, start, type] of FILES)
    test(`is that of ${what}`, () => {
      assert.equal(detectType(Buffer.from(start as string)), type)
    })

  test('is found in any octets without an error', () => {
    for (const [, start] of FILES) {
      const octets = Buffer.from(start as string)
      for (let length = 0; length <= octets.length; length++) detectType(octets.subarray(0, length))
    }
  })

  test('says of a ZIP whether it needs a password', () => {
    assert.equal(isEncryptedZip(entry('a.txt', 'x', 1)), true)
    assert.equal(isEncryptedZip(entry('a.txt', 'x', 8)), false)
    assert.equal(isEncryptedZip(Buffer.from('PK')), false)
  })
})

const CLAIMS: readonly (readonly [detected: string, declared: string, name: string | undefined, boolean])[] =
  [
    ['application/pdf', 'application/pdf', 'a.pdf', false],
    ['application/pdf', 'application/octet-stream', 'a.pdf', false],
    ['application/pdf', 'application/octet-stream', undefined, false],
    ['application/vnd.microsoft.portable-executable', 'application/octet-stream', 'invoice.pdf', true],
    ['application/vnd.microsoft.portable-executable', 'application/pdf', undefined, true],
    ['application/vnd.microsoft.portable-executable', 'application/x-msdownload', 'setup.exe', false],
    ['application/zip', 'application/x-zip-compressed', 'a.zip', false],
    [`${OPEN_XML}.wordprocessingml.document`, 'application/zip', 'a.docx', false],
    ['application/xml', 'text/xml', 'invoice.xml', false],
    ['application/xml', 'text/plain', 'invoice.txt', false],
    ['text/html', 'application/pdf', 'a.pdf', true],
    ['image/jpeg', 'image/jpg', 'a.JPG', false],
    ['image/jpeg', 'image/png', 'a.png', true],
    ['image/heic', 'image/jpeg', 'a.jpg', false],
    ['application/x-ole-storage', 'application/vnd.ms-excel', 'a.xls', false],
    ['text/html', 'application/vnd.ms-excel', 'a.xls', true],
  ]

describe('octets and what is said of them', () => {
  for (const [detected, declared, name, contradict] of CLAIMS)
    test(`${contradict ? 'contradict' : 'agree'}: ${detected}, ${declared}, ${name ?? 'no name'}`, () => {
      assert.equal(contradicts(detected, declared, name), contradict)
    })
})
