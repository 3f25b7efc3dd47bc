import { Readable } from 'node:stream'
import type { OctetsToStore } from '../octets.ts'
import { octetsToStore } from './exact-octets.ts'

/**
 * Calls `send` with the octets as a request body: one buffer when they are in memory, else a new stream. Rejects with
 * ARCHIVE_UNAVAILABLE when they are not what they should be; the request is abandoned before its last octet then, so that nothing is stored.
 */
export async function withBody<T>(
  key: string,
  octets: OctetsToStore,
  send: (body: Buffer | Readable, abort: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (octets.buffer) return send(octets.buffer, undefined)
  const abort = new AbortController()
  const stream = Readable.from(octetsToStore(key, octets), { objectMode: false })
  let failure: unknown
  // The SDK pipes the body without looking at its errors: unseen, one would end the process.
  stream.on('error', (error) => {
    failure = error
    abort.abort()
  })
  try {
    return await send(stream, abort.signal)
  } catch (error) {
    throw failure ?? error
  } finally {
    stream.destroy()
  }
}
