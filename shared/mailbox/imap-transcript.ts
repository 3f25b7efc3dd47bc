import type { Logger } from 'imapflow'

/** What imapflow tells its logger, as far as it is used here. */
interface LogEntry {
  readonly src?: unknown
  readonly msg?: unknown
  readonly err?: unknown
}

/**
 * The logger given to imapflow. `onFailure` gets every error that imapflow logs: for some commands it resolves to `false` and
 * says only here what the server answered. `line` gets the conversation: imapflow masks credentials, and FETCH rows (they hold
 * subjects and bodies) are on its level `trace`, which is not taken.
 */
export function imapLogger(onFailure: (error: Error) => void, line: (line: string) => void): Logger {
  const failure = (entry: unknown): void => {
    const { err } = asEntry(entry)
    if (err instanceof Error) onFailure(err)
  }
  const silent = (): void => {}
  const logger = { info: silent, warn: failure, error: failure, fatal: failure }
  const conversation = (entry: unknown): void => {
    const { src, msg } = asEntry(entry)
    if ((src === 'c' || src === 's') && typeof msg === 'string') line(`${src === 'c' ? 'C' : 'S'}: ${msg}`)
  }
  return { ...logger, debug: conversation } as unknown as Logger
}

function asEntry(entry: unknown): LogEntry {
  return typeof entry === 'object' && entry !== null ? entry : {}
}
