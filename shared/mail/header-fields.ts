import { isAscii, isUtf8 } from 'node:buffer'

/** The fields of one header block, unfolded, by lower-case name, each name's values topmost first. */
export interface HeaderFields {
  /** Fields recognized; 0 when the block is no header at all. */
  readonly count: number
  /** Field body, unfolded and trimmed, encoded words as they are; the topmost when there are several. */
  first(name: string): string | undefined
  all(name: string): readonly string[]
}

const NONE: readonly string[] = []

/** Printable US-ASCII except colon (RFC 5322, 3.6.8), with the white space before the colon that RFC 5322, 4.5 allows. */
const FIELD_NAME = /^([!-9;-~]+)[ \t]*:/

/**
 * Reads a header block (RFC 5322, 2.2). Lines that are no field are passed over, as is the `From ` line of an mbox.
 * Octets above 127 are UTF-8 (RFC 6532) when the whole field is valid UTF-8, else ISO 8859-1.
 */
export function readHeaderFields(block: Buffer): HeaderFields {
  const ascii = isAscii(block)
  const text = block.toString('latin1')
  const fields = new Map<string, string[]>()
  let count = 0
  let at = 0
  while (at < text.length) {
    const end = endOfField(text, at)
    const match = FIELD_NAME.exec(text.slice(at, Math.min(end, at + 256)))
    if (match?.[1]) {
      const name = match[1].toLowerCase()
      const value = unfold(text, at + match[0].length, end)
      const decoded = ascii ? value : decodeOctets(value)
      const values = fields.get(name)
      if (values) values.push(decoded)
      else fields.set(name, [decoded])
      count++
    }
    at = end
  }
  return {
    count,
    first: (name) => fields.get(name)?.[0],
    all: (name) => fields.get(name) ?? NONE,
  }
}

/** Position after the field that begins at `start`: its line and all continuation lines. */
function endOfField(text: string, start: number): number {
  let at = start
  while (true) {
    const lineEnd = text.indexOf('\n', at)
    if (lineEnd < 0) return text.length
    at = lineEnd + 1
    const next = text.charCodeAt(at)
    if (next !== 0x20 && next !== 0x09) return at
  }
}

/** Line ends go, the white space after them stays (RFC 5322, 2.2.3); runs of it become one space. */
function unfold(text: string, start: number, end: number): string {
  // Not trim(), for which 0xA0 is white space too: here it may be the last octet of a character in UTF-8.
  let from = start
  let to = end
  while (from < to && isSpace(text.charCodeAt(from))) from++
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--
  const trimmed = text.slice(from, to)
  return /[\r\n]/.test(trimmed) ? trimmed.replace(/[\r\n]+[ \t]*/g, ' ') : trimmed
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d)
}

function decodeOctets(latin1: string): string {
  if (!/[\x80-\xff]/.test(latin1)) return latin1
  const octets = Buffer.from(latin1, 'latin1')
  return isUtf8(octets) ? octets.toString('utf8') : latin1
}
