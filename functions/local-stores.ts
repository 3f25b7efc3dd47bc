import { join, resolve } from 'node:path'
import type { Custody } from '../shared/archive/custody.ts'
import { openFileArchive } from '../shared/archive/file.ts'
import { openFileAudit } from '../shared/archive/file-audit.ts'
import { openFileCustody } from '../shared/archive/file-custody.ts'
import type { Config } from '../shared/contract/config.ts'
import { openFileDerived } from '../shared/derived/file.ts'
import { QUEUE } from '../shared/limits.ts'
import type { LocalQueues } from '../shared/queue/local.ts'
import { openFileState } from '../shared/state/file.ts'
import type { Stores } from './stores.ts'

/** Everything on this machine, under one folder. The queues are served from their first use on: who only reads the archive needs none. */
export function openLocalStores(config: Pick<Config, 'queues'>, folder: string): Stores {
  const root = resolve(folder)
  let opened: Promise<LocalQueues> | undefined
  const queues = (): Promise<LocalQueues> => {
    opened ??= import('../shared/queue/local.ts').then(({ openLocalQueues }) =>
      openLocalQueues({
        folder: join(root, 'queues'),
        queues: config.queues,
        listenAfterMs: QUEUE.localListenMs,
      }),
    )
    return opened
  }
  return {
    archive: openFileArchive(join(root, 'archive')),
    audit: openFileAudit(join(root, 'archive')),
    state: openFileState(join(root, 'state')),
    derived: openFileDerived(join(root, 'derived')),
    queues: {
      prepare: () => void queues().catch(() => undefined),
      send: async (queue, events) => (await queues()).send(queue, events),
      receive: async (queue, options) => (await queues()).receive(queue, options),
      check: async (queue) => (await queues()).check(queue),
    },
    async close() {
      await opened?.then(
        (served) => served.close(),
        () => undefined,
      )
    },
  }
}

/** What the records officer may do with the archive under that folder. */
export function openLocalCustody(folder: string): Custody {
  return openFileCustody(join(resolve(folder), 'archive'))
}
