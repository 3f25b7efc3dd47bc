import { createHash } from 'node:crypto'

// The hash tree of Certificate Transparency (RFC 9162, 2.1; the same as in RFC 6962): leaves and nodes are hashed with different prefixes, so that
// no node can be passed off as a leaf.

export const HASH_OCTETS = 32

const LEAF = Buffer.of(0)
const NODE = Buffer.of(1)

export function leafHash(data: Uint8Array): Buffer {
  return createHash('sha256').update(LEAF).update(data).digest()
}

/** A tree over leaves that are hashed already. It holds 64 octets for each. */
export class MerkleTree {
  readonly size: number
  /** Of each level its hashes one behind the other; the leaves first, the root last. */
  readonly #levels: readonly Buffer[]

  /** @param leaves hashes of HASH_OCTETS, one behind the other, in order; none is an empty tree */
  constructor(leaves: Buffer) {
    if (leaves.length % HASH_OCTETS !== 0)
      throw new RangeError(`${leaves.length} octets are no whole number of hashes`)
    this.size = leaves.length / HASH_OCTETS
    const levels = [leaves]
    for (let level = leaves; level.length > HASH_OCTETS; levels.push(level)) level = above(level)
    this.#levels = levels
  }

  get root(): Buffer {
    return this.size === 0 ? createHash('sha256').digest() : Buffer.from(this.#levels.at(-1) as Buffer)
  }

  /** The inclusion proof of a leaf, from it upwards (RFC 9162, 2.1.3.1). */
  path(index: number): Buffer[] {
    if (!Number.isInteger(index) || index < 0 || index >= this.size)
      throw new RangeError(`no leaf ${index} in a tree of ${this.size}`)
    const path: Buffer[] = []
    let at = index
    for (const level of this.#levels.slice(0, -1)) {
      const sibling = hashAt(level, at ^ 1)
      // The last of an odd number has none and moves up as it is.
      if (sibling.length > 0) path.push(Buffer.from(sibling))
      at >>>= 1
    }
    return path
  }
}

/**
 * The root that a leaf, its place and an inclusion proof lead to (RFC 9162, 2.1.3.2); undefined when the proof has not the length that the
 * place asks for.
 */
export function rootOf(
  leaf: Buffer,
  index: number,
  size: number,
  path: readonly Buffer[],
): Buffer | undefined {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size)
    return undefined
  let at = index
  let last = size - 1
  let hash = leaf
  for (const sibling of path) {
    if (last === 0) return undefined
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sibling, hash)
      while (at % 2 === 0 && at !== 0) {
        at /= 2
        last = Math.floor(last / 2)
      }
    } else hash = nodeHash(hash, sibling)
    at = Math.floor(at / 2)
    last = Math.floor(last / 2)
  }
  return last === 0 ? hash : undefined
}

function above(level: Buffer): Buffer {
  const count = level.length / HASH_OCTETS
  const next = Buffer.alloc(Math.ceil(count / 2) * HASH_OCTETS)
  for (let pair = 0; pair * 2 < count; pair++) {
    const left = hashAt(level, pair * 2)
    const right = hashAt(level, pair * 2 + 1)
    next.set(right.length > 0 ? nodeHash(left, right) : left, pair * HASH_OCTETS)
  }
  return next
}

function hashAt(level: Buffer, index: number): Buffer {
  return level.subarray(index * HASH_OCTETS, (index + 1) * HASH_OCTETS)
}

function nodeHash(left: Buffer, right: Buffer): Buffer {
  return createHash('sha256').update(NODE).update(left).update(right).digest()
}
