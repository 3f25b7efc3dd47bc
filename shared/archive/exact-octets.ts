import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Sha256 } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import type { OctetsToStore } from '../octets.ts'

export interface Expected {
  readonly octets: number
  /** Undefined: only the length is known. */
  readonly sha256: Sha256 | undefined
}

/** Makes the error for octets that are not the ones expected. `ended early` may pass by itself, another content never does. */
type Complaint = (what: string, endedEarly: boolean) => IngestError

/**
 * Passes a source on while it is what it should be. The last chunk is held back until length and SHA-256 are right:
 * who reads to the end has read the right octets, and a writer that declared the length never sends a wrong whole.
 */
async function* exactly(
  source: AsyncIterable<Buffer>,
  expected: Expected,
  complain: Complaint,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let length = 0
  let last: Buffer | undefined
  for await (const chunk of source) {
    length += chunk.length
    if (length > expected.octets) throw complain(`more than the expected ${expected.octets} octets`, false)
    hash.update(chunk)
    if (last) yield last
    last = chunk
  }
  if (length < expected.octets) throw complain(`ended after ${length} of ${expected.octets} octets`, true)
  const found = hash.digest('hex')
  if (expected.sha256 !== undefined && found !== expected.sha256)
    throw complain(`SHA-256 ${found} instead of ${expected.sha256}`, false)
  if (last) yield last
}

/**
 * The octets to store, checked on the way. Fails with ARCHIVE_UNAVAILABLE when the source ends early, is another content
 * or cannot be read: nothing is stored then, and fetching the message again is the cure. Octets in memory are what was hashed, and are not
 * hashed again. One chunk is held back (above): what `open`
 * gives has to stay as it is until the next but one is asked for.
 */
export function octetsToStore(
  key: string,
  body: OctetsToStore,
  open: () => AsyncIterable<Buffer> = () => body.open(),
): AsyncGenerator<Buffer> {
  if (body.buffer) return inMemory(body.buffer)
  const fail = (what: string, cause?: unknown): IngestError =>
    new IngestError('ARCHIVE_UNAVAILABLE', `${key}: the octets to store are not whole: ${what}`, { cause })
  async function* source(): AsyncGenerator<Buffer> {
    try {
      yield* open()
    } catch (cause) {
      throw fail(cause instanceof Error ? cause.message : String(cause), cause)
    }
  }
  return exactly(source(), { octets: body.length, sha256: body.sha256 }, (what) => fail(what))
}

async function* inMemory(buffer: Buffer): AsyncGenerator<Buffer> {
  yield buffer
}

/**
 * A stored object's octets, checked on the way. The stream fails with ARCHIVE_CONFLICT when they are not what the archive
 * recorded, and with ARCHIVE_UNAVAILABLE when they end early. Destroying it closes the source.
 */
export function storedOctets(where: string, source: Readable, expected: Expected): Readable {
  const complain: Complaint = (what, endedEarly) =>
    new IngestError(endedEarly ? 'ARCHIVE_UNAVAILABLE' : 'ARCHIVE_CONFLICT', `${where}: ${what}`)
  return readable(exactly(unbroken(where, source), expected, complain), source)
}

/** A stored object's octets as they are. The stream fails with ARCHIVE_UNAVAILABLE when they break off. Destroying it closes the source. */
export function octetsAsStored(where: string, source: Readable): Readable {
  return readable(unbroken(where, source), source)
}

async function* unbroken(where: string, source: Readable): AsyncGenerator<Buffer> {
  try {
    yield* source
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new IngestError('ARCHIVE_UNAVAILABLE', `${where}: reading broke off: ${reason}`, { cause })
  } finally {
    source.destroy()
  }
}

function readable(octets: AsyncGenerator<Buffer>, source: Readable): Readable {
  const stream = Readable.from(octets, { objectMode: false })
  // A generator that was never started has no `finally` to run.
  stream.once('close', () => source.destroy())
  return stream
}
