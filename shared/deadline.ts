import { IngestError } from './errors.ts'

/** A point in time that work must not pass. Monotonic, so that a corrected wall clock neither ends nor prolongs it. */
export interface Deadline {
  /** Milliseconds left; 0 when passed; Infinity for `never`. */
  remainingMs(): number
  passed(): boolean
}

export function deadlineIn(milliseconds: number): Deadline {
  const at = performance.now() + milliseconds
  return {
    remainingMs: () => Math.max(0, at - performance.now()),
    passed: () => performance.now() >= at,
  }
}

/** The earlier of two deadlines. */
export function earlier(a: Deadline, b: Deadline): Deadline {
  return {
    remainingMs: () => Math.min(a.remainingMs(), b.remainingMs()),
    passed: () => a.passed() || b.passed(),
  }
}

export const never: Deadline = { remainingMs: () => Infinity, passed: () => false }

/** setTimeout fires at once beyond it: 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Settles as `work` does, or rejects with TIMED_OUT when `milliseconds` have passed. It does not stop the work:
 * the caller closes the connection or kills the worker that does it.
 */
export async function within<T>(milliseconds: number, what: string, work: Promise<T>): Promise<T> {
  if (milliseconds > LONGEST_TIMER_MS) return work
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new IngestError('TIMED_OUT', `${what} took longer than ${Math.round(milliseconds)} ms`)),
      milliseconds,
    )
  })
  try {
    return await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}
