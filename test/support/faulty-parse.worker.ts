import '../../shared/parser/parse.worker.ts'
import { appendFileSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import type { Job } from '../../shared/parser/protocol.ts'

// The parser worker, which a message can make fail while it is parsed: its Subject says how, as if the parser had a defect. To the file that
// X-Tried names it adds an octet each time.

const FAULTS: Readonly<Record<string, () => void>> = {
  hang() {
    while (true);
  },
  'exhaust the heap'() {
    const hoard: number[][] = []
    while (true) hoard.push(Array.from({ length: 1000 }, (_, index) => index))
  },
  crash() {
    throw new Error('a defect that nobody caught')
  },
  exit() {
    process.exit(3)
  },
  'exit afterwards'() {
    void sleep(20).then(() => process.exit(3))
  },
}

// After the listener of the worker itself: the parse has begun, and is not answered.
parentPort?.on('message', (job: Job) => {
  const text = textOf(job)
  const tried = /^X-Tried: (.*)$/m.exec(text)?.[1]
  if (tried !== undefined) appendFileSync(tried, '.')
  const subject = /^Subject: (.*)$/m.exec(text)?.[1] ?? ''
  FAULTS[subject]?.()
})

function textOf(job: Job): string {
  return (job.octets ? Buffer.from(job.octets) : readFileSync(job.path)).toString('latin1')
}
