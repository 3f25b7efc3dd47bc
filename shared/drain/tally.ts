import { IngestError } from '../errors.ts'
import { DRAIN } from '../limits.ts'
import { type MessageFailure, noCounts, type Stop } from './report.ts'

/** What a drain has done so far, and what has gone wrong: its report in the making. */
export class Tally {
  readonly counts = noCounts()
  readonly warnings: string[] = []
  readonly failures: MessageFailure[] = []
  /** Messages on the server. */
  listed = 0
  /** Messages fetched in this session. */
  arrived = 0
  /** Octets fetched. */
  octets = 0
  /** Messages still to be fetched. */
  remaining = 0
  stopped: Stop | undefined
  #error: IngestError | undefined

  /** The first failure: what follows it is mostly its consequence. */
  get error(): IngestError | undefined {
    return this.#error
  }

  fail(error: IngestError): void {
    this.#error ??= error
  }

  /** Of an error that takes nothing back. A defect is thrown. */
  warn(what: string, error: unknown): void {
    if (!(error instanceof IngestError)) throw error
    this.warnings.push(`${what}: ${error.message}`)
  }

  /** Keeps an expected error of the work as a failure; a defect passes through. */
  async expected(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof IngestError)) throw error
      this.fail(error)
    }
  }

  messageFailed(failure: MessageFailure): void {
    if (this.failures.length < DRAIN.failuresReported) this.failures.push(failure)
  }
}
