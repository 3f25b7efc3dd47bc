import { setTimeout as sleep } from 'node:timers/promises'
import { openLocalQueues } from '../../shared/queue/local.ts'

// A process that sends to the local queues of a folder until it is killed: `node queue-sender.ts FOLDER NAME`. It says `ready` when it has them, and then
// the id of each event that was sent.

const [folder = '', name = ''] = process.argv.slice(2)
const queues = await openLocalQueues({ folder, queues: { default: 'events', orders: 'events.fifo' } })
console.log('ready')
for (let number = 1; ; number++) {
  // Who reads them takes longer than who sends them.
  await sleep(5)
  for (const queue of ['default', 'orders']) {
    const id = `${name}-${number}`
    const [result] = await queues.send(queue, [{ id, group: name, body: JSON.stringify({ id }) }])
    if (result?.sent) process.stdout.write(`${queue} ${id}\n`)
  }
}
