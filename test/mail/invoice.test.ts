import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PDFDocument } from '@cantoo/pdf-lib'
import type { Attachment, InvoiceData } from '../../shared/contract/event.ts'
import { PARSER } from '../../shared/limits.ts'
import { readInvoiceXml } from '../../shared/mail/invoice-xml.ts'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { inPieces } from '../support/pieces.ts'

const XRECHNUNG = 'urn:cen.eu:en16931:2017#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0'
const PEPPOL = 'urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0'
const EXTENDED = 'urn:cen.eu:en16931:2017#conformant#urn:factur-x.eu:1p0:extended'

function ubl(guideline: string, root = 'Invoice'): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!-- <Invoice xmlns="urn:of:a:comment"> -->
<ubl:${root} xmlns:cbc='urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2'
  xmlns:ubl = "urn:oasis:names:specification:ubl:schema:xsd:${root}-2">
  <cbc:CustomizationID>
    ${guideline}
  </cbc:CustomizationID><cbc:ID>1</cbc:ID></ubl:${root}>`
}

function cii(guideline: string): string {
  return `<?xml version='1.0'?><rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"><rsm:ExchangedDocumentContext><ram:BusinessProcessSpecifiedDocumentContextParameter><ram:ID>A1</ram:ID></ram:BusinessProcessSpecifiedDocumentContextParameter><ram:GuidelineSpecifiedDocumentContextParameter><ram:ID>${guideline}</ram:ID></ram:GuidelineSpecifiedDocumentContextParameter></rsm:ExchangedDocumentContext><rsm:ExchangedDocument><ram:ID>RE-1</ram:ID></rsm:ExchangedDocument></rsm:CrossIndustryInvoice>`
}

function withoutDeclaration(xml: string): string {
  return xml.replace(/^<\?xml[^>]*\?>\s*/, '')
}

const INVOICES: readonly (readonly [what: string, xml: string, Omit<InvoiceData, 'embedded'> | undefined])[] =
  [
    [
      'XRechnung in UBL',
      ubl(XRECHNUNG),
      { syntax: 'ubl-invoice', profile: 'xrechnung', guideline: XRECHNUNG },
    ],
    [
      'a credit note in UBL',
      ubl(PEPPOL, 'CreditNote'),
      { syntax: 'ubl-credit-note', profile: 'peppol-bis-3', guideline: PEPPOL },
    ],
    ['XRechnung in CII', cii(XRECHNUNG), { syntax: 'cii', profile: 'xrechnung', guideline: XRECHNUNG }],
    ['CII, extended', cii(EXTENDED), { syntax: 'cii', profile: 'extended', guideline: EXTENDED }],
    [
      'EN 16931 alone',
      cii('urn:cen.eu:en16931:2017'),
      { syntax: 'cii', profile: 'en16931', guideline: 'urn:cen.eu:en16931:2017' },
    ],
    ['a guideline of one’s own', cii('urn:x'), { syntax: 'cii', guideline: 'urn:x' }],
    [
      'no guideline',
      '<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>',
      { syntax: 'ubl-invoice' },
    ],
    ['an Invoice of another namespace', '<Invoice xmlns="urn:x"/>', undefined],
    ['an Invoice of no namespace', '<Invoice/>', undefined],
    [
      'a prefix that nobody explains',
      '<ubl:Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"/>',
      undefined,
    ],
    ['other XML', '<?xml version="1.0"?><order/>', undefined],
    ['what breaks off in its root', '<Invoice xmlns="urn:oasis:names', undefined],
    ['no XML', 'Invoice', undefined],
    ['text before the root', `the ${ubl(XRECHNUNG)}`, undefined],
    ['an Invoice in a comment', `<!-- ${withoutDeclaration(cii(XRECHNUNG))} --><order/>`, undefined],
    [
      'a namespace that an entity would have to give',
      '<!DOCTYPE Invoice [<!ENTITY u "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2">]><Invoice xmlns="&u;"/>',
      undefined,
    ],
    [
      'a document type, whose entities are not resolved',
      `<!DOCTYPE Invoice [<!ENTITY g SYSTEM "file:///etc/passwd">]>${withoutDeclaration(ubl('&g;'))}`,
      { syntax: 'ubl-invoice', guideline: '&g;' },
    ],
  ]

function mail(type: string, name: string, content: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(
      `From: a@b\r\nContent-Type: ${type}; name="${name}"\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n`,
    ),
    Buffer.from(content.toString('base64').replace(/.{76}/g, '$&\r\n')),
  ])
}

async function attachmentOf(message: Buffer, size = message.length): Promise<Attachment> {
  const { attachments } = await parseMessage(inPieces(message, size))
  return attachments[0] ?? assert.fail('no attachment')
}

