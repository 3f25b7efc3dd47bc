import type { ObjectKey } from '../../shared/contract/ids.ts'
import { openMemoryDerived } from '../../shared/derived/memory.ts'
import { derivedContract } from '../contract/derived.ts'

derivedContract('memory', async () => {
  const objects = new Map<ObjectKey, Buffer>()
  return {
    derived: openMemoryDerived(objects),
    read: async (key) => objects.get(key),
    close: async () => {},
  }
})
