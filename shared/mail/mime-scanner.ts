import { PARSER } from '../limits.ts'
import type { ParseCode } from './parse-code.ts'

const LF = 0x0a
const CR = 0x0d
const DASH = 0x2d
const NOTHING = Buffer.alloc(0)
const DASHES = Buffer.from('--')
const DELIMITER_AFTER_LINE = Buffer.from('\n--')

/** Where a part stands. */
export interface Place {
  /** As in IMAP (RFC 9051, 6.4.5.1): `1`, `2.1`; the message itself is ''. */
  readonly path: string
  /** Subtype of the multipart around it; '' for the message itself. */
  readonly within: string
  /** Its number among its siblings, from 1. */
  readonly number: number
}

/** What the header of a part says about its body. */
export type Body = { readonly boundary: Buffer; readonly subtype: string } | { readonly boundary?: undefined }

export interface ScanHandler {
  /** A part begins: its header block, cut at the limit. For a Body without boundary `body` and `close` follow. */
  open(header: Buffer, place: Place): Body
  /** `at`: where the octets stand in the message; those of one part follow each other. */
  body(octets: Buffer, at: number): void
  close(): void
  /** What stands before the first delimiter of a multipart, which nobody is meant to see (RFC 2046, 5.1.1). */
  preamble(octets: Buffer): void
  /** The multipart with the latest preamble has no delimiter at all. */
  noDelimiter(): void
  problem(code: ParseCode): void
}

interface Level {
  /** Octets as ISO 8859-1. */
  readonly boundary: string
  readonly path: string
  readonly subtype: string
  parts: number
}

const HEADER = 0
const LEAF = 1
/** Preamble and epilogue: read over. */
const BETWEEN = 2

/**
 * Finds the parts of a MIME message (RFC 2046, 5.1) in octets that come in pieces of any size, in one pass. Its time is
 * proportional to the octets and its memory is one header block: delimiters are searched for, not lines.
 * A delimiter of an outer multipart ends all inner ones; lines may end with CRLF or LF. What is kept of a piece is copied.
 */
export class MimeScanner {
  readonly #handler: ScanHandler
  readonly #levels: Level[] = []
  /** Index of the level with a boundary, the innermost when several have it: a line costs the same at any depth. */
  readonly #innermost = new Map<string, number>()
  #state: typeof HEADER | typeof LEAF | typeof BETWEEN = HEADER
  #place: Place = { path: '', within: '', number: 1 }
  #parts = 1
  #carry: Buffer = NOTHING
  /** Octets of the message before those that are scanned. */
  #before = 0
  #atLineStart = true
  #header: Buffer[] = []
  #headerOctets = 0
  #headerLimit: number = PARSER.headerOctets
  /** Nothing more is of interest. */
  #done = false

  constructor(handler: ScanHandler) {
    this.#handler = handler
  }

  /** True when the rest of the message cannot change anything. */
  get done(): boolean {
    return this.#done
  }

