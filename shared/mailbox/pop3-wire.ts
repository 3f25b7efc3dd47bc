import { IngestError } from '../errors.ts'

// POP3 without a socket (RFC 1939, 3): octets in, status lines and bodies out, wherever the network cuts them.
//
//   status line   "+OK" or "-ERR", text, CRLF
//   body          lines, each with CRLF; a line that begins with "." has one more "." before it; ends with ".CRLF" at a line's start
//
// A line of the body begins after CRLF alone: LF or CR by itself are octets of the message. The octets of a body are what is left when
// the extra dots and the end are taken out, its last CRLF included: POP3 cannot tell a message that ends in CRLF from one that does not.

const DOT = 0x2e
const CR = 0x0d
const LF = 0x0a

/** Where the next octet of a body stands. */
type Place = 'line-start' | 'within' | 'after-cr' | 'after-dot' | 'after-dot-cr'

const END_OF_BODY: unique symbol = Symbol('end of body')

export { END_OF_BODY }

export class Pop3Wire {
  readonly #lineOctets: number
  #rest: Buffer = Buffer.alloc(0)
  #place: Place = 'line-start'

  /** `lineOctets`: a status line may not be longer. */
  constructor(lineOctets: number) {
    this.#lineOctets = lineOctets
  }

  /** Octets that were received and not taken yet. */
  get buffered(): number {
    return this.#rest.length
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
  }

  /** The next status line without its line end; undefined when it is not there yet. Throws PROTOCOL_VIOLATION when it is too long. */
  line(): string | undefined {
    const end = this.#rest.indexOf(LF)
    if ((end < 0 ? this.#rest.length : end) > this.#lineOctets)
      throw new IngestError('PROTOCOL_VIOLATION', `a status line of more than ${this.#lineOctets} octets`)
    if (end < 0) return undefined
    const text = this.#rest.toString('latin1', 0, this.#rest[end - 1] === CR ? end - 1 : end)
    this.#rest = this.#rest.subarray(end + 1)
    return text
  }

  /** From now on what arrives is a body. */
  beginBody(): void {
    this.#place = 'line-start'
  }

  /** The next octets of the body, or its end; undefined when more has to be pushed first. */
  body(): Buffer | typeof END_OF_BODY | undefined {
    while (this.#rest.length > 0) {
      const octets = this.#rest
      switch (this.#place) {
        case 'within': {
          const stop = octets.indexOf('\r\n.')
          if (stop >= 0) {
            this.#place = 'after-dot'
            this.#rest = octets.subarray(stop + 3)
            return octets.subarray(0, stop + 2)
          }
          const last = octets[octets.length - 1]
          if (last === CR) this.#place = 'after-cr'
          else if (last === LF && octets[octets.length - 2] === CR) this.#place = 'line-start'
          this.#rest = octets.subarray(octets.length)
          return octets
        }
        case 'after-cr':
          if (octets[0] === LF) {
            this.#place = 'line-start'
            return this.#take(1)
          }
          this.#place = 'within'
          break
        case 'line-start':
          this.#place = 'within'
          if (octets[0] !== DOT) break
          this.#place = 'after-dot'
          this.#rest = octets.subarray(1)
          break
        case 'after-dot':
          this.#place = 'within'
          if (octets[0] !== CR) break
          this.#place = 'after-dot-cr'
          this.#rest = octets.subarray(1)
          break
        case 'after-dot-cr':
          if (octets[0] === LF) {
            this.#rest = octets.subarray(1)
            return END_OF_BODY
          }
          // The dot was an extra one after all, and this CR an octet of the message.
          this.#place = 'after-cr'
          return Buffer.of(CR)
      }
    }
    return undefined
  }

  #take(octets: number): Buffer {
    const taken = this.#rest.subarray(0, octets)
    this.#rest = this.#rest.subarray(octets)
    return taken
  }
}

export interface Status {
  readonly ok: boolean
  /** RESP-CODES (RFC 2449, 8): `IN-USE`, `SYS/TEMP` …, upper case; empty without one. */
  readonly code: string
  readonly text: string
}

/** Undefined for what is neither +OK nor -ERR. A server may write them in lower case. */
export function parseStatus(line: string): Status | undefined {
  const [, sign, code = '', text = ''] = /^(\+OK|-ERR)(?:\s+|$)(?:\[([^\]]*)\]\s*)?(.*)$/i.exec(line) ?? []
  return sign ? { ok: sign.startsWith('+'), code: code.toUpperCase(), text } : undefined
}

/** CAPA (RFC 2449): names in upper case with their arguments. */
export function parseCapabilities(body: string): Map<string, readonly string[]> {
  const capabilities = new Map<string, readonly string[]>()
  for (const line of linesOf(body)) {
    const [name, ...arguments_] = line.toUpperCase().split(/\s+/)
    if (name) capabilities.set(name, arguments_)
  }
  return capabilities
}

/** UIDL and LIST: message number and what follows it. Lines that are not rows are passed over. */
export function* parseRows(body: string): Generator<readonly [number: number, value: string]> {
  for (const line of linesOf(body)) {
    const [, number, value] = /^\s*(\d{1,10})\s+([\x21-\x7e]+)/.exec(line) ?? []
    if (number && value) yield [Number(number), value]
  }
}

/** One command line. Throws AUTHENTICATION_FAILED for an argument that would be more than one: all that come from outside are log-ins. */
export function commandLine(verb: string, ...arguments_: readonly string[]): string {
  if (arguments_.some((argument) => /[\r\n\0]/.test(argument)))
    throw new IngestError(
      'AUTHENTICATION_FAILED',
      `${verb}: the user name or password holds a line break or NUL`,
    )
  return `${[verb, ...arguments_].join(' ')}\r\n`
}

function* linesOf(body: string): Generator<string> {
  for (let from = 0; from < body.length; ) {
    const end = body.indexOf('\n', from)
    const to = end < 0 ? body.length : end
    yield body.slice(from, body[to - 1] === '\r' ? to - 1 : to)
    from = to + 1
  }
}
