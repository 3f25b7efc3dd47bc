import { isAscii, isUtf8 } from 'node:buffer'

/** The fields of one header block, unfolded, by lower-case name, each name's values topmost first. */
export interface HeaderFields {
  /** Fields recognized; 0 when the block is no header at all. */
  readonly count: number
  /** Field body, unfolded and trimmed, encoded words as they are; the topmost when there are several. */
  first(name: string): string | undefined
  all(name: string): readonly string[]
}

interface Field {
  /** Where its bodies stand: start and end, by turns. */
  readonly places: number[]
  /** Once they were asked for. */
  values: readonly string[] | undefined
}

const NONE: readonly string[] = []

const COLON = 0x3a
/** A name has no more, with its colon. */
const NAME_OCTETS = 256

/**
 * Reads a header block (RFC 5322, 2.2). Lines that are no field are passed over, as is the `From ` line of an mbox.
 * Octets above 127 are UTF-8 (RFC 6532) when the whole field is valid UTF-8, else ISO 8859-1.
 * Bodies are unfolded when they are asked for: most are not.
 */
export function readHeaderFields(block: Buffer): HeaderFields {
  const ascii = isAscii(block)
  const text = block.toString('latin1')
  const fields = new Map<string, Field>()
  const count = eachField(text, (name, from, end) => {
    const known = fields.get(name)
    if (known) known.places.push(from, end)
    else fields.set(name, { places: [from, end], values: undefined })
  })
  const all = (name: string): readonly string[] => {
    const field = fields.get(name)
    if (!field) return NONE
    field.values ??= bodies(text, field.places, ascii)
    return field.values
  }
  return { count, first: (name) => all(name)[0], all }
}

/** Those with one of these names (lower case), topmost first. */
export function fieldsInOrder(
  block: Buffer,
  ...names: readonly string[]
): { readonly name: string; readonly value: string }[] {
  const ascii = isAscii(block)
  const text = block.toString('latin1')
  const fields: { name: string; value: string }[] = []
  eachField(text, (name, from, end) => {
    if (!names.includes(name)) return
    const value = unfold(text, from, end)
    fields.push({ name, value: ascii ? value : decodeOctets(value) })
  })
  return fields
}

/** Tells where the body of each field stands; returns how many there are. */
function eachField(text: string, take: (name: string, from: number, end: number) => void): number {
  let count = 0
  let at = 0
  while (at < text.length) {
    const end = endOfField(text, at)
    const nameEnd = endOfName(text, at)
    const colon = afterBlanks(text, nameEnd)
    if (nameEnd > at && text.charCodeAt(colon) === COLON && colon - at < NAME_OCTETS) {
      take(text.slice(at, nameEnd).toLowerCase(), colon + 1, end)
      count++
    }
    at = end
  }
  return count
}

function bodies(text: string, places: readonly number[], ascii: boolean): readonly string[] {
  const values: string[] = []
  for (let index = 0; index < places.length; index += 2) {
    const value = unfold(text, places[index] as number, places[index + 1] as number)
    values.push(ascii ? value : decodeOctets(value))
  }
  return values
}

/** Printable US-ASCII except colon (RFC 5322, 3.6.8). */
function endOfName(text: string, start: number): number {
  let at = start
  for (; at - start < NAME_OCTETS; at++) {
    const code = text.charCodeAt(at)
    if (!(code > 0x20 && code < 0x7f) || code === COLON) break
  }
  return at
}

/** White space before the colon, which RFC 5322, 4.5 allows. */
function afterBlanks(text: string, start: number): number {
  let at = start
  while (at - start < NAME_OCTETS && (text.charCodeAt(at) === 0x20 || text.charCodeAt(at) === 0x09)) at++
  return at
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
