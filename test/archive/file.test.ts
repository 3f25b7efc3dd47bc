import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFileArchive } from '../../shared/archive/file.ts'
import { archiveContract } from '../contract/archive.ts'

archiveContract(
  'files',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mailsluice-archive-'))
    return {
      archive: openFileArchive(join(folder, 'made', 'on', 'the way')),
      close: () => rm(folder, { recursive: true, force: true }),
    }
  },
  { versions: 'one content for each key', locks: 'files cannot be locked against their owner' },
)
