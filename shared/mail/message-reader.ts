import { PARSER } from '../limits.ts'
import { Attachments } from './attachments.ts'
import { Bounds } from './clean-text.ts'
import { type HeaderFields, readHeaderFields } from './header-fields.ts'
import type { PartSummary } from './message-class.ts'
import { parseData, readHeader } from './message-header.ts'
import { type Body, MimeScanner, type Place, type ScanHandler } from './mime-scanner.ts'
import type { ParseCode } from './parse-code.ts'
import type { Extent, ParsedMessage } from './parsed-message.ts'
import { type PartHeader, readPartHeader } from './part-header.ts'
import { Reports } from './reports.ts'
import { TextPreview } from './text-preview.ts'
import { type Take, type TransferDecoder, transferDecoder } from './transfer-encoding.ts'

/** Reads one message as its octets come. Everything that it holds is bounded by the limits of PARSER. */
export class MessageReader implements ScanHandler {
  readonly #scanner = new MimeScanner(this)
  readonly #partBounds = new Bounds()
  readonly #reports = new Reports()
  readonly #attachments = new Attachments((header, start) => this.#reports.take(header, start))
  readonly #text = new TextPreview()
  readonly #parts: PartSummary[] = []
  readonly #codes = new Set<ParseCode>()
  readonly #furtherFields: readonly string[]
  #fields: HeaderFields | undefined
  #decoder: TransferDecoder | undefined
  /** Of the innermost multipart, in case it is its text. */
  #preamble: { take(octets: Buffer): void; end(): void } | undefined
  #endPart: (body: Extent) => void = () => {}
  /** Where the body of the open part stands; -1 when nothing of it came yet. */
  #bodyAt = -1
  #bodyEnd = -1

  /** `furtherFields`: header fields, by lower-case name, that `headers` has besides the chosen few. */
  constructor(furtherFields: readonly string[]) {
    this.#furtherFields = furtherFields
  }

  /** True when the rest of the message would change nothing. */
  get done(): boolean {
    return this.#scanner.done
  }

  write(octets: Buffer): void {
    this.#scanner.write(octets)
  }

  /** `bareCr`: the lines of the message end with CR alone, and were given with LF. */
  end(bareCr: boolean): ParsedMessage {
    if (bareCr) this.problem('BARE_CR_LINE_ENDS')
    this.#scanner.end()
    return this.#result(bareCr)
  }

  open(block: Buffer, place: Place): Body {
    const fields = readHeaderFields(block)
    if (this.#fields === undefined) {
      this.#fields = fields
      if (fields.count === 0) this.problem('NO_HEADER')
    }
    const header = readPartHeader(fields, place, this.#partBounds)
    this.#parts.push({ type: header.type, name: header.name, parameter: header.parameter })
    if (!header.type.startsWith('multipart/')) return this.#leaf(header, header.type, place)
    if (depthOf(place) > PARSER.mimeDepth) {
      this.problem('TOO_DEEP')
      return this.#leaf(header, header.type, place)
    }
    const boundary = Buffer.from((header.parameter('boundary') ?? '').trimEnd())
    if (boundary.length === 0 || boundary.length > PARSER.delimiterOctets - 4) {
      this.problem('MISSING_BOUNDARY')
      return this.#leaf(header, 'text/plain', place)
    }
    this.#preamble = this.#text.wants('text/plain') ? this.#text.begin('text/plain', '') : undefined
    return { boundary, subtype: header.type.slice('multipart/'.length) }
  }

  body(octets: Buffer, at: number): void {
    if (this.#bodyAt < 0) this.#bodyAt = at
    this.#bodyEnd = at + octets.length
    this.#decoder?.write(octets)
  }

  close(): void {
    this.#decoder?.end()
    this.#decoder = undefined
    this.#endPart({ start: Math.max(0, this.#bodyAt), octets: this.#bodyEnd - this.#bodyAt })
    this.#endPart = () => {}
    this.#bodyAt = -1
    this.#bodyEnd = -1
  }

  preamble(octets: Buffer): void {
    this.#preamble?.take(octets)
  }

  /** Its preamble is all that there is: somebody wrote it to be read. */
  noDelimiter(): void {
    this.#preamble?.end()
    this.#preamble = undefined
  }

  problem(code: ParseCode): void {
    this.#codes.add(code)
  }

  #leaf(header: PartHeader, type: string, place: Place): Body {
    if (isBodyText(type, header, place)) {
      if (this.#text.wants(type))
        this.#decode(header, this.#text.begin(type, header.parameter('charset') ?? ''))
    } else {
      const attachment = this.#attachments.begin(header, place)
      if (attachment) this.#decode(header, attachment)
    }
    return {}
  }

  #decode(header: PartHeader, sink: { readonly take: Take; end(body: Extent): void }): void {
    this.#decoder = transferDecoder(header.encoding, sink.take)
    if (!this.#decoder) {
      this.problem('UNKNOWN_ENCODING')
      this.#decoder = { write: sink.take, end: () => {} }
    }
    this.#endPart = sink.end
  }

  #result(bareCr: boolean): ParsedMessage {
    const fields = this.#fields ?? readHeaderFields(Buffer.alloc(0))
    return {
      ...readHeader(fields, this.#parts, this.#furtherFields),
      ...this.#reports.result(fields, this.#parts, this.#partBounds),
      text: this.#text.result(),
      attachments: this.#attachments.list,
      encoded: bareCr ? withBareCr(this.#attachments.encoded) : this.#attachments.encoded,
      attachmentsTruncated: this.#attachments.truncated || this.#partBounds.exceeded,
      parse: parseData(this.#codes),
    }
  }
}

/** How many multiparts there are with this one. */
function depthOf(place: Place): number {
  return place.path === '' ? 1 : place.path.split('.').length + 1
}

/**
 * As JMAP finds the body among the parts (RFC 8621, 4.1.4): text/plain and text/html that are not attachments; those
 * after the first part only when they have no name and do not belong to a multipart/related.
 */
function isBodyText(type: string, header: PartHeader, place: Place): boolean {
  if (header.disposition === 'attachment' || (type !== 'text/plain' && type !== 'text/html')) return false
  return place.number === 1 || (place.within !== 'related' && header.name === undefined)
}

function withBareCr(encoded: ParsedMessage['encoded']): ParsedMessage['encoded'] {
  return Object.fromEntries(Object.entries(encoded).map(([path, part]) => [path, { ...part, bareCr: true }]))
}