/** A PDF of another author's library, with files in it. */
async function pdf(
  files: Readonly<Record<string, string>>,
  options: { padding?: number } = {},
): Promise<Buffer> {
  const document = await PDFDocument.create()
  for (let page = 0; page < 3; page++) document.addPage([200, 100])
  if (options.padding) {
    const { context } = document
    context.register(context.stream(Buffer.alloc(options.padding, 0x41)))
  }
  for (const [name, content] of Object.entries(files))
    await document.attach(Buffer.from(content), name, { mimeType: 'text/xml' })
  return Buffer.from(await document.save())
}

describe('an electronic invoice in XML', () => {
  for (const [what, xml, invoice] of INVOICES)
    test(`is recognised by root, namespace and guideline: ${what}`, () => {
      assert.deepEqual(readInvoiceXml(xml), invoice)
    })

  test('is marked in the event, whatever type and name are declared', async () => {
    const { invoice, detectedType } = await attachmentOf(
      mail('application/octet-stream', 'data.bin', Buffer.from(ubl(XRECHNUNG))),
    )

    assert.equal(detectedType, 'application/xml')
    assert.deepEqual(invoice, {
      syntax: 'ubl-invoice',
      profile: 'xrechnung',
      guideline: XRECHNUNG,
      embedded: false,
    })
  })

  test('is read in UTF-16 too', async () => {
    const xml = Buffer.from(`\ufeff${cii(EXTENDED)}`, 'utf16le')

    assert.equal((await attachmentOf(mail('text/xml', 'a.xml', xml))).invoice?.profile, 'extended')
  })

  const PLAIN: Readonly<Record<string, string>> = {
    'UBL Invoice': withoutDeclaration(ubl(XRECHNUNG)).replace(/<!--.*-->\s*/, ''),
    'UBL CreditNote': withoutDeclaration(ubl(XRECHNUNG, 'CreditNote')).replace(/<!--.*-->\s*/, ''),
    CII: withoutDeclaration(cii(XRECHNUNG)),
  }
  const BEGINNINGS: Readonly<Record<string, (xml: string) => Buffer>> = {
    'at once': (xml) => Buffer.from(xml),
    'behind a mark of UTF-8': (xml) => Buffer.from(`\ufeff${xml}`),
    'behind white space': (xml) => Buffer.from(` \r\n\t\n${xml}`),
    'behind a mark and white space': (xml) => Buffer.from(`\ufeff\n${xml}`),
    'behind comments': (xml) => Buffer.from(`<!-- <html> <svg> -->\n<!-- by Acme -->${xml}`),
    'behind comments longer than what tells a type': (xml) =>
      Buffer.from(`<!--${' of our own '.repeat(1000)}-->${xml}`),
    'behind an instruction': (xml) => Buffer.from(`<?acme style="a"?>${xml}`),
    'in UTF-16, low octet first': (xml) => Buffer.from(`\ufeff\n${xml}`, 'utf16le'),
    'in UTF-16, high octet first': (xml) => Buffer.from(`\ufeff${xml}`, 'utf16le').swap16(),
    'behind a declaration and a comment with HTML': (xml) =>
      Buffer.from(`<?xml version="1.0"?><!-- <html> -->${xml}`),
  }
  for (const [what, xml] of Object.entries(PLAIN))
    for (const [where, encode] of Object.entries(BEGINNINGS))
      test(`is recognised with or without a declaration, when its root comes ${where}: ${what}`, async () => {
        const message = mail('application/octet-stream', 'a.xml', encode(xml))
        for (const size of [message.length, 61]) {
          const { invoice, detectedType, typeMismatch } = await attachmentOf(message, size)

          assert.equal(invoice?.profile, 'xrechnung')
          assert.equal(invoice.embedded, false)
          assert.deepEqual([detectedType, typeMismatch], ['application/xml', undefined])
        }
      })

  test('that calls itself a picture contradicts its octets', async () => {
    const octets = Buffer.from(PLAIN.CII ?? '')

    assert.equal((await attachmentOf(mail('image/png', 'a.png', octets))).typeMismatch, true)
  })

  test('is not looked for behind the first 64 KiB, nor in a text or a page that begins otherwise', async () => {
    const xml = PLAIN['UBL Invoice'] ?? ''
    for (const octets of [
      `<!--${' '.repeat(PARSER.reportOctets)}-->${xml}`,
      `Dear all,\n${xml}`,
      `<html><body>${xml}`,
      '<Invoice xmlns="urn:x"/>',
    ])
      assert.equal(
        (await attachmentOf(mail('application/octet-stream', 'a.bin', Buffer.from(octets)))).invoice,
        undefined,
      )
    const other = mail('application/octet-stream', 'a.bin', Buffer.from('<Invoice xmlns="urn:x"/>'))
    assert.equal((await attachmentOf(other)).detectedType, undefined)
  })

  test('is searched in time proportional to its length', () => {
    for (const hostile of [
      '<!--'.repeat(16_000),
      `<Invoice ${'xmlns='.repeat(10_000)}`,
      `<Invoice ${'xmlns="'.repeat(10_000)}>`,
      '<!'.repeat(32_000),
      ' '.repeat(64_000),
      `${ubl('x').slice(0, 200)}${'<CustomizationID'.repeat(4_000)}`,
    ])
      readInvoiceXml(hostile)
  })
})

