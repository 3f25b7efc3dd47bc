import { buffer } from 'node:stream/consumers'
import type { ObjectKey } from '../contract/ids.ts'
import type { IngestError } from '../errors.ts'
import type { Archive } from './archive.ts'

/** A small object as a whole. Rejects as `get` does, and with `tooLong` for one that has more than `most` octets. */
export async function readWhole(
  archive: Pick<Archive, 'get'>,
  key: ObjectKey,
  most: number,
  tooLong: (octets: number) => IngestError,
): Promise<Buffer> {
  const { body, facts } = await archive.get(key)
  if (facts.octets > most) {
    body.destroy()
    throw tooLong(facts.octets)
  }
  return buffer(body)
}
