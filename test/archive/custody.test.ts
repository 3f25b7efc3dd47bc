import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFileArchive } from '../../shared/archive/file.ts'
import { openFileAudit } from '../../shared/archive/file-audit.ts'
import { openFileCustody } from '../../shared/archive/file-custody.ts'
import { openMemoryCustody } from '../../shared/archive/memory-custody.ts'
import { custodyContract } from '../contract/custody.ts'
import { MemoryStore } from '../support/memory-store.ts'

custodyContract('memory', async () => {
  const { archive, audit, objects } = new MemoryStore()
  return { archive, audit, custody: openMemoryCustody(objects), close: async () => {} }
})

custodyContract('files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-custody-'))
  return {
    archive: openFileArchive(folder),
    audit: openFileAudit(folder),
    custody: openFileCustody(folder),
    close: () => rm(folder, { recursive: true, force: true }),
  }
})
