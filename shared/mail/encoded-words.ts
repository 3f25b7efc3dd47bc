import { isAscii, isUtf8 } from 'node:buffer'
import libmime from 'libmime'
import { PARSER } from '../limits.ts'
import { oneLine } from './clean-text.ts'

/** Encoded text is longer than what it stands for: more than this of a field cannot show in the event. */
const ENCODED_CHARACTERS = 16 * PARSER.headerCharacters

/** A field body as text: encoded words (RFC 2047) decoded, on one line, without controls. */
export function decodeEncodedWords(value: string): string {
  const first = value.indexOf('=?')
  if (first < 0) return oneLine(value)
  const seen = value.length <= ENCODED_CHARACTERS ? value : value.slice(0, ENCODED_CHARACTERS)
  // One word has no neighbour to be joined with, and most fields have one.
  const decoded = seen.indexOf('=?', first + 2) < 0 ? decodeOne(seen, first) : libmime.decodeWords(seen)
  return oneLine(decoded)
}

const WORD = /=\?([\w\-*]+)\?([QqBb])\?([^?]*)\?=/y

function decodeOne(value: string, at: number): string {
  WORD.lastIndex = at
  const [word, charset = '', encoding = '', text = ''] = WORD.exec(value) ?? []
  if (word === undefined) return value
  return value.slice(0, at) + libmime.decodeWord(charset, encoding, text) + value.slice(at + word.length)
}

const UTF8 = /^(?:utf-?8|us-ascii|ascii|7bit)?$/i

/**
 * Octets as text. Without a charset, or where us-ascii or utf-8 is a lie, UTF-8 when the octets are valid UTF-8,
 * else windows-1252; a charset that is unknown (or refused, as UTF-7) is read as UTF-8 with replacement characters.
 */
export function decodeCharset(octets: Buffer, charset: string): string {
  if (octets.length === 0) return ''
  if (!UTF8.test(charset)) return decodeNamed(octets, charset)
  return isUtf8(octets) || isCutUtf8(octets) ? octets.toString('utf8') : decodeNamed(octets, 'windows-1252')
}

/** libmime knows all charsets of mail, but has its decoder only behind that of encoded words. */
function decodeNamed(octets: Buffer, charset: string): string {
  return libmime.decodeWord(charset.trim(), 'B', octets.toString('base64'))
}

/** Text is cut at an octet limit, perhaps within a character. What is ASCII before it may as well end with a letter of windows-1252. */
function isCutUtf8(octets: Buffer): boolean {
  const whole = trimPartialCharacter(octets)
  return isUtf8(whole) && !isAscii(whole)
}

function trimPartialCharacter(octets: Buffer): Buffer {
  let start = octets.length
  for (let back = 1; back <= 3 && back <= octets.length; back++) {
    const octet = octets[octets.length - back] as number
    if (octet >= 0xc0) start = octets.length - back
    if (octet < 0x80 || octet >= 0xc0) break
  }
  return octets.subarray(0, start)
}
