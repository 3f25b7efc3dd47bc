import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Account, Command, Drainer } from './drainers.ts'

// One drain by a process of its own, in a folder of its own.

const PROXY = fileURLToPath(new URL('./delay-proxy.ts', import.meta.url))
/** getmail refuses to run as root; nobody does so then. */
const NOBODY = 65_534
/** What one drain may take before it is ended, and counts as none. */
const LONGEST_MS = 15 * 60_000
/** Files that are kept until the end take no more. */
const LARGE_OCTETS = 16 * 1024

export interface Took {
  /** Until it came to its end. */
  readonly seconds: number
  /** Of processors, by the process and those that it started; of the server nothing. */
  readonly processorSeconds: number
  readonly stdout: string
}

/** How long it took, or why it did not come to its end. */
export async function timed(drainer: Drainer, account: Account, messages: number): Promise<Took | string> {
  const folder = mkdtempSync(join(tmpdir(), 'mailsluice-bench-'))
  const asNobody = process.getuid?.() === 0 && drainer.kind === 'rival'
  try {
    const command = drainer.command(folder, account)
    if (asNobody) giveTo(folder)
    const startedMs = performance.now()
    const ended = await run(command, folder, asNobody)
    const seconds = (performance.now() - startedMs) / 1000
    if (typeof ended === 'string') return ended
    const kept = command.keeps === undefined ? messages : filesBelow(join(folder, command.keeps))
    if (kept !== messages) return `${kept} of ${messages} messages are there`
    const processorSeconds = processorSecondsIn(readFileSync(join(folder, TIMES), 'utf8'))
    return { seconds: rounded(seconds), processorSeconds: rounded(processorSeconds), stdout: ended.stdout }
  } finally {
    free(folder)
  }
}

const drained: string[] = []

/**
 * Gives back the room of large files, and brings the rest to the disk, before somebody else is measured. Nothing is deleted until the end: for a minute
 * or more ext4 looks at each inode that was freed before it takes another, and who made thousands of files next would pay for it.
 */
function free(folder: string): void {
  if (drained.push(folder) === 1)
    process.once('exit', () => {
      for (const path of drained) rmSync(path, { recursive: true, force: true })
    })
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && statSync(path).size > LARGE_OCTETS) truncateSync(path)
  }
  spawnSync('sync', ['-f', folder])
}

const rounded = (number: number): number => Math.round(number * 100) / 100

/** Where the shell writes what its children took. */
const TIMES = 'times'

/** The last line of `times` (POSIX, XCU 2.14): user and system time of the children, as `0m1.234s`. */
function processorSecondsIn(times: string): number {
  const [children = ''] = times.trim().split('\n').slice(-1)
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  )
}

function giveTo(folder: string): void {
  chownSync(folder, NOBODY, NOBODY)
  for (const entry of readdirSync(folder, { recursive: true }))
    chownSync(join(folder, `${entry}`), NOBODY, NOBODY)
}

/** Resolves to what was wrong, as text, or to what it printed. */
async function run(
  command: Command,
  folder: string,
  asNobody: boolean,
): Promise<string | { readonly stdout: string }> {
  // A shell waits for it, because the shell knows what its children took of the processor.
  const waiting = `"$@"; status=$?; times > ${TIMES}; exit $status`
  const child = spawn('sh', ['-c', waiting, 'sh', command.program, ...command.args], {
    cwd: folder,
    env: { ...process.env, HOME: folder, ...command.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    ...(asNobody && { uid: NOBODY, gid: NOBODY }),
  })
  const longest = setTimeout(() => process.kill(-(child.pid as number), 'SIGKILL'), LONGEST_MS)
  let stdout = ''
  child.stdout.on('data', (text) => {
    stdout += text
  })
  let said = ''
  child.stderr.on('data', (text) => {
    said = `${said}${text}`.slice(-500)
  })
  const [status, signal] = await once(child, 'close')
  clearTimeout(longest)
  return status === 0 ? { stdout } : `${signal ?? `status ${status}`}: ${said.trim()}`
}

function filesBelow(folder: string): number {
  if (!existsSync(folder)) return 0
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.startsWith('.'),
  ).length
}

/** A process that stands between, and the ports by which it is reached. */
export async function openProxy(
  ports: number[],
  roundTripMs: number,
): Promise<{ proxy?: ChildProcess; ports: number[] }> {
  if (roundTripMs === 0) return { ports }
  const proxy = spawn(process.execPath, [PROXY, String(roundTripMs), ...ports.map(String)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = await once(proxy.stdout, 'data')
  return { proxy, ports: JSON.parse(`${line}`) }
}
