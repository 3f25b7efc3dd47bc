import { availableParallelism } from 'node:os'
import { IngestError } from '../errors.ts'
import { PARSER } from '../limits.ts'
import type { ParsedMessage } from '../mail/parsed-message.ts'
import type { Octets } from '../octets.ts'
import { readHeaderOnly } from './header-fallback.ts'
import type { Parser } from './parser.ts'
import { type Ending, PoolWorker, type WorkerLimits } from './pool-worker.ts'
import type { Answer } from './protocol.ts'

export interface WorkerParserOptions {
  /** Threads at most; default 1 on up to two processors, else half of them, 2 to 4. Each is started when it is first needed. */
  readonly workers?: number
  /** Where the worker's code is; in a bundle it is a file of its own. */
  readonly workerUrl?: URL
  readonly limits?: Partial<WorkerLimits>
}

interface Task {
  readonly id: number
  readonly octets: Octets
  readonly fields: readonly string[]
  /** A worker ended over it before. */
  suspected: boolean
  resolve(parsed: ParsedMessage | Promise<ParsedMessage>): void
  reject(error: unknown): void
}

interface Seat {
  readonly worker: PoolWorker
  /** Given to the worker and not answered, oldest first. */
  readonly tasks: Map<number, Task>
  octets: number
}

/**
 * Parses in worker threads (parser port). A message that hangs a worker, exhausts its heap or meets a defect resolves as
 * `failed` with what its header says; the worker is replaced and the other messages go on.
 * Rejects with SPOOL_FAILED when a spool file cannot be read, and with what is wrong when workers cannot be started at all.
 * The octets are only read; the caller keeps and discards them. Idle workers do not keep the process alive.
 */
export function openWorkerParser(options: WorkerParserOptions = {}): Parser {
  return new WorkerPool(options)
}

class WorkerPool implements Parser {
  readonly #most: number
  readonly #url: URL
  readonly #limits: WorkerLimits
  readonly #seats = new Set<Seat>()
  readonly #waiting: Task[] = []
  #nextId = 0
  #closed = false

  constructor(options: WorkerParserOptions) {
    this.#most = options.workers ?? defaultWorkers(availableParallelism())
    this.#url = options.workerUrl ?? new URL('./parse.worker.ts', import.meta.url)
    this.#limits = { messageMs: PARSER.messageMs, heapMib: PARSER.heapMib, ...options.limits }
  }

  parse(octets: Octets, fields: readonly string[] = []): Promise<ParsedMessage> {
    if (this.#closed) return Promise.reject(new Error('the parser is closed'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id: this.#nextId++, octets, suspected: false, fields, resolve, reject })
      this.#assign()
    })
  }

  prepare(): void {
    if (!this.#closed && this.#seats.size === 0) this.#open()
  }

  async close(): Promise<void> {
    this.#closed = true
    const seats = [...this.#seats]
    this.#seats.clear()
    for (const task of [...seats.flatMap((seat) => [...seat.tasks.values()]), ...this.#waiting.splice(0)])
      task.reject(new Error('the parser was closed during a parse'))
    await Promise.all(seats.map((seat) => seat.worker.close()))
  }

  #assign(): void {
    while (this.#waiting.length > 0) {
      const seat = this.#freeSeat()
      if (!seat) return
      const task = this.#waiting.shift() as Task
      seat.tasks.set(task.id, task)
      seat.octets += task.octets.length
      seat.worker.post(task.id, task.octets, task.fields)
    }
  }

  /** An idle worker, else a new one, else the one with the least to do if its pipeline has room. */
  #freeSeat(): Seat | undefined {
    let least: Seat | undefined
    for (const seat of this.#seats)
      if (!least || seat.octets < least.octets || seat.tasks.size === 0) least = seat
    if (least?.tasks.size === 0) return least
    if (this.#seats.size < this.#most) return this.#open()
    const room = least && least.tasks.size < PARSER.pipelineMessages && least.octets < PARSER.pipelineOctets
    return room ? least : undefined
  }

  #open(): Seat {
    const seat: Seat = {
      tasks: new Map(),
      octets: 0,
      worker: new PoolWorker(this.#url, this.#limits, {
        answer: (answer) => this.#answered(seat, answer),
        ended: (ending) => this.#ended(seat, ending),
      }),
    }
    this.#seats.add(seat)
    return seat
  }

  #answered(seat: Seat, answer: Exclude<Answer, { kind: 'ready' }>): void {
    const task = this.#release(seat, answer.id)
    if (answer.kind === 'parsed') task?.resolve(answer.parsed)
    else if (answer.kind === 'defect')
      task?.resolve(readHeaderOnly(task.octets, 'PARSER_FAILED', task.fields))
    else task?.reject(new IngestError('SPOOL_FAILED', `cannot read a spooled message back: ${answer.reason}`))
    this.#assign()
  }

  #ended(seat: Seat, ending: Ending): void {
    this.#seats.delete(seat)
    const [suspect, ...others] = [...seat.tasks.values()]
    if (ending instanceof Error) {
      // No message can be blamed, and the next worker would not start either.
      for (const task of seat.tasks.values()) task.reject(ending)
    } else if (suspect && (ending === 'TIMED_OUT' || suspect.suspected)) {
      this.#waiting.unshift(...others)
      suspect.resolve(readHeaderOnly(suspect.octets, ending, suspect.fields))
    } else {
      // A message before it may have left something behind that ended the worker late: a new one tells.
      if (suspect) suspect.suspected = true
      this.#waiting.unshift(...seat.tasks.values())
    }
    this.#assign()
  }

  #release(seat: Seat, id: number): Task | undefined {
    const task = seat.tasks.get(id)
    seat.tasks.delete(id)
    seat.octets -= task?.octets.length ?? 0
    return task
  }
}

/** A parser beside the drain on small machines; half the processors on others. */
export function defaultWorkers(processors: number): number {
  return processors <= 2 ? 1 : Math.min(4, Math.max(2, Math.floor(processors / 2)))
}
