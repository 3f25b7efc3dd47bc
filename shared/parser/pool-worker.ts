import { Worker } from 'node:worker_threads'
import { PARSER } from '../limits.ts'
import { sharedView } from '../octet-arena.ts'
import type { Octets } from '../octets.ts'
import { workerEnvironment } from '../worker-environment.ts'
import { OctetRing } from './octet-ring.ts'
import type { Answer, Job } from './protocol.ts'

export interface WorkerLimits {
  /** Wall clock for one message, and for the start of the worker. */
  readonly messageMs: number
  readonly heapMib: number
}

/** Why a worker ended: what was to be done was too much (`TIMED_OUT`, `OUT_OF_MEMORY`), it crashed, or it never came up. */
export type Ending = 'TIMED_OUT' | 'OUT_OF_MEMORY' | 'PARSER_FAILED' | Error

export interface WorkerEvents {
  answer(answer: Exclude<Answer, { kind: 'ready' }>): void
  /** Called once, also when it was closed; the thread is gone or going. The oldest unanswered job is the one that it was at. */
  ended(ending: Ending): void
}

/**
 * One worker thread, without environment and with a bounded heap. It works on its jobs in order; when one takes longer than
 * the limit the thread is ended. While it has no jobs it does not keep the process alive.
 */
export class PoolWorker {
  readonly #thread: Worker
  readonly #limits: WorkerLimits
  readonly #events: WorkerEvents
  readonly #ring = new OctetRing(PARSER.pipelineOctets)
  /** Jobs whose octets are in the ring. */
  readonly #inRing = new Set<number>()
  #timer: NodeJS.Timeout | undefined
  #ready = false
  #open = true
  #unanswered = 0
  /** Answers received, `ready` too. */
  #heard = 0
  #error: Error | undefined

  constructor(url: URL, limits: WorkerLimits, events: WorkerEvents) {
    this.#limits = limits
    this.#events = events
    this.#thread = new Worker(url, {
      env: workerEnvironment(),
      execArgv: [],
      name: 'mailsluice-parser',
      resourceLimits: {
        maxOldGenerationSizeMb: limits.heapMib,
        maxYoungGenerationSizeMb: Math.ceil(limits.heapMib / 4),
      },
    })
    this.#thread.on('message', (answer: Answer) => this.#received(answer))
    // An error overtakes answers that were sent before it; the exit does not, so that none of them is lost.
    this.#thread.on('error', (error: Error) => {
      this.#error = error
    })
    this.#thread.on('exit', (status) => this.#end(this.#endingOf(status)))
    this.#startClock()
  }

  /** The number of jobs without answer. */
  get unanswered(): number {
    return this.#unanswered
  }

  /** Octets that other threads can see are read where they lie, others copied, for the caller goes on using them. */
  post(id: number, { buffer, path }: Pick<Octets, 'buffer' | 'path'>, fields: readonly string[]): void {
    this.#unanswered++
    if (this.#unanswered === 1) {
      this.#thread.ref()
      if (this.#ready) this.#startClock()
    }
    if (!buffer) {
      this.#thread.postMessage({ id, fields, path: path as string } satisfies Job)
      return
    }
    const shared = sharedView(buffer)
    if (shared) {
      this.#thread.postMessage({ id, fields, octets: shared } satisfies Job)
      return
    }
    const lent = this.#ring.lend(buffer)
    if (lent) this.#inRing.add(id)
    const octets = lent ?? new Uint8Array(buffer)
    this.#thread.postMessage({ id, fields, octets } satisfies Job, lent ? [] : [octets.buffer as ArrayBuffer])
  }

  async close(): Promise<void> {
    this.#open = false
    clearTimeout(this.#timer)
    await this.#thread.terminate()
  }

  #received(answer: Answer): void {
    if (!this.#open) return
    this.#heard++
    if (answer.kind === 'ready') this.#ready = true
    else {
      this.#unanswered--
      if (this.#inRing.delete(answer.id)) this.#ring.takeBack()
    }
    if (this.#unanswered > 0) this.#startClock()
    else {
      clearTimeout(this.#timer)
      this.#thread.unref()
    }
    if (answer.kind !== 'ready') this.#events.answer(answer)
  }

  /** The clock of the oldest unanswered job, or of the start. */
  #startClock(): void {
    clearTimeout(this.#timer)
    const heard = this.#heard
    this.#timer = setTimeout(() => setImmediate(() => this.#overdue(heard)), this.#limits.messageMs)
  }

  /** Looks again when what has arrived was received: this thread may have been the one that stood still. */
  #overdue(heard: number): void {
    if (heard !== this.#heard) return
    const { messageMs } = this.#limits
    this.#end(this.#ready ? 'TIMED_OUT' : new Error(`the parser worker was not ready after ${messageMs} ms`))
  }

  #endingOf(status: number): Ending {
    const error = this.#error
    if (!this.#ready)
      return error ?? new Error(`the parser worker ended before it was ready, status ${status}`)
    return error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
      ? 'OUT_OF_MEMORY'
      : 'PARSER_FAILED'
  }

  #end(ending: Ending): void {
    if (!this.#open) return
    this.#open = false
    clearTimeout(this.#timer)
    // A thread that hangs in its own code is stopped by this all the same; nothing waits for it.
    void this.#thread.terminate()
    this.#events.ended(ending)
  }
}