  write(chunk: Buffer): void {
    if (this.#done) return
    const data = this.#carry.length > 0 ? Buffer.concat([this.#carry, chunk]) : chunk
    this.#scan(data, false)
  }

  end(): void {
    if (!this.#done) this.#scan(this.#carry, true)
    if (this.#state === HEADER) this.#finishHeader()
    this.#finishPart()
    this.#cutOff(this.#levels)
    this.#done = true
  }

  #scan(data: Buffer, final: boolean): void {
    let at = 0
    let kept = -1
    while (kept < 0 && at < data.length && !this.#done) {
      const next =
        this.#state === HEADER ? this.#scanHeader(data, at, final) : this.#scanBody(data, at, final)
      if (next.wait) kept = next.at
      else at = next.at
    }
    this.#carry = kept < 0 ? NOTHING : Buffer.from(data.subarray(kept))
    this.#before += data.length - this.#carry.length
  }

  #scanHeader(data: Buffer, start: number, final: boolean): Step {
    let at = start
    while (at < data.length) {
      const lineEnd = data.indexOf(LF, at)
      if (lineEnd < 0 && !final) {
        const rest = data.length - at
        const hold = this.#atLineStart && rest <= PARSER.delimiterOctets
        this.#keepHeader(data.subarray(start, hold ? at : data.length))
        if (!hold) this.#atLineStart = false
        return hold ? wait(at) : go(data.length)
      }
      const next = lineEnd < 0 ? data.length : lineEnd + 1
      if (this.#atLineStart) {
        const delimiter = this.#matchDelimiter(data, at, lineEnd, final)
        if (delimiter) {
          this.#keepHeader(data.subarray(start, at))
          this.#finishHeader()
          this.#finishPart()
          this.#enter(delimiter)
          return go(next)
        }
        if (lineEnd === at || (lineEnd === at + 1 && data[at] === CR)) {
          this.#keepHeader(data.subarray(start, at))
          this.#finishHeader()
          this.#atLineStart = true
          return go(next)
        }
      }
      this.#atLineStart = true
      at = next
    }
    this.#keepHeader(data.subarray(start))
    return go(data.length)
  }

  #keepHeader(octets: Buffer): void {
    if (octets.length === 0) return
    const room = this.#headerLimit - this.#headerOctets
    if (octets.length > room) this.#handler.problem('HEADER_TOO_LARGE')
    if (room <= 0) return
    const kept = octets.length > room ? octets.subarray(0, room) : octets
    this.#header.push(Buffer.from(kept))
    this.#headerOctets += kept.length
  }

  #finishHeader(): void {
    const block = this.#header.length === 1 ? (this.#header[0] as Buffer) : Buffer.concat(this.#header)
    this.#header = []
    this.#headerOctets = 0
    const body = this.#handler.open(block, this.#place)
    this.#state = LEAF
    if (!body.boundary) return
    this.#state = BETWEEN
    const boundary = body.boundary.toString('latin1')
    this.#innermost.set(boundary, this.#levels.length)
    this.#levels.push({ boundary, path: this.#place.path, subtype: body.subtype, parts: 0 })
  }

  #finishPart(): void {
    if (this.#state === LEAF) this.#handler.close()
    this.#state = BETWEEN
  }

  #scanBody(data: Buffer, start: number, final: boolean): Step {
    if (this.#levels.length === 0) {
      // No multipart is open: a body without parts, or what follows the last one.
      this.#take(data, start, data.length)
      if (this.#state === BETWEEN) this.#done = true
      return go(data.length)
    }
    if (this.#atLineStart && !final && data.length - start < 2 && data[start] === DASH) return wait(start)
    let candidate =
      this.#atLineStart && data[start] === DASH && data[start + 1] === DASH ? start : afterLine(data, start)
    while (candidate >= 0) {
      const lineEnd = data.indexOf(LF, candidate)
      const bodyEnd = beforeLineEnd(data, start, candidate)
      if (lineEnd < 0 && !final) {
        if (data.length - candidate > PARSER.delimiterOctets) break
        this.#take(data, start, bodyEnd)
        this.#atLineStart = bodyEnd === candidate
        return wait(bodyEnd)
      }
      const delimiter = this.#matchDelimiter(data, candidate, lineEnd, final)
      if (delimiter) {
        this.#take(data, start, bodyEnd)
        this.#finishPart()
        this.#enter(delimiter)
        return go(lineEnd < 0 ? data.length : lineEnd + 1)
      }
      candidate = afterLine(data, candidate)
    }
    // What the next octets could make the line end before a delimiter stays.
    const keep = final ? data.length : openLineEnd(data, start)
    this.#take(data, start, keep)
    this.#atLineStart = false
    return keep < data.length ? wait(keep) : go(keep)
  }

  #take(data: Buffer, start: number, end: number): void {
    if (end === start) return
    if (this.#state === LEAF) this.#handler.body(data.subarray(start, end), this.#before + start)
    else if (this.#levels.at(-1)?.parts === 0) this.#handler.preamble(data.subarray(start, end))
  }

  /** Multiparts that end without a delimiter of theirs. Of several without any, the innermost has the text. */
  #cutOff(levels: readonly Level[]): void {
    for (const level of levels)
      this.#handler.problem(level.parts === 0 ? 'MISSING_PARTS' : 'TRUNCATED_MULTIPART')
    if (levels.at(-1)?.parts === 0) this.#handler.noDelimiter()
  }

  /** The innermost open multipart that the line is a delimiter of: `--boundary`, or with `--` after it the last one. */
  #matchDelimiter(data: Buffer, start: number, lineEnd: number, final: boolean): Delimiter | undefined {
    if (data[start] !== DASH || data[start + 1] !== DASH) return undefined
    let end = lineEnd < 0 ? data.length : lineEnd
    if (end - start > PARSER.delimiterOctets) return undefined
    while (end > start && data[end - 1] === CR) end--
    while (end > start && (data[end - 1] === 0x20 || data[end - 1] === 0x09)) end--
    const line = data.toString('latin1', start + 2, end)
    const opening = this.#innermost.get(line) ?? -1
    const last = line.endsWith('--') ? (this.#innermost.get(line.slice(0, -2)) ?? -1) : -1
    const index = Math.max(opening, last)
    const level = this.#levels[index]
    if (!level) return undefined
    const closing = index === last
    const inPreamble = this.#state === BETWEEN && index === this.#levels.length - 1 && level.parts === 0
    if (closing && inPreamble) return undefined
    return { index, closing, cutOff: final && lineEnd < 0 && !closing }
  }

  #enter({ index, closing, cutOff }: Delimiter): void {
    this.#atLineStart = true
    const ended = this.#levels.splice(closing ? index : index + 1)
    this.#cutOff(ended.slice(closing ? 1 : 0))
    if (ended.length > 0) {
      this.#innermost.clear()
      for (const [at, { boundary }] of this.#levels.entries()) this.#innermost.set(boundary, at)
    }
    this.#state = BETWEEN
    if (closing || cutOff) return
    if (this.#parts >= PARSER.mimeNodes) {
      this.#handler.problem('TOO_MANY_PARTS')
      this.#levels.length = 0
      this.#done = true
      return
    }
    this.#parts++
    const level = this.#levels[index] as Level
    level.parts++
    const path = level.path ? `${level.path}.${level.parts}` : String(level.parts)
    this.#place = { path, within: level.subtype, number: level.parts }
    this.#headerLimit = PARSER.partHeaderOctets
    this.#state = HEADER
  }
}

