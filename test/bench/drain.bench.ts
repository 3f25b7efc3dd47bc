import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { available, startDovecot } from '../support/dovecot.ts'
import { type MailServer, removeFolder } from '../support/mail-server.ts'
import { barChart } from './bar-chart.ts'
import { type Account, type Command, DRAINERS, type Drainer } from './drainers.ts'
import { alternative, many, mixed } from './generated-mail.ts'

// Whole drains of one mailbox over TLS from Dovecot on this machine, each by a process of its own, in turn: A B C, A B C, … So that what the
// machine does besides hits all alike. What counts is the ratio to the raw client of the same round.

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '2000' },
    mail: { type: 'string', default: 'mixed' },
    'round-trips': { type: 'string', default: '0,20,80' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    record: { type: 'string' },
  },
})

const PROXY = fileURLToPath(new URL('./delay-proxy.ts', import.meta.url))
const USER = 'bench'
/** getmail refuses to run as root; nobody does so then. */
const NOBODY = 65_534
/** What one drain may take before it is ended, and counts as none. */
const LONGEST_MS = 15 * 60_000

interface Measured {
  readonly name: string
  readonly roundTripMs: number
  /** One for each round; undefined: it failed. */
  readonly seconds: readonly number[]
  /** Median of the rounds' ratios to the raw client: 2 is twice as long. */
  readonly toLimit: number
  readonly failed?: string
}

interface Recorded {
  readonly at: string
  readonly machine: string
  readonly mail: string
  readonly messages: number
  readonly octets: number
  readonly rounds: number
  readonly results: readonly Measured[]
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

/** Seconds until it came to its end, or why it did not. */
async function timed(drainer: Drainer, account: Account, messages: number): Promise<number | string> {
  const folder = mkdtempSync(join(tmpdir(), 'mailsluice-bench-'))
  const asNobody = process.getuid?.() === 0 && drainer.kind === 'rival'
  try {
    const command = drainer.command(folder, account)
    if (asNobody) giveTo(folder)
    const startedMs = performance.now()
    const ended = await run(command, folder, asNobody)
    const seconds = (performance.now() - startedMs) / 1000
    if (ended !== undefined) return ended
    const kept = command.keeps === undefined ? messages : filesBelow(join(folder, command.keeps))
    return kept === messages ? Math.round(seconds * 100) / 100 : `${kept} of ${messages} messages are there`
  } finally {
    await removeFolder(folder)
  }
}

function giveTo(folder: string): void {
  chownSync(folder, NOBODY, NOBODY)
  for (const entry of readdirSync(folder, { recursive: true }))
    chownSync(join(folder, `${entry}`), NOBODY, NOBODY)
}

/** Resolves to what was wrong. */
async function run(command: Command, folder: string, asNobody: boolean): Promise<string | undefined> {
  const child = spawn(command.program, command.args, {
    cwd: folder,
    env: { ...process.env, HOME: folder, ...command.environment },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LONGEST_MS,
    killSignal: 'SIGKILL',
    ...(asNobody && { uid: NOBODY, gid: NOBODY }),
  })
  let said = ''
  child.stderr?.on('data', (text) => {
    said = `${said}${text}`.slice(-500)
  })
  const [status, signal] = await once(child, 'close')
  return status === 0 ? undefined : `${signal ?? `status ${status}`}: ${said.trim()}`
}

function filesBelow(folder: string): number {
  if (!existsSync(folder)) return 0
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.startsWith('.'),
  ).length
}

