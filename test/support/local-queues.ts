import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { type LocalQueues, openLocalQueues } from '../../shared/queue/local.ts'

// Local queues in folders that go with the test.

export const LOCAL_QUEUES = { default: 'events', orders: 'events.fifo' }

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mailsluice-queues-'))
  after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export async function openQueues(folder: string): Promise<LocalQueues> {
  const queues = await openLocalQueues({ folder, queues: LOCAL_QUEUES })
  after(() => queues.close())
  return queues
}

/** Receives and removes what is there; the ids. */
export async function drained(queues: LocalQueues, queue = 'default'): Promise<string[]> {
  const ids: string[] = []
  while (true) {
    const events = await queues.receive(queue, { waitSeconds: 1, visibilitySeconds: 60 })
    if (events.length === 0) return ids
    for (const { body, remove } of events) {
      ids.push((JSON.parse(body) as { id: string }).id)
      await remove()
    }
  }
}
