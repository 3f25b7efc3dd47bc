import { PARSER } from '../limits.ts'

const LINE_BREAKS = /[\t\n\v\f\r\u0085\u2028\u2029]+/g
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g
const NEEDS_CLEANING = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]/

/** Controls out, line breaks to spaces, unpaired surrogates to U+FFFD: what is left is safe on one line of a terminal or a log. */
export function oneLine(text: string): string {
  if (!NEEDS_CLEANING.test(text)) return text.trim()
  return text.replace(LINE_BREAKS, ' ').replace(CONTROLS, '').toWellFormed().trim()
}

/** The first `characters` UTF-16 units, one less rather than half a code point. */
export function cut(text: string, characters: number): string {
  if (text.length <= characters) return text
  const last = text.charCodeAt(characters - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? characters - 1 : characters)
}

/** Remembers whether anything had to be cut. One for each message. */
export class Bounds {
  exceeded = false

  text(text: string, characters: number = PARSER.headerCharacters): string {
    if (text.length > characters) this.exceeded = true
    return cut(text, characters)
  }

  list<T>(items: readonly T[], length: number): readonly T[] {
    if (items.length <= length) return items
    this.exceeded = true
    return items.slice(0, length)
  }
}
