import assert from 'node:assert/strict'
import { parseArgs } from 'node:util'
import { startImapServer } from '../support/imap-server.ts'
import { mailboxSettings, SECRET } from '../support/lambda-scene.ts'
import { bundleForTest, LambdaWorld } from '../support/lambda-world.ts'
import { openScriptedBuckets } from '../support/scripted-buckets.ts'
import { openProxy } from './measured-drain.ts'
import { processorMs } from './processor-time.ts'

// From the start of the drain function's process until one message is archived, announced and recorded, and the same in a process that has
// drained before: `node test/bench/cold-start.bench.ts`. S3, SQS and the server of the mailbox are on this machine, the last one at a distance.

const { values: options } = parseArgs({
  options: {
    'round-trips': { type: 'string', default: '0,80' },
    times: { type: 'string', default: '7' },
  },
})

interface Took {
  readonly ms: number
  readonly processorMs: number
}

function medianOf(all: readonly Took[]): string {
  const middle = (numbers: readonly number[]): number =>
    numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number
  const ms = all.map((each) => each.ms)
  return `${middle(ms).toFixed(0)} ms (${Math.min(...ms).toFixed(0)} to ${Math.max(...ms).toFixed(0)}), ${middle(all.map((each) => each.processorMs)).toFixed(0)} ms of a processor`
}

const s3 = await openScriptedBuckets()
const { bundles, remove } = await bundleForTest()
try {
  for (const roundTripMs of options['round-trips'].split(',').map(Number)) {
    const cold: Took[] = []
    const warm: Took[] = []
    for (let time = 0; time < Number(options.times); time++) {
      const imap = await startImapServer({ password: SECRET, messages: [] })
      const { proxy, ports } = await openProxy([imap.port], roundTripMs)
      const world = await LambdaWorld.open({ s3, bundles, parameters: { '/mailsluice/test': SECRET } })
      const id = `cold-${roundTripMs}-${time}`
      await world.apply([mailboxSettings(id, ports[0] as number)])
      const drains = world.functions['drain-mailbox']
      for (const took of [cold, warm]) {
        imap.append('INBOX', { raw: `Subject: ${id} ${took.length}\r\n\r\nHello ${took === cold}.\r\n` })
        await world.drainRequests.send(
          JSON.stringify({ v: 1, mailbox: id, reason: 'operator' }),
          id,
          `${id}-${took === cold}`,
        )
        const [startedMs, before] = [performance.now(), processorMs(drains.processId)]
        const delivery = await world.deliverDrain()
        took.push({
          ms: performance.now() - startedMs,
          processorMs: processorMs(drains.processId) - before,
        })
        assert.deepEqual(delivery?.left, [])
      }
      assert.deepEqual(
        world.drains.map(({ announced }) => announced),
        [1, 1],
        drains.lines.join('\n'),
      )
      await world.close()
      proxy?.kill()
      await imap.close()
    }
    console.log(`round trip ${roundTripMs} ms: in a new process ${medianOf(cold)}`)
    console.log(`round trip ${roundTripMs} ms: in one that has drained before ${medianOf(warm)}`)
  }
} finally {
  await s3.close()
  remove()
}