/** A process that stands between, and the ports by which it is reached. */
async function openProxy(
  server: MailServer,
  roundTripMs: number,
): Promise<{ proxy?: ChildProcess; ports: number[] }> {
  const ports = [server.ports.imaps, server.ports.pop3s]
  if (roundTripMs === 0) return { ports }
  const proxy = spawn(process.execPath, [PROXY, String(roundTripMs), ...ports.map(String)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [line] = await once(proxy.stdout, 'data')
  return { proxy, ports: JSON.parse(`${line}`) }
}

async function measure(
  drainers: readonly Drainer[],
  server: MailServer,
  ca: string,
  messages: number,
): Promise<Measured[]> {
  const results: Measured[] = []
  for (const roundTripMs of options['round-trips'].split(',').map(Number)) {
    const { proxy, ports } = await openProxy(server, roundTripMs)
    const seconds = new Map(drainers.map((drainer) => [drainer, [] as number[]]))
    const ratios = new Map(drainers.map((drainer) => [drainer, [] as number[]]))
    const failed = new Map<Drainer, string>()
    for (let round = 0; round < Number(options.rounds); round++) {
      const limits = new Map<string, number>()
      for (const drainer of drainers) {
        if (failed.has(drainer) || (drainer.slow && roundTripMs > 0 && round > 0)) continue
        const port = ports[drainer.protocol === 'imap' ? 0 : 1] as number
        const took = await timed(drainer, { port, user: USER, password: server.password, ca }, messages)
        if (typeof took === 'string') {
          failed.set(drainer, took)
          continue
        }
        if (drainer.kind === 'limit') limits.set(drainer.protocol, took)
        seconds.get(drainer)?.push(took)
        ratios.get(drainer)?.push(took / (limits.get(drainer.protocol) ?? Number.NaN))
        console.log(
          `${String(roundTripMs).padStart(3)} ms  round ${round + 1}  ${drainer.name.padEnd(28)} ${took.toFixed(2)} s`,
        )
      }
    }
    for (const drainer of drainers)
      results.push({
        name: drainer.name,
        roundTripMs,
        seconds: seconds.get(drainer) ?? [],
        toLimit: Math.round(median(ratios.get(drainer) ?? []) * 100) / 100,
        ...(failed.has(drainer) && { failed: failed.get(drainer) as string }),
      })
    proxy?.kill()
  }
  return results
}

function report({ results, messages, octets, mail }: Recorded, before: Recorded | undefined): void {
  console.log(`\n${messages} messages (${mail}, ${(octets / 1e6).toFixed(0)} MB)`)
  for (const roundTripMs of new Set(results.map((result) => result.roundTripMs))) {
    console.log(
      `\nround trip ${roundTripMs} ms                 median s   fastest-slowest  messages/s  times the raw client  before`,
    )
    for (const { name, seconds, toLimit, failed } of results.filter(
      (result) => result.roundTripMs === roundTripMs,
    )) {
      const earlier = before?.results.find((one) => one.name === name && one.roundTripMs === roundTripMs)
      const spread = `${Math.min(...seconds).toFixed(2)}-${Math.max(...seconds).toFixed(2)}`
      console.log(
        failed === undefined
          ? `  ${name.padEnd(30)}${median(seconds).toFixed(2).padStart(8)}${spread.padStart(18)}${(messages / median(seconds)).toFixed(0).padStart(12)}${toLimit.toFixed(2).padStart(22)}${(earlier?.toLimit.toFixed(2) ?? '').padStart(8)}`
          : `  ${name.padEnd(30)}failed: ${failed}`,
      )
    }
  }
}

const reason = available()
if (reason !== undefined) {
  console.log(`drains are not measured: ${reason}`)
  process.exit()
}
const wanted = DRAINERS.filter(
  ({ name }) => options.only === undefined || options.only.split(',').some((part) => name.includes(part)),
)
const drainers = wanted.filter((drainer) => {
  const missing = drainer.missing()
  if (missing !== undefined) console.log(`${drainer.name} is not measured: ${missing}`)
  return missing === undefined
})
const letters = many(Number(options.messages), options.mail === 'small' ? alternative : mixed)
assert.ok(letters.length > 0, '--messages is a number')
const server = await startDovecot()
const folder = mkdtempSync(join(tmpdir(), 'mailsluice-bench-'))
chmodSync(folder, 0o755)
try {
  const ca = join(folder, 'ca.pem')
  writeFileSync(ca, server.ca)
  await server.put(USER, 'INBOX', letters)
  const recorded: Recorded = {
    at: new Date().toISOString(),
    machine: `${availableParallelism()} processors (${cpus()[0]?.model ?? 'unknown'}), Node ${process.versions.node}`,
    mail: options.mail,
    messages: letters.length,
    octets: letters.reduce((sum, { length }) => sum + length, 0),
    rounds: Number(options.rounds),
    results: await measure(drainers, server, ca, letters.length),
  }
  const file = options.record
  const before =
    file !== undefined && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Recorded) : undefined
  report(recorded, before)
  if (file !== undefined) {
    mkdirSync(join(file, '..'), { recursive: true })
    writeFileSync(file, `${JSON.stringify(recorded, undefined, 2)}\n`)
    writeFileSync(file.replace(/\.json$/, '.svg'), chartOf(recorded))
  }
} finally {
  await server.stop()
  await removeFolder(folder)
}

function chartOf({ results, messages, mail }: Recorded): string {
  return barChart({
    title: `${messages} messages (${mail}) drained, messages a second`,
    groups: [...new Set(results.map(({ roundTripMs }) => roundTripMs))].map((roundTripMs) => ({
      title: `round trip ${roundTripMs} ms`,
      bars: results
        .filter((result) => result.roundTripMs === roundTripMs && result.failed === undefined)
        .map(({ name, seconds }) => ({
          name,
          value: messages / median(seconds),
          own: name.startsWith('mailsluice'),
        })),
    })),
  })
}
