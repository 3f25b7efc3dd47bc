import { readFileSync } from 'node:fs'

/** A tick of the clock that /proc counts in (USER_HZ). */
const TICK_MS = 10

/** User and system time of another process until now, by Linux; 0 for one that has not started. */
export function processorMs(processId: number): number {
  if (processId === 0) return 0
  const fields = readFileSync(`/proc/${processId}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}
