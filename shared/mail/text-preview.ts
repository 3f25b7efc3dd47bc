import type { TextData } from '../contract/event.ts'
import { PARSER } from '../limits.ts'
import { cut } from './clean-text.ts'
import { decodeCharset } from './encoded-words.ts'
import { foldSpace } from './fold-space.ts'
import { htmlText } from './html-text.ts'
import { replyText } from './reply-text.ts'

/** Collects the body text of one message: the first text/plain part with something to see in it, else the first such text/html. */
export class TextPreview {
  #plain: TextData | undefined
  #html: TextData | undefined

  /** Whether a part of this type could still count. */
  wants(type: string): boolean {
    return (
      this.#plain === undefined &&
      (type === 'text/plain' || (type === 'text/html' && this.#html === undefined))
    )
  }

  /** A function to give the decoded octets of a text part to and one to say that there are no more. */
  begin(type: string, charset: string): { take(octets: Buffer): void; end(): void } {
    const pieces: Buffer[] = []
    let held = 0
    let more = false
    return {
      take: (lent) => {
        // What nobody sees must not use up the room. In UTF-16 and UTF-32 it has other octets, and stays.
        const octets = held === 0 ? lent.subarray(spaceBefore(lent)) : lent
        const room = PARSER.textOctets - held
        if (octets.length > room) more = true
        if (room <= 0) return
        // Copied: a slice would keep the whole chunk of the message in memory.
        const kept = Buffer.from(octets.subarray(0, room))
        pieces.push(kept)
        held += kept.length
      },
      end: () => {
        const octets = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
        if (type === 'text/html') this.#html = htmlPreview(decodeCharset(octets, charset), more)
        else this.#plain = plainPreview(decodeCharset(octets, charset), more)
      },
    }
  }

  result(): TextData {
    return this.#plain ?? this.#html ?? { preview: '', truncated: false, source: 'none' }
  }
}

/** How many octets of white space there are at the start: space, tab, line ends. */
function spaceBefore(octets: Buffer): number {
  let at = 0
  while (octets[at] === 0x20 || octets[at] === 0x0a || octets[at] === 0x0d || octets[at] === 0x09) at++
  return at
}

function plainPreview(text: string, more: boolean): TextData | undefined {
  return preview(text, more, 'plain', () => replyText(text, PARSER.replyCharacters))
}

function htmlPreview(html: string, more: boolean): TextData | undefined {
  const text = htmlText(html, ROOM_FOR_FOLDING)
  const { quoteAt = text.text.length } = text
  const own = text.text.slice(0, quoteAt)
  return preview(text.text, more || text.truncated, 'html', () =>
    replyText(own, PARSER.replyCharacters, text.quoteAt !== undefined),
  )
}

/** White space may still be folded in what the HTML scanner returns, but not to less than half. */
const ROOM_FOR_FOLDING = 2 * PARSER.replyCharacters + 2

function preview(
  text: string,
  more: boolean,
  source: 'plain' | 'html',
  reply: () => string,
): TextData | undefined {
  const folded = foldSpace(text, PARSER.previewCharacters + 1)
  if (folded === '') return undefined
  const shown = cut(folded, PARSER.previewCharacters).trimEnd()
  return { preview: shown, reply: reply(), truncated: more || shown.length < folded.length, source }
}
