import { parentPort } from 'node:worker_threads'
import { parseMessage } from '../mail/parse-message.ts'
import { piecesOf } from '../octets.ts'
import type { Answer, Job } from './protocol.ts'

// Entry of a parser worker: one message after the other. Hostile mail may hang it or exhaust its heap; the pool replaces it then.

class Unreadable extends Error {}

async function* spooled(path: string): AsyncGenerator<Buffer> {
  try {
    yield* piecesOf({ buffer: undefined, path })
  } catch (cause) {
    throw new Unreadable(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

async function answer(job: Job): Promise<Answer> {
  const source = job.path === undefined ? bufferOf(job.octets) : spooled(job.path)
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
