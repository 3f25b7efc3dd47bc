import type { ObjectKey } from '../contract/ids.ts'
import type { Revision, StateEntry, StateStore } from './state.ts'

/** A state store that ends with the process: for tests and for trying a configuration without keeping anything. */
export function openMemoryState(): StateStore {
  const entries = new Map<ObjectKey, { readonly content: Buffer; readonly revision: Revision }>()
  let writes = 0
  const read = (key: ObjectKey): StateEntry | undefined => {
    const entry = entries.get(key)
    return entry && { content: Buffer.from(entry.content), revision: entry.revision }
  }
  return {
    read: async (key) => read(key),
    async readIfChanged(key, known) {
      const entry = read(key)
      return entry?.revision === known ? 'unchanged' : entry
    },
    async write(key, content, expected) {
      if (expected !== 'any' && entries.get(key)?.revision !== expected) return false
      writes++
      entries.set(key, { content: Buffer.from(content), revision: String(writes) as Revision })
      return true
    },
  }
}
