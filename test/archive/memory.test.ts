import { openMemoryArchive } from '../../shared/archive/memory.ts'
import { archiveContract } from '../contract/archive.ts'

archiveContract('memory', async () => ({ archive: openMemoryArchive(), close: async () => {} }), {
  versions: 'one content for each key',
  locks: 'it ends with the process',
})
