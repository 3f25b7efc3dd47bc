import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { mailboxId } from '../../shared/contract/ids.ts'
import { CliFolder, mailboxOn, startCli } from '../support/cli.ts'
import { writeSyntheticArchive } from '../support/synthetic-archive.ts'

const PEAK = fileURLToPath(new URL('../support/peak-memory.mjs', import.meta.url))

/** `--messages N` of the command line. @default 100,000 */
export function messagesAsked(): number {
  const { values } = parseArgs({ options: { messages: { type: 'string', default: '100000' } } })
  const messages = Number(values.messages)
  assert.ok(Number.isInteger(messages) && messages > 0, `--messages ${values.messages}: expected a number`)
  return messages
}

/** An archive of files with many messages of 2 KB, of the mailbox `orders`, and the command line on it. Whoever opened it removes it. */
export interface LargeArchive {
  readonly path: string
  /**
   * Runs a command as a process of its own, which must succeed, and prints what it cost: processor time of all its threads, time on the clock, and the most memory it
   * had. Resolves to what it wrote.
   */
  measure(command: readonly string[]): Promise<string>
  remove(): void
}

/** Writes it, and says what that took. */
export async function openLargeArchive(messages: number): Promise<LargeArchive> {
  const folder = new CliFolder()
  // Also when the operator has seen enough.
  process.once('SIGINT', () => {
    folder.remove()
    process.exit(130)
  })
  const config = folder.config('bench.yaml', mailboxOn({ port: 1 }))
  console.log(`${messages} messages; processor time, time, peak memory; load ${loadavg()[0]?.toFixed(1)}`)
  const [startedMs, before] = [performance.now(), process.cpuUsage()]
  await writeSyntheticArchive(join(folder.path, 'bench', 'archive'), mailboxId('orders'), messages)
  const { user, system } = process.cpuUsage(before)
  print('writing the archive', ((user + system) / 1e6).toFixed(1), secondsSince(startedMs))
  return {
    path: folder.path,
    async measure(command) {
      const [peak, time] = [join(folder.path, 'peak'), join(folder.path, 'time')]
      const fromMs = performance.now()
      const { status, stdout, stderr } = await startCli(
        [...command, '--json', '--config', config, folder.local('bench')],
        { PEAK_MEMORY: peak, PROCESSOR_TIME: time, NODE_OPTIONS: `--import ${PEAK}` },
      ).ended
      assert.equal(status, 0, stderr)
      const words = command.map((word) => word.replace(folder.path, ''))
      print(words.join(' '), readFileSync(time, 'utf8'), secondsSince(fromMs), readFileSync(peak, 'utf8'))
      return stdout
    },
    remove: () => folder.remove(),
  }
}

function print(what: string, processorSeconds: string, seconds: string, peakMib?: string): void {
  const memory = peakMib === undefined ? '' : `${peakMib} MiB`.padStart(10)
  console.log(`${processorSeconds.padStart(8)} s ${seconds.padStart(8)} s ${memory.padStart(10)}  ${what}`)
}

function secondsSince(fromMs: number): string {
  return ((performance.now() - fromMs) / 1000).toFixed(1)
}
