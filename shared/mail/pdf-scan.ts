import { inflateSync, constants as zlib } from 'node:zlib'
import type { InvoiceData } from '../contract/event.ts'
import { PARSER } from '../limits.ts'
import { decodeUnicode } from './file-type.ts'
import { profileOf, readInvoiceXml } from './invoice-xml.ts'

/** The type of a stream that is an embedded file (ISO 32000, 7.11.4.1). */
const EMBEDDED = Buffer.from('/EmbeddedFile')
/** In the XMP of Factur-X and ZUGFeRD 2 (`urn:factur-x:pdfa:…`) and of ZUGFeRD 1 (`urn:ferd:pdfa:…`). */
const SCHEMA = Buffer.from(':pdfa:CrossIndustryDocument:invoice:')
const ENCRYPT = Buffer.from('/Encrypt')
const STREAM = Buffer.from('stream')

/** A dictionary begins this much before its type. */
const BEFORE_OCTETS = 512
/** The properties of an XMP stand within this of the first mention of their schema. */
const XMP_OCTETS = 8 * 1024
/** So much is there before a place also when octets were cut there; the trailer, which ends a file, is not longer. */
const TAIL_OCTETS = 2 * 1024

/**
 * Looks through the octets of a PDF for what makes an invoice of it: an embedded XML file, and the level that its XMP names. Only streams that
 * stand by themselves are read, as PDF demands of embedded files; nothing is run, drawn or followed.
 */
export class PdfScan {
  readonly #embedded: Capture[] = []
  #xmp: Capture | undefined
  #start: Buffer | undefined
  #tail: Buffer = Buffer.alloc(0)

  write(octets: Buffer): void {
    if (octets.length === 0) return
    this.#start ??= Buffer.from(octets.subarray(0, TAIL_OCTETS))
    for (const capture of this.#embedded) capture.write(octets)
    this.#xmp?.write(octets)
    for (const at of places(EMBEDDED, this.#tail, octets))
      if (this.#embedded.length < PARSER.embeddedFiles)
        this.#embedded.push(new Capture(this.#tail, octets, at, PARSER.embeddedFileOctets))
    if (!this.#xmp)
      for (const at of places(SCHEMA, this.#tail, octets))
        this.#xmp ??= new Capture(this.#tail, octets, at, XMP_OCTETS)
    this.#tail =
      octets.length < TAIL_OCTETS
        ? Buffer.concat([this.#tail, octets]).subarray(-TAIL_OCTETS)
        : Buffer.from(octets.subarray(-TAIL_OCTETS))
  }

  /** Whether it needs a password, or an empty one: a trailer says so, at the end or at the start of a file for the web. */
  get encrypted(): boolean {
    return [this.#start, this.#tail].some((part) => part?.includes(ENCRYPT))
  }

  /** Undefined for a PDF that is no invoice, as far as can be seen. */
  get invoice(): InvoiceData | undefined {
    for (const capture of this.#embedded) {
      const xml = embeddedText(capture)
      const invoice = xml === undefined ? undefined : readInvoiceXml(xml)
      if (invoice) return { ...invoice, embedded: true }
    }
    if (!this.#xmp) return undefined
    const profile = levelOf(this.#xmp.octets.toString('latin1'))
    return { ...(profile && { profile }), embedded: true }
  }
}

/** Where a needle begins that ends in these octets, counted from them on: below 0 when it begins in the octets before. */
function* places(needle: Buffer, tail: Buffer, octets: Buffer): Generator<number> {
  const before = tail.subarray(-(needle.length - 1))
  const seam = Buffer.concat([before, octets.subarray(0, needle.length - 1)])
  const across = seam.indexOf(needle)
  if (across >= 0) yield across - before.length
  for (let at = find(needle, octets, 0); at >= 0; at = find(needle, octets, at + needle.length)) yield at
}

/** As indexOf, by way of the first octets: up to seven are searched for many times as fast as more, and most files have none of them. */
function find(needle: Buffer, octets: Buffer, from: number): number {
  const first = octets.indexOf(needle.subarray(0, 7), from)
  return first < 0 ? -1 : octets.indexOf(needle, first)
}

/** Octets around a place, as they come: up to BEFORE_OCTETS before it and a number of them from it on. */
class Capture {
  /** Where the place is in `octets`. */
  readonly at: number
  readonly #pieces: Buffer[] = []
  #room: number

  constructor(tail: Buffer, octets: Buffer, at: number, most: number) {
    const before = Buffer.concat([tail, octets.subarray(0, Math.max(0, at))])
    const start = Math.max(0, (at < 0 ? tail.length + at : before.length) - BEFORE_OCTETS)
    this.at = (at < 0 ? tail.length + at : before.length) - start
    this.#room = this.at + most
    this.write(before.subarray(start))
    this.write(octets.subarray(Math.max(0, at)))
  }

  write(octets: Buffer): void {
    if (this.#room === 0) return
    const kept = octets.subarray(0, this.#room)
    this.#pieces.push(Buffer.from(kept))
    this.#room -= kept.length
  }

  get octets(): Buffer {
    return Buffer.concat(this.#pieces)
  }
}

/** The start of the embedded file that a capture has in its middle; undefined for one that is compressed in another way, or not to be had. */
function embeddedText(capture: Capture): string | undefined {
  const captured = capture.octets
  const at = captured.indexOf(STREAM, capture.at)
  const start = at < 0 ? -1 : captured.indexOf('\n', at)
  if (start < 0) return undefined
  const dictionary = captured.toString('latin1', Math.max(0, captured.lastIndexOf('obj', at)), at)
  const body = captured.subarray(start + 1)
  if (!dictionary.includes('/Filter')) return decodeUnicode(body)
  if (!/\/FlateDecode|\/Fl\b/.test(dictionary) || dictionary.includes('/Predictor')) return undefined
  try {
    // What is captured may end in the middle, and what it grows to is bounded.
    const inflated = inflateSync(body, {
      finishFlush: zlib.Z_SYNC_FLUSH,
      maxOutputLength: PARSER.inflatedOctets,
    })
    return decodeUnicode(inflated)
  } catch {
    return undefined
  }
}

/** `EN 16931`, `BASIC WL`, `XRECHNUNG` …, as an element or an attribute. */
function levelOf(xmp: string): string | undefined {
  const level = /:ConformanceLevel(?:>|\s{0,9}=\s{0,9}["'])\s{0,9}([A-Z0-9 ]{3,20})/i.exec(xmp)?.[1]?.trim()
  if (level === undefined) return undefined
  return /^en ?16931$/i.test(level) ? 'en16931' : profileOf(`:${level.replace(/ /g, '').toLowerCase()}`)
}
