import type { Deadline } from '../deadline.ts'
import { AUTHENTICATION } from '../limits.ts'

/** This message cannot be verified within the limits; `message` says why. */
export class Unverifiable extends Error {
  override readonly name = 'Unverifiable'
}

/** A message, of which the header section is known and the rest comes. */
export interface OpenedMessage {
  readonly header: Buffer
  /** The whole of it, to be read once. Throws an Unverifiable where the limits are passed. */
  octets(): AsyncGenerator<Buffer>
}

/**
 * Reads the header section (RFC 5322, 2.1) of a message. Rejects with an Unverifiable for one that is longer than it may be: what verifies it
 * takes time by the square of its lines.
 */
export async function openMessage(body: AsyncIterable<Buffer>, deadline: Deadline): Promise<OpenedMessage> {
  const source = body[Symbol.asyncIterator]()
  let start = Buffer.alloc(0)
  let end = -1
  let ended = false
  while (end < 0 && !ended && start.length <= AUTHENTICATION.headerOctets) {
    const { value, done } = await source.next()
    if (done) {
      ended = true
      continue
    }
    const known = start.length
    start = Buffer.concat([start, value])
    end = endOfHeader(start, Math.max(0, known - 3))
  }
  const header = start.subarray(0, end < 0 ? start.length : end)
  if (header.length > AUTHENTICATION.headerOctets) throw new Unverifiable('its header section is too long')
  if (linesOf(header) > AUTHENTICATION.headerLines)
    throw new Unverifiable('its header section has too many lines')
  return {
    header,
    async *octets() {
      const line = new LineWatch()
      line.watch(start)
      yield start
      while (!ended) {
        if (deadline.passed()) throw new Unverifiable('it takes too long')
        const { value, done } = await source.next()
        if (done) return
        line.watch(value)
        yield value
      }
    },
  }
}

/** Position after the first empty line that ends behind `from`; -1 when there is none yet. */
function endOfHeader(octets: Buffer, from: number): number {
  if (octets[0] === 0x0a) return 1
  if (octets[0] === 0x0d && octets[1] === 0x0a) return 2
  for (let at = octets.indexOf(0x0a, from); at >= 0; at = octets.indexOf(0x0a, at + 1)) {
    if (octets[at + 1] === 0x0a) return at + 2
    if (octets[at + 1] === 0x0d && octets[at + 2] === 0x0a) return at + 3
  }
  return -1
}

function linesOf(octets: Buffer): number {
  let lines = 0
  for (let at = octets.indexOf(0x0a); at >= 0; at = octets.indexOf(0x0a, at + 1)) lines++
  return lines
}

/** A line without end would be kept whole, and be read from its start with every further piece. */
class LineWatch {
  #octets = 0

  watch(piece: Buffer): void {
    let from = 0
    for (let end = piece.indexOf(0x0a); end >= 0; end = piece.indexOf(0x0a, from)) {
      this.#add(end - from)
      this.#octets = 0
      from = end + 1
    }
    this.#add(piece.length - from)
  }

  #add(octets: number): void {
    this.#octets += octets
    if (this.#octets > AUTHENTICATION.lineOctets) throw new Unverifiable('it has a line that is too long')
  }
}
