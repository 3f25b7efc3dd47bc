import type { DrainPorts } from '../../shared/drain/ports.ts'
import type { MailboxSession } from '../../shared/mailbox/mailbox.ts'

/** The process is gone: not an error that a drain may expect. */
export class Crash extends Error {
  override readonly name = 'Crash'
}

/** When the process dies: at the n-th call of a port, before the call reaches the world, or after it did and before its answer comes back. */
export interface CrashPoint {
  readonly call: number
  readonly moment: 'before' | 'after'
}

export interface CrashingPorts {
  readonly ports: DrainPorts
  /** Calls made until now. */
  readonly calls: () => number
  /** What was being called when it died. */
  readonly diedAt: () => string | undefined
}

/** Counts calls that leave the process, and ends the process at one of them. */
export interface Crasher {
  /** Calls made until now. */
  readonly calls: () => number
  /** What was being called when it died. */
  readonly diedAt: () => string | undefined
  guarded<T>(name: string, call: () => Promise<T>): Promise<T>
  /** The same object, its methods guarded; `free` ones are left alone, of `iterated` ones each step counts. */
  guard<T extends object>(name: string, target: T, free?: readonly string[], iterated?: readonly string[]): T
}

/**
 * From the point on no call reaches the world, and none is answered but by Crash. `pause` is awaited before and after each call, so that tests can
 * shuffle what runs at the same time.
 */
export function openCrasher(
  point: CrashPoint | undefined,
  pause: () => Promise<void> = async () => {},
): Crasher {
  let calls = 0
  let diedAt: string | undefined

  async function guarded<T>(name: string, call: () => Promise<T>): Promise<T> {
    if (diedAt !== undefined) throw new Crash(diedAt)
    const mine = ++calls === point?.call
    await pause()
    if (mine && point?.moment === 'before') diedAt = `before ${name}`
    if (diedAt !== undefined) throw new Crash(diedAt)
    const answer = await call()
    await pause()
    if (mine) diedAt ??= `after ${name}`
    if (diedAt !== undefined) throw new Crash(diedAt)
    return answer
  }

  async function* guardedIteration<T>(name: string, items: AsyncIterable<T>): AsyncGenerator<T> {
    const iterator = items[Symbol.asyncIterator]()
    while (true) {
      const next = await guarded(name, () => iterator.next())
      if (next.done) return
      yield next.value
    }
  }

  function guard<T extends object>(
    name: string,
    target: T,
    free: readonly string[] = [],
    iterated: readonly string[] = [],
  ): T {
    return new Proxy(target, {
      get(_, property) {
        const value = Reflect.get(target, property, target) as unknown
        if (typeof value !== 'function') return value
        const method = value.bind(target) as (...arguments_: unknown[]) => unknown
        const path = `${name}.${String(property)}`
        if (free.includes(String(property))) return method
        if (iterated.includes(String(property)))
          return (...arguments_: unknown[]) =>
            guardedIteration(path, method(...arguments_) as AsyncIterable<unknown>)
        return (...arguments_: unknown[]) => guarded(path, async () => method(...arguments_))
      },
    })
  }

  return { calls: () => calls, diedAt: () => diedAt, guarded, guard }
}

export function crashingPorts(
  ports: DrainPorts,
  point: CrashPoint | undefined,
  pause?: () => Promise<void>,
): CrashingPorts {
  const { calls, diedAt, guarded, guard } = openCrasher(point, pause)
  return {
    calls,
    diedAt,
    ports: {
      ...ports,
      archive: guard('archive', ports.archive, ['uri'], ['list']),
      audit: guard('audit', ports.audit),
      state: ports.state && guard('state', ports.state),
      derived: ports.derived && guard('derived', ports.derived, ['uri']),
      queues: guard('queues', ports.queues),
      openMailbox: () =>
        guarded('openMailbox', async () =>
          guard<MailboxSession>('session', await ports.openMailbox(), ['abort'], ['fetch']),
        ),
    },
  }
}
