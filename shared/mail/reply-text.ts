import { cut } from './clean-text.ts'
import { foldSpace } from './fold-space.ts'

const CR = 0x0d
const DASH = 0x2d
const UNDERSCORE = 0x5f
const QUOTE_MARK = 0x3e
/** `-----Original Message-----`, `---------- Forwarded message ---------`, in any language. */
const SEPARATOR = /^[ \t]{0,8}-{3,40}[ \t]{0,8}\p{L}.{0,80}?-{3,40}[ \t]{0,8}$/u
/** Outlook's line above the header of what it quotes. */
const RULE = /^[ \t]{0,8}_{20,100}[ \t]{0,8}$/
/** `-- ` (RFC 3676, 4.3), also where the space went on the way. */
const SIGNATURE = /^-- ?$/

/**
 * What the sender wrote of a text, with its lines: without lines that quote others and what introduces them, and without what follows a signature
 * delimiter or the header of a message that is quoted whole. By the form of the lines alone, in no language; one pass, up to `characters`.
 * `quoted`: the text ends where a quotation begins.
 */
export function replyText(text: string, characters: number, quoted = false): string {
  const lines: string[] = []
  let length = 0
  let at = 0
  while (at < text.length && length <= characters) {
    const lineEnd = text.indexOf('\n', at)
    const end = lineEnd < 0 ? text.length : lineEnd
    // No line has to be looked at further than what may be shown of it.
    const start = at
    const stop = Math.min(text.charCodeAt(end - 1) === CR ? end - 1 : end, start + 4 * characters)
    at = end + 1
    if (isMarked(text, start, stop) && endsText(text.slice(start, stop))) break
    if (start < stop && text.charCodeAt(start) === QUOTE_MARK) {
      withoutIntroduction(lines)
      continue
    }
    const folded = foldSpace(text, characters + 1, start, stop)
    // One empty line is as good as many.
    if (folded === '' && (lines.length === 0 || lines.at(-1) === '')) continue
    lines.push(folded)
    length += folded.length + 1
  }
  if (quoted && at >= text.length) withoutIntroduction(lines)
  return cut(lines.join('\n').trim(), characters).trimEnd()
}

/** Whether a line begins like one that ends what the sender wrote; most do not. */
function isMarked(text: string, start: number, stop: number): boolean {
  let at = start
  while (at < stop && isBlank(text.charCodeAt(at))) at++
  const code = text.charCodeAt(at)
  return at < stop && (code === DASH || code === UNDERSCORE)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function endsText(line: string): boolean {
  return SIGNATURE.test(line) || RULE.test(line) || SEPARATOR.test(line)
}

/** `On Monday, Ann <ann@a.example> wrote:` in any language: the last line before a quotation that ends in a colon, and what it goes on from. */
function withoutIntroduction(lines: string[]): void {
  let last = lines.length - 1
  while (last >= 0 && lines[last] === '') last--
  if (last < 0 || !/[:：]$/.test(lines[last] as string)) return
  let first = last
  // It was folded when the line with the colon names neither a time nor an address itself.
  if (
    first > 0 &&
    !NAMES_SOMEBODY.test(lines[first] as string) &&
    NAMES_SOMEBODY.test(lines[first - 1] as string)
  )
    first--
  lines.length = first
}

const NAMES_SOMEBODY = /@|\d{2}/
