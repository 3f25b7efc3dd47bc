import { createHash, type Hash } from 'node:crypto'
import type { Attachment, InvoiceData } from '../contract/event.ts'
import { PARSER } from '../limits.ts'
import { kindOf } from './attachment-kind.ts'
import {
  beginsWithTag,
  contradicts,
  decodeUnicode,
  detectType,
  isEncryptedZip,
  PDF,
  XML,
} from './file-type.ts'
import { readInvoiceXml } from './invoice-xml.ts'
import type { Place } from './mime-scanner.ts'
import type { EncodedPart, Extent } from './parsed-message.ts'
import type { PartHeader } from './part-header.ts'
import { PdfScan } from './pdf-scan.ts'

/** What an attachment's octets are given to. */
export interface AttachmentSink {
  take(decoded: Buffer): void
  /** There are no more; this is where they stand in the message. */
  end(body: Extent): void
}

/** The start of a part that says more than a file does, when it has ended. */
export type PartStart = (header: PartHeader, start: Buffer) => void

/** Measures the attachments of one message as their octets pass by and looks at what they are; only their starts are held, one at a time. */
export class Attachments {
  readonly list: Attachment[] = []
  readonly encoded: Record<string, EncodedPart> = {}
  truncated = false
  readonly #ended: PartStart

  constructor(ended: PartStart) {
    this.#ended = ended
  }

  /** Undefined above the limit. */
  begin(header: PartHeader, place: Place): AttachmentSink | undefined {
    if (this.list.length === PARSER.attachments) {
      this.truncated = true
      return undefined
    }
    const { name, declaredName, contentId, disposition } = header
    const attachment: Attachment = {
      contentType: header.type,
      octets: 0,
      sha256: '',
      disposition,
      partPath: place.path || '1',
    }
    if (name !== undefined) attachment.name = name
    if (declaredName !== undefined && declaredName !== name) attachment.declaredName = declaredName
    if (contentId !== undefined) attachment.contentId = contentId
    this.list.push(attachment)
    const file = new OpenFile()
    return {
      take: (decoded) => file.take(decoded),
      end: (body) => {
        this.encoded[attachment.partPath] = { ...body, encoding: header.encoding }
        file.describe(attachment, header, place)
        this.#ended(header, file.start)
      },
    }
  }
}

/** A file as its octets pass by. */
class OpenFile {
  readonly #hash: Hash = createHash('sha256')
  readonly #pieces: Buffer[] = []
  #octets = 0
  #held = 0
  /** Octets to hold: enough to tell the type, then more of a text alone. */
  #most: number = PARSER.sniffOctets
  #looked = false
  #detected: string | undefined
  #pdf: PdfScan | undefined

  take(octets: Buffer): void {
    this.#octets += octets.length
    this.#hash.update(octets)
    let rest = this.#hold(octets)
    if (!this.#looked && this.#held === PARSER.sniffOctets) {
      this.#look()
      rest = this.#hold(rest)
    }
    this.#pdf?.write(rest)
  }

  /** The start of a text, at most PARSER.reportOctets; of other files less. */
  get start(): Buffer {
    return this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces)
  }

  describe(attachment: Attachment, header: PartHeader, place: Place): void {
    attachment.octets = this.#octets
    attachment.sha256 = this.#hash.digest('hex')
    if (!this.#looked) this.#look()
    const invoice = this.#pdf ? this.#pdf.invoice : this.#xmlInvoice()
    // An invoice in XML may leave the declaration out; its root says what it is.
    const detected = this.#detected ?? (invoice && XML)
    if (detected !== undefined) {
      attachment.detectedType = detected
      if (contradicts(detected, attachment.contentType, attachment.name)) attachment.typeMismatch = true
    }
    attachment.kind = kindOf(header, place, detected)
    if (this.#pdf?.encrypted || isEncryptedZip(this.start)) attachment.encrypted = true
    if (invoice) attachment.invoice = invoice
  }

  /** What is not held. */
  #hold(octets: Buffer): Buffer {
    const room = this.#most - this.#held
    if (room === 0 || octets.length === 0) return octets
    // Copied: the octets are lent.
    const kept = Buffer.from(octets.subarray(0, room))
    this.#pieces.push(kept)
    this.#held += kept.length
    return octets.subarray(kept.length)
  }

  #look(): void {
    this.#looked = true
    this.#detected = detectType(this.start)
    if (this.#detected === PDF) {
      this.#pdf = new PdfScan()
      this.#pdf.write(this.start)
    } else if (this.#detected === undefined || TEXT.test(this.#detected)) this.#most = PARSER.reportOctets
  }

  #xmlInvoice(): InvoiceData | undefined {
    const { start } = this
    if (!beginsWithTag(start)) return undefined
    const invoice = readInvoiceXml(decodeUnicode(start))
    return invoice && { ...invoice, embedded: false }
  }
}

const TEXT = /^text\/|\bxml$/
