import type { Uid } from '../contract/ids.ts'
import { isUid } from './uid-set.ts'

// The data items of one FETCH response (RFC 9051, 7.5.2) without their octets: what a line says, and where a literal belongs.

/** A string, NIL, or a list of them. */
export type Item = string | null | readonly Item[]

export interface FetchRow {
  readonly uid: Uid
  /** By name in upper case; of one that comes twice the last. BODY[] is not among them. */
  readonly items: ReadonlyMap<string, Item>
  /** `literal`: the caller has read it. Undefined: the server said nothing of the octets. */
  readonly body: 'literal' | Buffer | null | undefined
}

export interface RowLimits {
  /** Strings and lists of one row. */
  readonly tokens: number
  readonly depth: number
}

const ROW = /^\* \d+ FETCH (?=\()/i
const BODY = 'BODY[]'
/** Space, a parenthesis, a quoted string, a section with its spaces, or an atom. */
const TOKEN = /( +)|([()])|"((?:[^"\\]|\\.)*)"|((?:BODY|BINARY)\[[^\]]*\](?:<\d+>)?|[^\s()"]+)/iy

/** Whether the first line of a response begins a FETCH response. */
export function isFetchRow(line: string): boolean {
  return ROW.test(line)
}

/** Takes the lines of one response, literals in between, and tells at the end what they say. Nothing is thrown: an odd row is no row. */
export class FetchRowReader {
  readonly #limits: RowLimits
  readonly #row: Item[] = []
  #lists: Item[][] = []
  #tokens = 0
  #odd = false
  #begun = false
  #body: FetchRow['body']

  constructor(limits: RowLimits) {
    this.#limits = limits
  }

  /** A line, without the `{n}` of the literal that follows it. */
  line(text: string): void {
    TOKEN.lastIndex = this.#begun ? 0 : (ROW.exec(text)?.[0].length ?? 0)
    this.#begun = true
    while (!this.#odd && TOKEN.lastIndex < text.length) {
      const [, space, parenthesis, quoted, atom] = TOKEN.exec(text) ?? []
      if (space !== undefined) continue
      if (++this.#tokens > this.#limits.tokens) this.#odd = true
      else if (parenthesis === '(') this.#open()
      else if (parenthesis === ')') this.#close()
      else if (quoted !== undefined) this.#add(quoted.replace(/\\(.)/g, '$1'), true)
      else if (atom !== undefined) this.#add(atom.toUpperCase() === 'NIL' ? null : atom, false)
      else this.#odd = true
    }
  }

  /** Whether the literal that follows is the message. Each other one is a string, and goes to `literal`. */
  get awaitsBody(): boolean {
    return !this.#odd && this.#lists.length === 1 && this.#name() === BODY && this.#body === undefined
  }

  bodyIsLiteral(): void {
    this.#body = 'literal'
    this.#row.push(null)
  }

  literal(octets: Buffer): void {
    if (++this.#tokens > this.#limits.tokens) this.#odd = true
    else this.#add(octets.toString('latin1'), true)
  }

  /** Undefined for what is no row, or one without a UID. */
  end(): FetchRow | undefined {
    if (this.#odd || this.#lists.length > 0) return undefined
    const items = new Map<string, Item>()
    for (let at = 0; at + 1 < this.#row.length; at += 2) {
      const name = this.#row[at]
      if (typeof name === 'string') items.set(name.toUpperCase(), this.#row[at + 1] as Item)
    }
    items.delete(BODY)
    const number = items.get('UID')
    const uid = typeof number === 'string' && /^\d{1,10}$/.test(number) ? Number(number) : undefined
    return isUid(uid) ? { uid, items, body: this.#body } : undefined
  }

  #open(): void {
    if (this.#lists.length === 0) {
      // Nothing may follow the list of a row.
      if (this.#row.length > 0) this.#odd = true
      this.#lists.push(this.#row)
    } else if (this.#lists.length >= this.#limits.depth) {
      this.#odd = true
    } else {
      const list: Item[] = []
      this.#lists.at(-1)?.push(list)
      this.#lists.push(list)
    }
  }

  #close(): void {
    if (this.#lists.pop() === undefined) this.#odd = true
  }

  #add(item: string | null, isString: boolean): void {
    const list = this.#lists.at(-1)
    if (!list) {
      this.#odd = true
      return
    }
    if (this.#lists.length === 1 && this.#name() === BODY && this.#body === undefined) {
      this.#body = item === null ? null : isString ? Buffer.from(item, 'latin1') : undefined
      list.push(null)
    } else list.push(item === null ? null : Buffer.from(item, 'latin1').toString())
  }

  /** The item whose value comes next; undefined when a name does. `<0>` is the origin of a section from its begin. */
  #name(): string | undefined {
    if (this.#row.length % 2 === 0) return undefined
    const name = this.#row.at(-1)
    return typeof name === 'string' ? name.toUpperCase().replace(/<0>$/, '') : undefined
  }
}

/** The strings of a list; of anything else none. */
export function stringsOf(item: Item | undefined): string[] {
  if (item === undefined || item === null || typeof item === 'string') return []
  return item.filter((inner) => typeof inner === 'string')
}