describe('an electronic invoice in a PDF', () => {
  test('is recognised by the XML file in it, compressed as the library does', async () => {
    const octets = await pdf({ 'notes.xml': '<?xml version="1.0"?><notes/>', 'factur-x.xml': cii(EXTENDED) })

    const { invoice, detectedType, encrypted } = await attachmentOf(mail('application/pdf', 'a.pdf', octets))

    assert.equal(detectedType, 'application/pdf')
    assert.equal(encrypted, undefined)
    assert.deepEqual(invoice, { syntax: 'cii', profile: 'extended', guideline: EXTENDED, embedded: true })
  })

  test('is found behind what begins like it', async () => {
    const octets = Buffer.from(
      `%PDF-1.7\n${'%'.repeat(5000)}/EmbeddedGoTo\n1 0 obj<</Type/EmbeddedFile>>stream\n${cii(EXTENDED)}\nendstream`,
    )

    assert.equal((await attachmentOf(mail('application/pdf', 'a.pdf', octets))).invoice?.profile, 'extended')
  })

  test('is found wherever it stands, however the octets are cut', async () => {
    const octets = mail(
      'application/pdf',
      'a.pdf',
      await pdf({ 'xrechnung.xml': cii(XRECHNUNG) }, { padding: 30_000 }),
    )
    const whole = await attachmentOf(octets)

    assert.equal(whole.invoice?.profile, 'xrechnung')
    for (const size of [97, 1_000, 4_096, 5_003]) assert.deepEqual(await attachmentOf(octets, size), whole)
  })

  test('is recognised by its XMP where the file cannot be read', async () => {
    const xmp = (level: string): Buffer =>
      Buffer.from(
        `%PDF-1.7\n${'%'.repeat(5000)}\n1 0 obj<</Type/Metadata/Subtype/XML>>stream\n<rdf:Description xmlns:fx="urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"><fx:DocumentType>INVOICE</fx:DocumentType>${level}</rdf:Description>\nendstream`,
      )
    const profile = async (level: string) =>
      (await attachmentOf(mail('application/pdf', 'a.pdf', xmp(level)))).invoice?.profile

    assert.equal(await profile('<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>'), 'en16931')
    assert.equal(await profile('<fx:ConformanceLevel>BASIC WL</fx:ConformanceLevel>'), 'basic-wl')
    assert.equal(await profile('<x fx:ConformanceLevel="XRECHNUNG"/>'), 'xrechnung')
    const without = await attachmentOf(mail('application/pdf', 'a.pdf', xmp('')))
    assert.deepEqual(without.invoice, { embedded: true })
  })

  test('is not every PDF with an XML file in it, nor one that speaks of invoices', async () => {
    for (const octets of [
      await pdf({}),
      await pdf({ 'invoice.xml': '<?xml version="1.0"?><Invoice/>' }),
      Buffer.from(`%PDF-1.7\n${'/EmbeddedFiles /EmbeddedFile '.repeat(1000)}stream\nfactur-x.xml`),
      Buffer.from(`%PDF-1.7\n<</Type/EmbeddedFile/Filter/FlateDecode>>stream\n${'x'.repeat(5000)}`),
      Buffer.from(`%PDF-1.7\n${'%'.repeat(5000)}<x:y xmlns:x="urn:x:pdfa:CrossReference"/>`),
    ])
      assert.equal((await attachmentOf(mail('application/pdf', 'a.pdf', octets))).invoice, undefined)
  })

  test('does not grow without bound when it is read', async () => {
    const { deflateSync } = await import('node:zlib')
    const invoiceOf = async (spaces: number) => {
      const stream = deflateSync(Buffer.concat([Buffer.from(cii(EXTENDED)), Buffer.alloc(spaces, 0x20)]))
      const octets = [
        Buffer.from('%PDF-1.7\n1 0 obj<</Type/EmbeddedFile/Filter/FlateDecode>>stream\n'),
        stream,
      ]
      return (await attachmentOf(mail('application/pdf', 'a.pdf', Buffer.concat(octets)))).invoice
    }

    assert.equal((await invoiceOf(PARSER.inflatedOctets / 2))?.profile, 'extended')
    assert.equal(await invoiceOf(20_000_000), undefined)
  })

  test('that needs a password says so', async () => {
    const octets = Buffer.from(`%PDF-1.7\n${'x'.repeat(9000)}\ntrailer<</Root 1 0 R/Encrypt 5 0 R>>\n%%EOF`)

    assert.equal((await attachmentOf(mail('application/pdf', 'a.pdf', octets))).encrypted, true)
  })
})
