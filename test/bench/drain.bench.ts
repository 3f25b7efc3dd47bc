import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { available, startDovecot } from '../support/dovecot.ts'
import { type MailServer, removeFolder } from '../support/mail-server.ts'
import { barChart } from './bar-chart.ts'
import { DRAINERS, type Drainer } from './drainers.ts'
import { alternative, many, mixed } from './generated-mail.ts'
import { openProxy, timed } from './measured-drain.ts'

// Whole drains over TLS from Dovecot on this machine, of one mailbox or of many that share the messages, each by a process of its own, in turn:
// A B C, A B C, … So that what the machine does besides hits all alike. What counts is the ratio to the raw client of the same round.

const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '2000' },
    mailboxes: { type: 'string', default: '1' },
    mail: { type: 'string', default: 'mixed' },
    'round-trips': { type: 'string', default: '0,20,80' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    record: { type: 'string' },
  },
})

const users = Array.from({ length: Number(options.mailboxes) }, (_, index) => `bench-${index + 1}`)

interface Measured {
  readonly name: string
  readonly roundTripMs: number
  /** One for each round; undefined: it failed. */
  readonly seconds: readonly number[]
  /** Of processors, without the server's. */
  readonly processorSeconds: readonly number[]
  /** Median of the rounds' ratios to the raw client: 2 is twice as long. */
  readonly toLimit: number
  readonly failed?: string
}

interface Recorded {
  readonly at: string
  readonly machine: string
  readonly mail: string
  readonly messages: number
  readonly mailboxes: number
  readonly octets: number
  readonly rounds: number
  readonly results: readonly Measured[]
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

async function measure(
  drainers: readonly Drainer[],
  server: MailServer,
  ca: string,
  messages: number,
): Promise<Measured[]> {
  const results: Measured[] = []
  for (const roundTripMs of options['round-trips'].split(',').map(Number)) {
    const { proxy, ports } = await openProxy([server.ports.imaps, server.ports.pop3s], roundTripMs)
    const seconds = new Map(drainers.map((drainer) => [drainer, [] as number[]]))
    const processorSeconds = new Map(drainers.map((drainer) => [drainer, [] as number[]]))
    const ratios = new Map(drainers.map((drainer) => [drainer, [] as number[]]))
    const failed = new Map<Drainer, string>()
    for (let round = 0; round < Number(options.rounds); round++) {
      const limits = new Map<string, number>()
      for (const drainer of drainers) {
        if (failed.has(drainer) || (drainer.slow && roundTripMs > 0 && round > 0)) continue
        const port = ports[drainer.protocol === 'imap' ? 0 : 1] as number
        const took = await timed(drainer, { port, users, password: server.password, ca }, messages)
        if (typeof took === 'string') {
          failed.set(drainer, took)
          continue
        }
        if (drainer.kind === 'limit') limits.set(drainer.protocol, took.seconds)
        seconds.get(drainer)?.push(took.seconds)
        processorSeconds.get(drainer)?.push(took.processorSeconds)
        ratios.get(drainer)?.push(took.seconds / (limits.get(drainer.protocol) ?? Number.NaN))
        console.log(
          `${String(roundTripMs).padStart(3)} ms  round ${round + 1}  ${drainer.name.padEnd(28)} ${took.seconds.toFixed(2)} s, ${took.processorSeconds.toFixed(2)} s of processors${sharesOf(took.stdout)}`,
        )
      }
    }
    for (const drainer of drainers)
      results.push({
        name: drainer.name,
        roundTripMs,
        seconds: seconds.get(drainer) ?? [],
        processorSeconds: processorSeconds.get(drainer) ?? [],
        toLimit: Math.round(median(ratios.get(drainer) ?? []) * 100) / 100,
        ...(failed.has(drainer) && { failed: failed.get(drainer) as string }),
      })
    proxy?.kill()
  }
  return results
}

/** Of many mailboxes: what the drain of each took, by what we print about it. */
function sharesOf(stdout: string): string {
  if (users.length === 1 || !stdout.startsWith('{')) return ''
  const lines = stdout.trim().split('\n')
  const elapsedMs = lines.map((line) => (JSON.parse(line) as { elapsedMs: number }).elapsedMs)
  return `; of a mailbox: median ${(median(elapsedMs) / 1000).toFixed(1)} s, slowest ${(Math.max(...elapsedMs) / 1000).toFixed(1)} s`
}

function report(
  { results, messages, mailboxes, octets, mail }: Recorded,
  before: Recorded | undefined,
): void {
  console.log(
    `\n${messages} messages (${mail}, ${(octets / 1e6).toFixed(0)} MB) in ${mailboxes} mailbox${mailboxes === 1 ? '' : 'es'}`,
  )
  for (const roundTripMs of new Set(results.map((result) => result.roundTripMs))) {
    console.log(
      `\nround trip ${roundTripMs} ms                 median s   fastest-slowest  messages/s  processors s  times the raw client  before`,
    )
    for (const { name, seconds, processorSeconds, toLimit, failed } of results.filter(
      (result) => result.roundTripMs === roundTripMs,
    )) {
      const earlier = before?.results.find((one) => one.name === name && one.roundTripMs === roundTripMs)
      const spread = `${Math.min(...seconds).toFixed(2)}-${Math.max(...seconds).toFixed(2)}`
      console.log(
        failed === undefined
          ? `  ${name.padEnd(30)}${median(seconds).toFixed(2).padStart(8)}${spread.padStart(18)}${(messages / median(seconds)).toFixed(0).padStart(12)}${median(processorSeconds).toFixed(2).padStart(14)}${toLimit.toFixed(2).padStart(22)}${(earlier?.toLimit.toFixed(2) ?? '').padStart(8)}`
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
  const share = Math.ceil(letters.length / users.length)
  for (const [index, user] of users.entries())
    await server.put(user, 'INBOX', letters.slice(index * share, (index + 1) * share))
  const recorded: Recorded = {
    at: new Date().toISOString(),
    machine: `${availableParallelism()} processors (${cpus()[0]?.model ?? 'unknown'}), Node ${process.versions.node}`,
    mail: options.mail,
    messages: letters.length,
    mailboxes: users.length,
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
