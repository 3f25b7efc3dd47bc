import { IngestError } from '../errors.ts'

// IMAP responses without a socket (RFC 9051, 2.2.2 and 4.3): octets in, lines and literals out, wherever the network cuts them.
//
//   response   line, CRLF; a line that ends in {n} is followed by n octets and goes on after them with a line of the same response
//
// What a line says is not looked at here, but for one: an answer to SEARCH may be longer than any line may be, and may as well come in several
// (RFC 3501, 7.2.5), so that a long one is handed on as such. LF alone ends a line, too.

const LF = 0x0a
const CR = 0x0d
const CLOSING_BRACE = 0x7d
const SPACE = 0x20
const SEARCH = '* SEARCH '
/** Of an answer to SEARCH, handed on at once. */
const SEARCH_OCTETS = 64 * 1024

export type Piece =
  | {
      readonly kind: 'line'
      /** Latin-1, without the line end; a literal's `{n}` is part of it. */
      readonly text: string
      /** Octets of the literal that follows; undefined when the response ends with this line. */
      readonly literalOctets: number | undefined
    }
  /** Octets of the literal, as they come; never empty. They are those of the chunk that was pushed. */
  | { readonly kind: 'literal'; readonly octets: Buffer }

export interface ImapWireLimits {
  readonly lineOctets: number
  readonly literalOctets: number
  /** Lines and literals of one response together. */
  readonly responseOctets: number
}

export class ImapWire {
  readonly #limits: ImapWireLimits
  #chunk: Buffer = Buffer.alloc(0)
  /** Of the line at hand, from chunks before. */
  #parts: Buffer[] = []
  #partsOctets = 0
  #literalLeft = 0
  #responseOctets = 0
  #within = false

  constructor(limits: ImapWireLimits) {
    this.#limits = limits
  }

  /** Only when `next` has answered undefined: what it was pushed before is used up then. It is lent until then. */
  push(chunk: Buffer): void {
    this.#chunk = chunk
  }

  /** The next piece; undefined when more has to be pushed first. Throws PROTOCOL_VIOLATION when something is longer than allowed. */
  next(): Piece | undefined {
    if (this.#literalLeft > 0) return this.#literal()
    const end = this.#chunk.indexOf(LF)
    const lineOctets = this.#partsOctets + (end < 0 ? this.#chunk.length : end + 1)
    if (lineOctets > this.#limits.lineOctets) throw tooLong('line of', this.#limits.lineOctets)
    this.#allow(lineOctets)
    if (end < 0) {
      const cut = this.#within || lineOctets < SEARCH_OCTETS ? -1 : this.#chunk.lastIndexOf(SPACE)
      if (this.#chunk.length > 0) this.#parts.push(Buffer.from(this.#chunk))
      this.#partsOctets = lineOctets
      this.#chunk = this.#chunk.subarray(this.#chunk.length)
      return cut < 0 ? undefined : this.#searchSoFar()
    }
    this.#parts.push(this.#chunk.subarray(0, end + 1))
    this.#chunk = this.#chunk.subarray(end + 1)
    const line = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts)
    this.#parts = []
    this.#partsOctets = 0
    const textOctets = line[line.length - 2] === CR ? line.length - 2 : line.length - 1
    const literalOctets = literalAfter(line, textOctets)
    this.#within = literalOctets !== undefined
    if (literalOctets === undefined) {
      this.#responseOctets = 0
    } else {
      if (literalOctets > this.#limits.literalOctets)
        throw tooLong(`literal of ${literalOctets} octets,`, this.#limits.literalOctets)
      this.#responseOctets += line.length
      this.#allow(literalOctets)
      this.#responseOctets += literalOctets
      this.#literalLeft = literalOctets
    }
    return { kind: 'line', text: line.toString('latin1', 0, textOctets), literalOctets }
  }

  /** Octets of the literal at hand that were received elsewhere. Only when `next` has answered undefined. */
  literalRead(octets: number): void {
    this.#literalLeft -= octets
  }

  /** What was pushed and not taken: the begin of the next response. Throws a TypeError in the middle of one, for its begin is gone. */
  rest(): Buffer {
    if (this.#within) throw new TypeError('a response has been taken in part')
    return Buffer.concat([...this.#parts, this.#chunk])
  }

  /** The numbers so far; the line goes on as if it had begun behind them. Its last part has a space. */
  #searchSoFar(): Piece | undefined {
    const begin = Buffer.concat(this.#parts.slice(0, SEARCH.length)).toString('latin1', 0, SEARCH.length)
    if (begin.toUpperCase() !== SEARCH) return undefined
    const line = Buffer.concat(this.#parts)
    const last = line.lastIndexOf(SPACE)
    this.#parts = [Buffer.from(SEARCH), line.subarray(last + 1)]
    this.#partsOctets = SEARCH.length + line.length - last - 1
    return { kind: 'line', text: line.toString('latin1', 0, last), literalOctets: undefined }
  }

  #literal(): Piece | undefined {
    if (this.#chunk.length === 0) return undefined
    const octets = this.#chunk.subarray(0, this.#literalLeft)
    this.#chunk = this.#chunk.subarray(octets.length)
    this.#literalLeft -= octets.length
    return { kind: 'literal', octets }
  }

  #allow(octets: number): void {
    if (this.#responseOctets + octets > this.#limits.responseOctets)
      throw tooLong('response of', this.#limits.responseOctets)
  }
}

/** The n of a line that ends in {n}. More digits than any length has make it Infinity. */
function literalAfter(line: Buffer, textOctets: number): number | undefined {
  if (line[textOctets - 1] !== CLOSING_BRACE) return undefined
  const opening = line.lastIndexOf('{', textOctets - 1)
  if (opening < 0) return undefined
  const digits = line.toString('latin1', opening + 1, textOctets - 1)
  if (!/^\d+$/.test(digits)) return undefined
  const significant = digits.replace(/^0+/, '')
  return significant.length > 15 ? Infinity : Number(significant)
}

function tooLong(what: string, octets: number): IngestError {
  return new IngestError('PROTOCOL_VIOLATION', `a ${what} more than ${octets} octets`)
}
