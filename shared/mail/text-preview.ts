import type { TextData } from '../contract/event.ts'
import { PARSER } from '../limits.ts'
import { cut } from './clean-text.ts'
import { decodeCharset } from './encoded-words.ts'
import { htmlText } from './html-text.ts'

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
      take: (octets) => {
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

function plainPreview(text: string, more: boolean): TextData | undefined {
  return preview(text, more, 'plain')
}

function htmlPreview(html: string, more: boolean): TextData | undefined {
  const text = htmlText(html, ROOM_FOR_FOLDING)
  return preview(text.text, more || text.truncated, 'html')
}

/** White space may still be folded in what the HTML scanner returns, but not to less than half. */
const ROOM_FOR_FOLDING = 2 * PARSER.previewCharacters + 2

function preview(text: string, more: boolean, source: 'plain' | 'html'): TextData | undefined {
  const folded = foldSpace(text, PARSER.previewCharacters + 1)
  if (folded === '') return undefined
  const shown = cut(folded, PARSER.previewCharacters).trimEnd()
  return { preview: shown, truncated: more || shown.length < folded.length, source }
}

const SPACE = 1
const HIDDEN = 2
/** What a character below U+0100 is; the few above are in `kindAbove`. */
const KINDS = new Uint8Array(256)
KINDS.fill(HIDDEN, 0, 0x20).fill(HIDDEN, 0x7f, 0xa0)
for (const space of [0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0x85, 0xa0]) KINDS[space] = SPACE
KINDS[0xad] = HIDDEN

/** Runs of white space become one space, controls and characters without width go; at most about `characters` of it, in one pass. */
export function foldSpace(text: string, characters: number): string {
  let folded = ''
  let runStart = 0
  let pendingSpace = false
  let inRun = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const kind = code < 256 ? KINDS[code] : kindAbove(code)
    if (kind === 0) {
      if (inRun) continue
      if (pendingSpace && folded) folded += ' '
      pendingSpace = false
      inRun = true
      runStart = at
      // A long run is handed over in pieces, so that the limit holds.
    } else {
      if (inRun) folded += text.slice(runStart, at)
      inRun = false
      if (kind === SPACE) pendingSpace = true
    }
    if (folded.length + (inRun ? at - runStart : 0) >= characters) break
  }
  if (inRun) folded += text.slice(runStart, runStart + characters)
  return cut(folded, characters).toWellFormed()
}

function kindAbove(code: number): number {
  if (
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
  )
    return SPACE
  // Fillers of newsletters and direction marks. U+200C and U+200D stay: Persian and emoji need them.
  if (code === 0x034f || code === 0x200b || code === 0x200e || code === 0x200f) return HIDDEN
  if ((code >= 0x202a && code <= 0x202e) || (code >= 0x2060 && code <= 0x2069) || code === 0xfeff)
    return HIDDEN
  return 0
}
