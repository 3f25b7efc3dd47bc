import { cut } from './clean-text.ts'

const SPACE = 1
const HIDDEN = 2
/** What a character below U+0100 is; the few above are in `kindAbove`. */
const KINDS = new Uint8Array(256)
KINDS.fill(HIDDEN, 0, 0x20).fill(HIDDEN, 0x7f, 0xa0)
for (const space of [0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0x85, 0xa0]) KINDS[space] = SPACE
KINDS[0xad] = HIDDEN

/**
 * Runs of white space become one space, controls and characters without width go; at most about `characters` of it, in one pass. Of a text
 * `from` and `to` some place in it, which costs less than a slice.
 */
export function foldSpace(text: string, characters: number, from = 0, to = text.length): string {
  let folded = ''
  let runStart = 0
  let pendingSpace = false
  let inRun = false
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at)
    const kind = code < 256 ? KINDS[code] : kindAbove(code)
    if (kind === 0) {
      if (!inRun) {
        if (pendingSpace && folded) folded += ' '
        pendingSpace = false
        inRun = true
        runStart = at
      }
    } else if (inRun && code === 0x20 && at + 1 < to && isVisible(text.charCodeAt(at + 1))) {
      // Most spaces: one between two words stays as it is.
      continue
    } else {
      if (inRun) folded += text.slice(runStart, at)
      inRun = false
      if (kind === SPACE) pendingSpace = true
    }
    if (folded.length + (inRun ? at - runStart : 0) >= characters) break
  }
  // One more, for `cut` to see a code point that the limit goes through.
  if (inRun) folded += text.slice(runStart, Math.min(to, runStart + characters + 1))
  return cut(folded, characters).toWellFormed()
}

function isVisible(code: number): boolean {
  return (code < 256 ? KINDS[code] : kindAbove(code)) === 0
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
