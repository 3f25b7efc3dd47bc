import type { Address } from '../contract/event.ts'
import { PARSER } from '../limits.ts'
import { lexAddressList, type Word } from './address-lexer.ts'
import { type Bounds, oneLine } from './clean-text.ts'
import { withoutComments } from './comments.ts'
import { decodeEncodedWords } from './encoded-words.ts'

/** Specials of RFC 5322, 3.2.3: none of them stands in a dot-atom. Whatever is not US-ASCII may (RFC 6532). */
const DOT_ATOM = String.raw`[^\s\x00-\x20\x7f"(),:;<>@[\\\].]+(?:\.[^\s\x00-\x20\x7f"(),:;<>@[\\\].]+)*`
const ADDR_SPEC = new RegExp(String.raw`^(?:${DOT_ATOM}|"(?:[^"\\]|\\.)*")@(?:${DOT_ATOM}|\[[^\s[\]\\]*\])$`)

/**
 * The mailboxes and groups of an address field (RFC 5322, 3.4 and 4.4). Nothing is dropped: what does not follow the
 * standard is kept as it was written and marked `invalid`. An empty group is one entry with only `group`.
 */
export function parseAddresses(fields: readonly string[], bounds: Bounds): Address[] {
  const addresses: Address[] = []
  for (const field of fields) {
    for (const entry of lexAddressList(bounds.text(field, PARSER.fieldCharacters))) {
      if (addresses.length === PARSER.addresses) {
        bounds.exceeded = true
        return addresses
      }
      if ('emptyGroup' in entry) addresses.push({ group: bounds.text(decodeEncodedWords(entry.emptyGroup)) })
      else {
        const address = toAddress(entry.words, entry.comment, entry.angle, bounds)
        if (entry.group !== undefined) address.group = bounds.text(decodeEncodedWords(entry.group))
        addresses.push(address)
      }
    }
  }
  return addresses
}

function toAddress(
  words: readonly Word[],
  comment: string,
  angle: string | undefined,
  bounds: Bounds,
): Address {
  if (angle !== undefined) return described(phrase(words) || comment, withoutRoute(compact(angle)), bounds)
  // No angle brackets: an address alone, perhaps with its name as a comment, or something that is none.
  const joined = words.map((word) => word.raw).join('')
  if (joined.includes('@') && words.every((word, index) => index === 0 || adjoin(words[index - 1], word)))
    return described(comment, joined, bounds)
  const at = words.findLastIndex((word) => !word.quoted && word.text.includes('@') && word.text.length > 1)
  if (at >= 0) {
    const [start, end] = addressAround(words, at)
    const address = words
      .slice(start, end)
      .map((word) => word.raw)
      .join('')
    return {
      ...described(phrase([...words.slice(0, start), ...words.slice(end)]) || comment, address, bounds),
      invalid: true,
    }
  }
  const [only] = words
  if (words.length === 1 && only && !only.quoted && !only.text.includes('=?'))
    return described(comment, only.raw, bounds)
  return described(phrase(words) || comment, undefined, bounds)
}

/** Whether two words are of one address: nothing is between them, or white space beside a dot or an at sign (RFC 5322, 4.4). */
function adjoin(before: Word | undefined, word: Word): boolean {
  return !word.spaced || /^[.@]/.test(word.raw) || /[.@]$/.test(before?.raw ?? '')
}

/** The words that stand together without white space around the one with the at sign. */
function addressAround(words: readonly Word[], at: number): [number, number] {
  let start = at
  while (start > 0 && !words[start]?.spaced) start--
  let end = at + 1
  while (end < words.length && !words[end]?.spaced) end++
  return [start, end]
}

function described(name: string, address: string | undefined, bounds: Bounds): Address {
  const result: Address = {}
  const decoded = bounds.text(decodeEncodedWords(name))
  if (decoded) result.name = decoded
  const written = address === undefined ? '' : bounds.text(oneLine(address))
  if (written) result.address = written
  if (!ADDR_SPEC.test(written)) result.invalid = true
  return result
}

function phrase(words: readonly Word[]): string {
  return words.map((word, index) => (word.spaced && index > 0 ? ` ${word.text}` : word.text)).join('')
}

/** Comments and white space may stand around the dots and the at sign of an obsolete address (RFC 5322, 4.4). */
function compact(angle: string): string {
  const bare = withoutComments(angle).trim()
  if (!/\s/.test(bare)) return bare
  // In two steps: one pattern for both would try each run of white space from each of its characters.
  return bare.includes('"') ? bare : bare.replace(/\s+/g, ' ').replace(/ ?([.@]) ?/g, '$1')
}

/** `@a,@b:user@host`, an obsolete source route, is `user@host` (RFC 5322, 4.4). */
function withoutRoute(address: string): string {
  return address.startsWith('@') && address.includes(':') ? address.slice(address.indexOf(':') + 1) : address
}

/** Delivered-To is written with and without them. */
export function withoutBrackets(address: string): string {
  return address.trim().replace(/^<(.*)>$/, '$1')
}
