/** One piece of a phrase or an address: an atom, an encoded word or a quoted string. */
export interface Word {
  readonly quoted: boolean
  /** As written, with its quotes. */
  readonly raw: string
  /** Without quotes and quoted pairs. */
  readonly text: string
  /** White space (or a comment) stood before it. */
  readonly spaced: boolean
}

export type ListEntry =
  | { readonly emptyGroup: string }
  | {
      readonly words: readonly Word[]
      readonly comment: string
      /** What stands between angle brackets; undefined without them. */
      readonly angle: string | undefined
      readonly group: string | undefined
    }

/** An encoded word is one piece, even with commas and brackets in it, which RFC 2047, 5 forbids and mailers write. */
const ENCODED_WORD = /=\?[^?\s]+\?[bq]\?[^?\s]*\?=/iy
const ATOM = /[^\s"(),:;<>[\]=]+|\[[^\][]*\]|[=[\]>]/y
const SPACE = /\s+/y

/** Splits an address list (RFC 5322, 3.4) into mailboxes and groups, in one pass. Semicolons also separate, as some mailers write. */
export function* lexAddressList(list: string): Generator<ListEntry> {
  let words: Word[] = []
  let comment = ''
  let angle: string | undefined
  let group: string | undefined
  let groupEmpty = true
  /** An at sign stands in `words`, outside of quotes. */
  let hasAt = false
  let spaced = false
  let at = 0

  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(list)?.[0]
    if (found !== undefined) at += found.length
    return found
  }
  const finish = (): ListEntry | undefined => {
    const entry = { words, comment, angle, group }
    // A comment alone stands for an address, as in `To: (undisclosed recipients)`, but in a group it is white space.
    const empty = words.length === 0 && angle === undefined && (!comment || group !== undefined)
    words = []
    comment = ''
    angle = undefined
    hasAt = false
    spaced = false
    if (empty) return undefined
    groupEmpty = false
    return entry
  }

  while (at < list.length) {
    const character = list[at] as string
    if (character === ',' || character === ';') {
      at++
      const entry = finish()
      if (entry) yield entry
      if (character === ';' && group !== undefined) {
        if (groupEmpty) yield { emptyGroup: group }
        group = undefined
      }
    } else if (
      character === ':' &&
      angle === undefined &&
      group === undefined &&
      words.length > 0 &&
      !hasAt
    ) {
      at++
      group = words.map((word, index) => (word.spaced && index > 0 ? ` ${word.text}` : word.text)).join('')
      groupEmpty = true
      words = []
      comment = ''
      spaced = false
    } else if (character === '"') {
      const end = endOfQuoted(list, at)
      const raw = list.slice(at, end)
      words.push({ quoted: true, raw, text: unquote(raw), spaced })
      spaced = false
      at = end
    } else if (character === '(') {
      const end = endOfComment(list, at)
      const text = list.slice(at + 1, end - 1).trim()
      comment = comment ? `${comment} ${text}` : text
      spaced = true
      at = end
    } else if (character === '<' && angle === undefined) {
      const end = endOfAngle(list, at)
      angle = list.slice(at + 1, list[end - 1] === '>' ? end - 1 : end)
      at = end
    } else if (take(SPACE) !== undefined) {
      spaced = true
    } else {
      const text = take(ENCODED_WORD) ?? take(ATOM) ?? (list[at++] as string)
      words.push({ quoted: false, raw: text, text, spaced })
      hasAt ||= text.includes('@')
      spaced = false
    }
  }
  const last = finish()
  if (last) yield last
  if (group !== undefined && groupEmpty) yield { emptyGroup: group }
}

/** Position after the closing quote; after the opening one when it never closes. */
function endOfQuoted(list: string, start: number): number {
  for (let at = start + 1; at < list.length; at++) {
    const character = list.charCodeAt(at)
    if (character === 0x5c) at++
    else if (character === 0x22) return at + 1
  }
  return list.length
}

function unquote(raw: string): string {
  const inner = raw.slice(1, raw.length > 1 && raw.endsWith('"') ? -1 : undefined)
  return inner.includes('\\') ? inner.replace(/\\([\s\S])/g, '$1') : inner
}

function endOfComment(list: string, start: number): number {
  let depth = 0
  for (let at = start; at < list.length; at++) {
    const character = list.charCodeAt(at)
    if (character === 0x5c) at++
    else if (character === 0x28) depth++
    else if (character === 0x29 && --depth === 0) return at + 1
  }
  return list.length
}

/** Position after the closing bracket, quoted strings passed over. One that never closes ends with the field. */
function endOfAngle(list: string, start: number): number {
  let quoted = false
  for (let at = start + 1; at < list.length; at++) {
    const character = list.charCodeAt(at)
    if (character === 0x5c) at++
    else if (character === 0x22) quoted = !quoted
    else if (character === 0x3e && !quoted) return at + 1
  }
  return list.length
}
