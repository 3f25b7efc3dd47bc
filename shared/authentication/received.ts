import ipaddr from 'ipaddr.js'
import { matchesAnyGlob } from '../contract/glob.ts'
import { isoDate } from '../mail/dates.ts'
import { fieldsInOrder } from '../mail/header-fields.ts'

/** From whom the server at the border took a message, as it wrote it down itself (RFC 5321, 4.4). */
export interface TakenFrom {
  /** The server, as it names itself. */
  readonly by: string
  readonly clientAddress: string
  readonly helo: string
  /** Empty for `<>`. */
  readonly mailFrom: string
  /** ISO 8601; undefined when the field has no date. */
  readonly at: string | undefined
}

/** Ranges in which nobody sends mail from outside: the field is of a later step within the provider. */
const INTERNAL: ReadonlySet<string> = new Set([
  'unspecified',
  'loopback',
  'private',
  'linkLocal',
  'uniqueLocal',
  'carrierGradeNat',
])

/**
 * The topmost Received field that names `receivedBy` (a glob) as its writer, and the envelope sender: of the same field, or of a Return-Path above it.
 * Everything below may be the sender's. Where these say nothing, or more than one thing, the reason: nothing is guessed, for a name in HELO or in a
 * client's certificate may look like an address.
 */
export function takenFrom(header: Buffer, receivedBy: string): TakenFrom | { readonly reason: string } {
  let returnPath: string | undefined
  for (const { name, value } of fieldsInOrder(header, 'return-path', 'received')) {
    if (name === 'return-path') returnPath ??= value
    if (name !== 'received') continue
    const hop = readReceived(value)
    if (!hop.by.some((by) => matchesAnyGlob([receivedBy], [by]))) continue
    return trusted(hop, returnPath)
  }
  return { reason: `no Received field is by ${receivedBy}` }
}

function trusted(hop: Hop, returnPath: string | undefined): TakenFrom | { readonly reason: string } {
  const [by, otherBy] = hop.by
  const [address, otherAddress] = hop.addresses
  if (by === undefined || otherBy !== undefined) return { reason: 'its Received field names two servers' }
  if (address === undefined) return { reason: `${by} wrote no address of the client` }
  if (otherAddress !== undefined) return { reason: `${by} wrote two addresses of the client` }
  if (INTERNAL.has(ipaddr.process(address).range()))
    return { reason: `${by} took it from ${address}, which is its own network` }
  const path = hop.envelopeFrom ?? returnPath
  if (path === undefined) return { reason: `${by} wrote no envelope sender` }
  const mailFrom = path.replace(/^\s*<|>\s*$/g, '').trim()
  return { by, clientAddress: address, helo: hop.helo, mailFrom, at: hop.at }
}

interface Hop {
  readonly by: readonly string[]
  readonly addresses: readonly string[]
  readonly helo: string
  readonly envelopeFrom: string | undefined
  readonly at: string | undefined
}

/** `from HELO (name [192.0.2.1]) by mx.example.com …; date`, with what Exim, Exchange and qmail write in its place. */
function readReceived(value: string): Hop {
  const { words, comments, date } = split(value)
  const from = words[0]?.text.toLowerCase() === 'from' ? (words[1]?.text ?? '') : ''
  const by = words.flatMap(({ text }, index) =>
    text.toLowerCase() === 'by' ? (words[index + 1]?.text ?? []) : [],
  )
  const end = words.find(({ text }) => text.toLowerCase() === 'by')?.at ?? value.length
  const clauses = comments.filter(({ at }) => at < end).map(({ text }) => text)
  const ofServer = comments.filter(({ at }) => at > end).map(({ text }) => text)
  const heloOfExim = clauses.map((text) => /(?:^|\s)helo=(\S+)/i.exec(text)?.[1]).find(Boolean)
  const literals = clauses.flatMap(addressesIn)
  // Exim's form for a client whose address has no name.
  if (literals.length === 0 && heloOfExim !== undefined) literals.push(...addressesIn(from))
  const envelope = ofServer.flatMap(
    (text) => /^envelope-(?:from|sender) (<[^<>\s]*>)$/i.exec(text)?.[1] ?? [],
  )
  return {
    by,
    addresses: [...new Set(literals)],
    helo: unbracketed(heloOfExim ?? from),
    envelopeFrom: envelope[0],
    at: isoDate(date),
  }
}

/** In brackets, or alone; not what stands behind helo=. */
function addressesIn(text: string): string[] {
  const bracketed = [...text.matchAll(/(helo=|ehlo=)?\[(?:IPv6:)?([^\]\s]+)\]/gi)]
    .filter(([, helo]) => helo === undefined)
    .map(([, , address = '']) => address)
  return [...bracketed, text.trim()]
    .filter((each) => ipaddr.isValid(each))
    .map((each) => ipaddr.process(each).toString())
}

function unbracketed(text: string): string {
  return text.replace(/^\[(?:IPv6:)?|\]$/gi, '')
}

interface Piece {
  readonly text: string
  readonly at: number
}

/** Words outside of comments, comments with what is nested in them, and what follows the first semicolon outside. */
function split(value: string): { words: Piece[]; comments: Piece[]; date: string } {
  const words: Piece[] = []
  const comments: Piece[] = []
  let depth = 0
  let from = 0
  const word = (end: number): void => {
    if (end > from) words.push({ text: value.slice(from, end), at: from })
  }
  for (let at = 0; at < value.length; at++) {
    const character = value[at]
    if (character === '\\') at++
    else if (character === '(') {
      if (depth === 0) {
        word(at)
        from = at + 1
      }
      depth++
    } else if (character === ')' && depth > 0) {
      depth--
      if (depth > 0) continue
      comments.push({ text: value.slice(from, at), at: from })
      from = at + 1
    } else if (depth === 0 && character === ';') {
      word(at)
      return { words, comments, date: value.slice(at + 1) }
    } else if (depth === 0 && (character === ' ' || character === '\t')) {
      word(at)
      from = at + 1
    }
  }
  if (depth === 0) word(value.length)
  return { words, comments, date: '' }
}
