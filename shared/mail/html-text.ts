import { decodeEntities } from './html-entities.ts'

/** Their content is no text. An element that never closes takes the rest, as in a browser. */
const UNSEEN: ReadonlyMap<string, RegExp> = new Map(
  ['script', 'style', 'title', 'template', 'noframes', 'iframe', 'object', 'svg'].map((name) => [
    name,
    new RegExp(`</${name}`, 'gi'),
  ]),
)

/** They stand in a line; all other elements begin and end one. */
const INLINE = new Set(
  'a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp small span strike strong sub sup time tt u var wbr img o'.split(
    ' ',
  ),
)

const TAG_NAME = /[a-z][^\s/>]*/iy

/**
 * The text that a reader of the HTML would see, about, up to `characters` of it: elements in line joined, all others on
 * lines of their own. One pass that keeps no stack, so that nesting costs nothing and no input is slower than its length.
 */
export function htmlText(
  html: string,
  characters: number,
): {
  readonly text: string
  readonly truncated: boolean
  /** Where in the text an older message is quoted, as the mail programs in use mark it. */
  readonly quoteAt: number | undefined
} {
  const pieces: string[] = []
  let length = 0
  let spaced = true
  let at = 0
  let quoteAt: number | undefined

  const add = (text: string): void => {
    // White space in HTML is one space, so that a megabyte of it does not fill the room.
    const folded = text.replace(/[ \t\r\n\f]+/g, ' ')
    if (folded === '' || (folded === ' ' && spaced)) return
    pieces.push(folded)
    length += folded.length
    spaced = folded.endsWith(' ') || folded.endsWith('\n')
  }

  while (at < html.length && length <= characters) {
    const tag = nextTag(html, at)
    if (tag > at) {
      // Entities are at most 32 characters, so this much of a long run is enough.
      const run = html.slice(at, Math.min(tag, at + MOST_RUN))
      add(decodeEntities(run))
      at = tag - at > MOST_RUN ? at + run.length : tag
      continue
    }
    if (html.startsWith('<!--', at)) {
      // `<!-->` is a whole comment (HTML, 13.1.6).
      const end = html.indexOf('-->', at + 2)
      at = end < 0 ? html.length : end + 3
      continue
    }
    const closing = html[at + 1] === '/'
    TAG_NAME.lastIndex = at + (closing ? 2 : 1)
    const name = TAG_NAME.exec(html)?.[0].toLowerCase() ?? ''
    const tagAt = at
    at = endOfTag(html, at + 1)
    if (!closing && QUOTE.test(html.slice(tagAt, Math.min(at, tagAt + MOST_TAG)))) quoteAt ??= length
    if (!closing && UNSEEN.has(name)) {
      const end = endOfUnseen(html, name, at)
      at = end < 0 ? html.length : endOfTag(html, end + 1)
    } else if (name === 'td' || name === 'th') {
      add(' ')
    } else if (name && !INLINE.has(name)) {
      if (length > 0 && pieces.at(-1) !== '\n') {
        pieces.push('\n')
        length++
        spaced = true
      }
    }
  }
  return { text: pieces.join(''), truncated: at < html.length && hasTextAfter(html, at), quoteAt }
}

const MOST_RUN = 16 * 1024

/** Apple Mail, Gmail, Thunderbird, Yahoo, Proton, Outlook. */
const QUOTE =
  /\btype=["']?cite|\b(?:gmail_quote|moz-cite-prefix|yahoo_quoted|protonmail_quote|divRplyFwdMsg|appendonsend)\b/i
const MOST_TAG = 512

/** Where the end tag of an element begins whose content is passed over; -1 without one. */
function endOfUnseen(html: string, name: string, from: number): number {
  const tag = UNSEEN.get(name)
  if (!tag) return -1
  tag.lastIndex = from
  return tag.exec(html)?.index ?? -1
}

/** Whether something other than tags and white space follows; looks at the next few tags only, and then says yes. */
function hasTextAfter(html: string, start: number): boolean {
  let at = start
  for (let tags = 0; tags < 100 && at < html.length; tags++) {
    const tag = nextTag(html, at)
    if (/\S/.test(html.slice(at, tag))) return true
    if (tag === html.length) return false
    at = endOfTag(html, tag + 1)
  }
  return at < html.length
}

/** The next `<` that begins a tag, comment or declaration; other ones are text. */
function nextTag(html: string, from: number): number {
  for (let at = html.indexOf('<', from); at >= 0; at = html.indexOf('<', at + 1)) {
    const next = html.charCodeAt(at + 1) | 0x20
    if ((next >= 0x61 && next <= 0x7a) || next === 0x2f || html[at + 1] === '!' || html[at + 1] === '?')
      return at
  }
  return html.length
}

/** Position after the `>` of a tag; a `>` in a quoted attribute value is none. A quote that never closes is no quote. */
function endOfTag(html: string, from: number): number {
  let quote = ''
  for (let at = from; at < html.length; at++) {
    const character = html[at] as string
    if (quote) {
      if (character === quote) quote = ''
    } else if (character === '>') return at + 1
    else if ((character === '"' || character === "'") && html[at - 1] === '=') quote = character
  }
  if (!quote) return html.length
  const end = html.indexOf('>', from)
  return end < 0 ? html.length : end + 1
}
