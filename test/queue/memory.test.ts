import { openMemoryQueues } from '../../shared/queue/memory.ts'
import { queueContract } from '../contract/queue.ts'

queueContract('memory', async (queues) => ({ queues: openMemoryQueues({ queues }), close: async () => {} }), {
  'missing queues': 'every queue that is configured is there',
})
