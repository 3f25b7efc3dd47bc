import { openMemoryArchive } from '../../shared/archive/memory.ts'
import { archiveContract } from '../contract/archive.ts'
import { auditContract } from '../contract/audit.ts'
import { MemoryStore } from '../support/memory-store.ts'

archiveContract('memory', async () => ({ archive: openMemoryArchive(), close: async () => {} }), {
  deletion: 'nothing deletes from it',
})

auditContract(
  'memory',
  async () => {
    const store = new MemoryStore()
    return { ...store, bypass: store, close: async () => {} }
  },
  undefined,
)
