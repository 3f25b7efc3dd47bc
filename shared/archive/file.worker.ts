import { parentPort } from 'node:worker_threads'
import { doSteps, type Failure, type Step } from './file-steps.ts'

// Entry of a thread that writes files. Whatever has come while it was at something is done abreast.

export interface Job {
  readonly id: number
  readonly steps: readonly Step[]
}

export interface Done {
  readonly id: number
  readonly failure: Failure | undefined
}

/** Done abreast: beyond so many, who came first waits for longer than it saves. */
const ABREAST = 16

const port = parentPort
if (!port) throw new Error('file.worker.ts runs as a worker thread only')
const jobs: Job[] = []

function work(): void {
  const batch = jobs.splice(0, ABREAST)
  const failures = doSteps(batch.map(({ steps }) => steps))
  port?.postMessage(batch.map(({ id }, index): Done => ({ id, failure: failures[index] })))
  if (jobs.length > 0) setImmediate(work)
}

port.on('message', (more: readonly Job[]) => {
  if (jobs.length === 0) setImmediate(work)
  jobs.push(...more)
})
