import { Worker } from 'node:worker_threads'
import { ARCHIVE } from '../limits.ts'
import { workerEnvironment } from '../worker-environment.ts'
import type { Done, Job } from './file.worker.ts'
import type { Failure, Step } from './file-steps.ts'

interface Waiting {
  resolve(failure: Failure | undefined): void
  reject(error: Error): void
}

interface Thread {
  readonly worker: Worker
  readonly waiting: Map<number, Waiting>
  /** Not handed over yet: what comes in one go goes there in one. */
  fresh: Job[]
  /** When it was last heard of, or began to have something to do. */
  heardMs: number
}

/**
 * Threads that write files: one at first, two when there is much to do, and more when the disk is so slow that these fall behind. They are the process's, and do not
 * keep it alive while they have nothing to do.
 */
class FileThreads {
  readonly #threads = new Set<Thread>()
  #nextId = 0

  /**
   * Resolves to what the first step failed with that did, undefined when all were done. Rejects when the thread ends by itself: what was done then is
   * uncertain.
   */
  run(steps: readonly Step[]): Promise<Failure | undefined> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      const thread = this.#choose()
      if (thread.waiting.size === 0) {
        thread.heardMs = performance.now()
        thread.worker.ref()
      }
      thread.waiting.set(id, { resolve, reject })
      if (thread.fresh.push({ id, steps }) === 1) setImmediate(() => post(thread))
    })
  }

  #choose(): Thread {
    let least: Thread | undefined
    for (const thread of this.#threads) if (!least || thread.waiting.size < least.waiting.size) least = thread
    return least && this.#threads.size >= threadsFor(least) ? least : this.#open()
  }

  #open(): Thread {
    const worker = new Worker(new URL('./file.worker.ts', import.meta.url), {
      env: workerEnvironment(),
      execArgv: [],
      name: 'mailsluice-files',
    })
    const thread: Thread = { worker, waiting: new Map(), fresh: [], heardMs: performance.now() }
    worker.on('message', (done: readonly Done[]) => {
      thread.heardMs = performance.now()
      for (const { id, failure } of done) {
        thread.waiting.get(id)?.resolve(failure)
        thread.waiting.delete(id)
      }
      if (thread.waiting.size === 0) worker.unref()
    })
    let cause: unknown
    worker.on('error', (error) => {
      cause = error
    })
    worker.on('exit', () => {
      this.#threads.delete(thread)
      const ended = new Error('a thread that writes files has ended', { cause })
      for (const { reject } of thread.waiting.values()) reject(ended)
    })
    this.#threads.add(thread)
    return thread
  }
}

/** How many there should be, by the one that has the least to do. */
function threadsFor({ waiting, heardMs }: Thread): number {
  if (waiting.size > 0 && performance.now() - heardMs > ARCHIVE.fileThreadBehindMs) return ARCHIVE.fileThreads
  // One waits for the disk, and the other makes use of the processor.
  return waiting.size >= ARCHIVE.fileThreadJobs ? 2 : 1
}

function post(thread: Thread): void {
  const jobs = thread.fresh
  thread.fresh = []
  thread.worker.postMessage(jobs)
}

const threads = new FileThreads()

/** Does the steps in a thread of the process; see `FileThreads.run`. */
export function runSteps(steps: readonly Step[]): Promise<Failure | undefined> {
  return threads.run(steps)
}
