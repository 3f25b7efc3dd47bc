import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mailboxId } from '../../shared/contract/ids.ts'
import { CliFolder, mailboxOn, startCli } from '../support/cli.ts'
import { writeSyntheticArchive } from '../support/synthetic-archive.ts'

const PEAK = fileURLToPath(new URL('../support/peak-memory.mjs', import.meta.url))

/** An archive of files with many messages of 2 KB, of the mailbox `orders`, and the command line on it. Whoever opened it removes it. */
export interface LargeArchive {
  readonly path: string
  /** Runs a command as a process of its own, which must succeed. Resolves to what it wrote, its time and the most memory it had. */
  measure(command: readonly string[]): Promise<{ readonly stdout: string; readonly cost: string }>
  remove(): void
}

/** Writes it, and says how long that took. */
export async function openLargeArchive(messages: number): Promise<LargeArchive> {
  const folder = new CliFolder()
  const config = folder.config('bench.yaml', mailboxOn({ port: 1 }))
  const startedMs = performance.now()
  await writeSyntheticArchive(join(folder.path, 'bench', 'archive'), mailboxId('orders'), messages)
  console.log(`${messages} messages written in ${seconds(startedMs)} s; load ${loadavg()[0]?.toFixed(1)}`)
  return {
    path: folder.path,
    async measure(command) {
      const peak = join(folder.path, 'peak')
      const fromMs = performance.now()
      const { status, stdout, stderr } = await startCli(
        [...command, '--json', '--config', config, folder.local('bench')],
        { PEAK_MEMORY: peak, NODE_OPTIONS: `--import ${PEAK}` },
      ).ended
      assert.equal(status, 0, stderr)
      return { stdout, cost: `${seconds(fromMs)} s, ${readFileSync(peak, 'utf8')} MiB` }
    },
    remove: () => folder.remove(),
  }
}

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1000).toFixed(1)
}
