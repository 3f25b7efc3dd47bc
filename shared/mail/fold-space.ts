import { cut } from './clean-text.ts'

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
