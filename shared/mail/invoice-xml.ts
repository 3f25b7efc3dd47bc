import type { InvoiceData } from '../contract/event.ts'
import { cut, oneLine } from './clean-text.ts'
import { xmlRoot } from './xml-root.ts'

type Syntax = NonNullable<InvoiceData['syntax']>

/** Root element and namespace of each syntax of EN 16931, and of ZUGFeRD 1 before it. */
const ROOTS: readonly (readonly [Syntax, string, string])[] = [
  ['ubl-invoice', 'Invoice', 'urn:oasis:names:specification:ubl:schema:xsd:Invoice-2'],
  ['ubl-credit-note', 'CreditNote', 'urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2'],
  ['cii', 'CrossIndustryInvoice', 'urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100'],
  ['zugferd-1', 'CrossIndustryDocument', 'urn:ferd:CrossIndustryDocument:invoice:1p0'],
]

/** The first that a guideline holds counts: the special ones name the general ones too. */
const PROFILES: readonly (readonly [RegExp, string])[] = [
  [/xrechnung/i, 'xrechnung'],
  [/peppol\.eu:2017:poacc:billing/i, 'peppol-bis-3'],
  [/:extended$/i, 'extended'],
  [/:basicwl$/i, 'basic-wl'],
  [/:basic$/i, 'basic'],
  [/:minimum$/i, 'minimum'],
  [/:comfort$/i, 'comfort'],
  [/^urn:cen\.eu:en16931:2017$/i, 'en16931'],
]

export function profileOf(guideline: string): string | undefined {
  return PROFILES.find(([pattern]) => pattern.test(guideline))?.[1]
}

/** Recognises an invoice by the start of its XML: root element, its namespace, and the guideline that it says to follow. */
export function readInvoiceXml(xml: string): Omit<InvoiceData, 'embedded'> | undefined {
  const root = xmlRoot(xml)
  if (!root) return undefined
  const syntax = ROOTS.find(([, name, namespace]) => name === root.name && root.namespace === namespace)?.[0]
  if (!syntax) return undefined
  const written = syntax.startsWith('ubl')
    ? textOf(xml, 'CustomizationID', root.end)
    : textOf(xml, 'ID', after(xml, 'GuidelineSpecifiedDocumentContextParameter', root.end))
  const guideline = written && cut(oneLine(written), 200)
  const profile = guideline && profileOf(guideline)
  return { syntax, ...(profile && { profile }), ...(guideline && { guideline }) }
}

/** Position behind the start tag of the next element with this name, whatever its prefix; -1 without one. */
function after(xml: string, name: string, from: number): number {
  if (from < 0) return -1
  for (let at = xml.indexOf(name, from); at >= 0; at = xml.indexOf(name, at + 1)) {
    const before = xml[at - 1]
    if ((before === '<' || before === ':') && !/[\w.-]/.test(xml[at + name.length] ?? '')) {
      const end = xml.indexOf('>', at)
      return end < 0 ? -1 : end + 1
    }
  }
  return -1
}

function textOf(xml: string, name: string, from: number): string | undefined {
  const start = after(xml, name, from)
  if (start < 0) return undefined
  const end = xml.indexOf('<', start)
  return end < 0 ? undefined : xml.slice(start, end)
}
