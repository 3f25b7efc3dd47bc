import { open } from 'node:fs/promises'
import { parentPort } from 'node:worker_threads'
import { parseMessage } from '../mail/parse-message.ts'
import type { Answer, Job } from './protocol.ts'

// Entry of a parser worker: one message after the other. Hostile mail may hang it or exhaust its heap; the pool replaces it then.

/** One for all spool files: the buffers of a stream come to tens of megabytes before they are collected. */
const piece = Buffer.allocUnsafeSlow(256 * 1024)

class Unreadable extends Error {}

async function* spooled(path: string): AsyncGenerator<Buffer> {
  try {
    const file = await open(path)
    try {
      while (true) {
        const { bytesRead } = await file.read(piece, 0, piece.length)
        if (bytesRead === 0) return
        yield piece.subarray(0, bytesRead)
      }
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw new Unreadable(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

async function answer(job: Job): Promise<Answer> {
  const source = job.path === undefined ? Buffer.from(job.octets) : spooled(job.path)
  try {
    return { kind: 'parsed', id: job.id, parsed: await parseMessage(source, job.fields) }
  } catch (error) {
    // Caught although it is a defect: the message is archived and announced without what could not be read.
    if (error instanceof Unreadable) return { kind: 'unreadable', id: job.id, reason: error.message }
    return { kind: 'defect', id: job.id }
  }
}

const port = parentPort
if (!port) throw new Error('parse.worker.ts runs as a worker thread only')
const jobs: Job[] = []
let working = false

async function work(): Promise<void> {
  working = true
  for (let job = jobs.shift(); job; job = jobs.shift()) port?.postMessage(await answer(job))
  working = false
}

port.on('message', (job: Job) => {
  jobs.push(job)
  if (!working) void work()
})
port.postMessage({ kind: 'ready' } satisfies Answer)
