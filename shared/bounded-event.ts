import { type ArchivedData, type Event, MESSAGE_ARCHIVED } from './contract/event.ts'
import { PARSER } from './limits.ts'

// Events as octets, and kept small. Hostile mail brings lists of megabytes, so each part is measured once and then only when it was halved.

/** JSON in ASCII alone: what is outside is escaped, UTF-16 unit by unit, lone surrogates too. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/**
 * The event itself when its ASCII JSON has at most `mostOctets`, else a copy in which the list, map or preview that takes most is halved
 * until it fits; `truncated` and `attachmentsTruncated` say so. Never throws. Single values are cut to PARSER.headerCharacters, so
 * that some 60 KiB are always enough.
 */
export function boundedEvent(event: Event, mostOctets: number): Event {
  if (asciiLength(event) <= mostOctets) return event
  const bounded = structuredClone(event)
  if (bounded.type === MESSAGE_ARCHIVED) bound(bounded, bounded.data, mostOctets)
  else clipStrings(bounded.data.mailbox)
  return bounded
}

/** At most as many characters as one header value may have in an event, and never half of one. */
export function clip(text: string): string {
  return text.length <= PARSER.headerCharacters ? text : text.slice(0, PARSER.headerCharacters).toWellFormed()
}

function bound(event: Event, data: ArchivedData, mostOctets: number): void {
  const { message, mailbox, attachments } = data
  const clipped = [message, mailbox, ...attachments].map(clipStrings)
  if (clipped.includes(true)) message.truncated = true
  const parts = partsOf(data).map((part) => ({ ...part, octets: octetsOf(part) }))
  for (let excess = asciiLength(event) - mostOctets; excess > 0; excess = asciiLength(event) - mostOctets)
    while (excess > 0) {
      const largest = parts.reduce((most, part) => (part.octets > most.octets ? part : most))
      if (largest.octets === 0) return
      largest.halve()
      const octets = octetsOf(largest)
      excess -= largest.octets - octets
      largest.octets = octets
    }
}

/** A part that can be made smaller. */
interface Part {
  value(): unknown
  /** Elements or characters. */
  count(): number
  halve(): void
}

/** What a part of the message reports: it is there whole or not at all. */
const REPORTS = ['calendar', 'receipt', 'complaint', 'dmarcReport'] as const

function partsOf(data: ArchivedData): Part[] {
  const { message, text, mailbox } = data
  const messageCut = (): void => {
    message.truncated = true
  }
  const lists: unknown[][] = [
    message.references,
    message.inReplyTo,
    message.from,
    message.sender,
    message.replyTo,
    message.to,
    message.cc,
    message.bcc,
    message.deliveredTo,
    message.receiptTo ?? [],
    data.authentication,
    data.labels ?? [],
    data.bounce?.recipients ?? [],
    data.trustedAuthentication?.results ?? [],
    mailbox.flags ?? [],
    mailbox.gmailLabels ?? [],
  ]
  return [
    ...lists.map((list) => partOf(list, messageCut)),
    ...REPORTS.map((name) => ({
      value: () => data[name],
      count: () => (data[name] ? 1 : 0),
      halve() {
        delete data[name]
        messageCut()
      },
    })),
    partOf(data.attachments, () => {
      data.attachmentsTruncated = true
    }),
    {
      value: () => message.headers,
      count: () => Object.keys(message.headers).length,
      halve() {
        const names = Object.keys(message.headers)
        for (const name of names.slice(Math.floor(names.length / 2))) delete message.headers[name]
        messageCut()
      },
    },
    {
      value: () => text.preview,
      count: () => text.preview.length,
      halve() {
        text.preview = text.preview.slice(0, Math.floor(text.preview.length / 2)).toWellFormed()
        text.truncated = true
      },
    },
  ]
}

function partOf(list: unknown[], cut: () => void): Part {
  return {
    value: () => list,
    count: () => list.length,
    halve() {
      list.length = Math.floor(list.length / 2)
      cut()
    },
  }
}

/** 0 when there is nothing in it. */
function octetsOf({ value, count }: Part): number {
  return count() === 0 ? 0 : asciiLength(value())
}

/** The length of `asciiJson`, without making it: an escape has six characters. */
function asciiLength(value: unknown): number {
  const json = JSON.stringify(value)
  let length = json.length
  for (let i = 0; i < json.length; i++) if (json.charCodeAt(i) > 0x7e) length += 5
  return length
}

/**
 * Single values that no list bounds. The parser keeps its own short, so this meets what a mail server chose: the name of a folder, say.
 * Whether anything was cut.
 */
function clipStrings(data: object): boolean {
  let cut = false
  for (const [name, value] of Object.entries(data)) {
    if (typeof value !== 'string' || value.length <= PARSER.headerCharacters) continue
    Object.assign(data, { [name]: clip(value) })
    cut = true
  }
  return cut
}
