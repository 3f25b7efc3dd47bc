import { join, resolve } from 'node:path'
import { openFileArchive } from '../shared/archive/file.ts'
import type { Config } from '../shared/contract/config.ts'
import { openLocalQueues } from '../shared/queue/local.ts'
import { openFileState } from '../shared/state/file.ts'
import type { Stores } from './compose.ts'

/** Everything on this machine, under one folder. */
export async function openLocalStores(config: Pick<Config, 'queues'>, folder: string): Promise<Stores> {
  const root = resolve(folder)
  const queues = await openLocalQueues({ folder: join(root, 'queues'), queues: config.queues })
  return {
    archive: openFileArchive(join(root, 'archive')),
    state: openFileState(join(root, 'state')),
    queues,
    close: () => queues.close(),
  }
}
