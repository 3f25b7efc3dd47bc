import { readFileSync, writeFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

// Loaded before a program (`node --import`): when it ends, the most memory it ever had goes to the file that PEAK_MEMORY names, in MiB, and the processor time of
// all its threads to the one that PROCESSOR_TIME names, in seconds. JavaScript, for what makes it of TypeScript would be counted: 17 MiB.

const { PEAK_MEMORY: memory, PROCESSOR_TIME: time } = process.env
if (isMainThread && memory !== undefined)
  process.on('exit', () => writeFileSync(memory, String(Math.ceil(peakKib() / 1024))))
if (isMainThread && time !== undefined)
  process.on('exit', () => {
    const { user, system } = process.cpuUsage()
    writeFileSync(time, ((user + system) / 1e6).toFixed(1))
  })

/** Not getrusage: what that says begins with the memory of the process that started this one. */
function peakKib() {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
}
