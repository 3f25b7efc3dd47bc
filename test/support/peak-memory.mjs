import { readFileSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

// Loaded before a program (`node --import`): when it ends, the most memory it ever had goes to the file that PEAK_MEMORY names, in MiB.
// JavaScript, for what makes it of TypeScript would be counted: 17 MiB.

const { PEAK_MEMORY: file } = process.env
if (isMainThread && file !== undefined)
  process.on('exit', () => writeFileSync(file, String(Math.ceil(peakKib() / 1024))))

/** Not getrusage: what that says begins with the memory of the process that started this one. */
function peakKib() {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
}
