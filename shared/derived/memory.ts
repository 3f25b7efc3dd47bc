import { octetsToStore } from '../archive/exact-octets.ts'
import { assertLegalKey } from '../archive/legal-key.ts'
import type { ObjectKey } from '../contract/ids.ts'
import type { DerivedStore } from './derived.ts'

/** A derived store that ends with the process: for tests and for trying a configuration without keeping anything. */
export function openMemoryDerived(objects: Map<ObjectKey, Buffer> = new Map()): DerivedStore {
  return {
    bucket: undefined,
    uri: (key) => `memory:///${key}`,
    async put(key, body) {
      assertLegalKey(key)
      objects.set(key, Buffer.concat(await Array.fromAsync(octetsToStore(key, body))))
    },
  }
}
