import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { leafHash, MerkleTree, rootOf } from '../../shared/seal/merkle-tree.ts'

// The vectors of Certificate Transparency's own tests: eight leaves, the root over each first n of them, and inclusion proofs.
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
]
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const PATHS: readonly { index: number; size: number; path: readonly string[] }[] = [
  { index: 0, size: 1, path: [] },
  {
    index: 0,
    size: 8,
    path: [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  },
  {
    index: 5,
    size: 8,
    path: [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  },
  { index: 2, size: 3, path: ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'] },
]

const hashOf = (hex: string): Buffer => leafHash(Buffer.from(hex, 'hex'))
const treeOf = (size: number): MerkleTree => new MerkleTree(Buffer.concat(LEAVES.slice(0, size).map(hashOf)))

describe('the hash tree of RFC 9162', () => {
  for (const [size, root] of ROOTS.entries())
    test(`over ${size} leaves has the root of the vectors`, () => {
      assert.equal(treeOf(size).root.toString('hex'), root)
    })

  for (const { index, size, path } of PATHS)
    test(`leaf ${index} of ${size} has the inclusion proof of the vectors`, () => {
      assert.deepEqual(
        treeOf(size)
          .path(index)
          .map((hash) => hash.toString('hex')),
        path,
      )
      const hashes = path.map((hash) => Buffer.from(hash, 'hex'))
      assert.equal(rootOf(hashOf(LEAVES[index] as string), index, size, hashes)?.toString('hex'), ROOTS[size])
    })

  test('every leaf of every tree is proven, and nothing else is by the same proof', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70 }), fc.nat(), fc.nat(), (size, a, b) => {
        const leaves = Array.from({ length: size }, (_, n) => leafHash(Buffer.from(`leaf ${n}`)))
        const tree = new MerkleTree(Buffer.concat(leaves))
        const index = a % size
        const other = b % size
        const path = tree.path(index)
        const reached = (leaf: number, place: number, of = size, by = path) =>
          rootOf(leaves[leaf] as Buffer, place, of, by)?.equals(tree.root) ?? false

        assert.ok(reached(index, index))
        if (other !== index) {
          assert.ok(!reached(other, index))
          assert.ok(!reached(index, other))
        }
        if (path.length > 0) {
          assert.ok(!reached(index, index, size, path.slice(1)))
          assert.ok(!reached(index, index, size, path.slice(0, -1)))
        }
        assert.ok(!reached(index, index, size, [...path, tree.root]))
      }),
    )
  })

  test('a place outside the tree is refused', () => {
    assert.equal(rootOf(hashOf(''), 1, 1, []), undefined)
    assert.equal(rootOf(hashOf(''), -1, 1, []), undefined)
    assert.equal(rootOf(hashOf(''), 0.5, 1, []), undefined)
    assert.throws(() => treeOf(3).path(3), RangeError)
    assert.throws(() => new MerkleTree(Buffer.alloc(33)), RangeError)
  })
})
