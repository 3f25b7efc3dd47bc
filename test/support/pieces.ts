import fc from 'fast-check'

/** The octets cut before each of these offsets. */
export function cutAt(octets: Buffer, offsets: readonly number[]): Buffer[] {
  const cuts = [0, ...[...offsets].sort((a, b) => a - b), octets.length]
  return cuts.slice(1).map((end, index) => octets.subarray(cuts[index], end))
}

/** One octet at a time. */
export function singleOctets(octets: Buffer): Buffer[] {
  return Array.from(octets, (_, at) => octets.subarray(at, at + 1))
}

/** Every way to cut octets in two, and one octet at a time. */
export function* everyCut(octets: Buffer): Generator<Buffer[]> {
  for (let at = 0; at <= octets.length; at++) yield cutAt(octets, [at])
  yield singleOctets(octets)
}

/** As from a socket that gives so many octets at once. */
export async function* inPieces(octets: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += size) yield octets.subarray(at, at + size)
}

/** Octets, and offsets to cut them at. */
export function octetsInPieces(
  octets: fc.Arbitrary<Buffer>,
): fc.Arbitrary<readonly [Buffer, readonly number[]]> {
  return octets.chain((all) =>
    fc.tuple(fc.constant(all), fc.array(fc.nat({ max: all.length }), { maxLength: 12 })),
  )
}
