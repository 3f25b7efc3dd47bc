import { createReadStream, readFileSync } from 'node:fs'
import { DRAIN } from '../../shared/limits.ts'
import type { ParsedMessage } from '../../shared/mail/parsed-message.ts'
import { openSpool } from '../../shared/octets.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import type { ParsedAlone } from './parse-alone.ts'

// The program behind parse-alone.ts: takes each file to memory or to the spool, as a drain does, and has it parsed. The parser
// is left open on purpose: an idle one must not keep the process alive.

const spool = openSpool()
const parser = openWorkerParser()
const parsed: ParsedMessage[] = []
const spooled: boolean[] = []
for (const path of process.argv.slice(2)) {
  const octets = await spool.collect(createReadStream(path), DRAIN.memoryMessageOctets)
  spooled.push(octets.path !== undefined)
  parsed.push(await parser.parse(octets))
  await octets.discard()
}
await spool.close()
// Not getrusage: what that says begins with the memory of the process that started this one.
const [, peakKib] = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
const told: ParsedAlone = { parsed, spooled, maxRssMib: Math.round(Number(peakKib) / 1024) }
process.stdout.write(JSON.stringify(told))