interface Delimiter {
  readonly index: number
  readonly closing: boolean
  /** The message ends with it: a part ends here, but none begins, for what was cut off may have made it the last delimiter. */
  readonly cutOff: boolean
}

/** Goes on at `at`, or waits for more octets and keeps those from `at` on. */
interface Step {
  readonly at: number
  readonly wait: boolean
}

function go(at: number): Step {
  return { at, wait: false }
}

function wait(at: number): Step {
  return { at, wait: true }
}

/** Where the next line after `from` begins with two dashes; -1 when none does. */
function afterLine(data: Buffer, from: number): number {
  // Base64 has no dashes, so that looking for them passes over a whole piece at once; looking for line ends would stop at each.
  const dashes = data.indexOf(DASHES, from + 1)
  if (dashes < 0 || data[dashes - 1] === LF) return dashes
  const found = data.indexOf(DELIMITER_AFTER_LINE, dashes)
  return found < 0 ? -1 : found + 1
}

/** The line end before a delimiter belongs to it, not to the part (RFC 2046, 5.1.1). */
function beforeLineEnd(data: Buffer, start: number, delimiter: number): number {
  let end = delimiter
  if (end > start && data[end - 1] === LF) {
    end--
    if (end > start && data[end - 1] === CR) end--
  }
  return end
}

/** Start of CR, LF or CRLF, with a dash after it or not, at the end of the data. */
function openLineEnd(data: Buffer, start: number): number {
  let end = data.length
  if (end > start && data[end - 1] === DASH && end - 1 > start && data[end - 2] === LF) end--
  if (end > start && data[end - 1] === LF) {
    end--
    if (end > start && data[end - 1] === CR) end--
  } else if (end === data.length && end > start && data[end - 1] === CR) end--
  return end
}
