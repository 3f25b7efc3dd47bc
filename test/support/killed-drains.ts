import assert from 'node:assert/strict'
import type { Readable } from 'node:stream'
import { archivedEventId, MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import type { MailboxId, Sha256 } from '../../shared/contract/ids.ts'
import { rawPrefix } from '../../shared/contract/object-key.ts'
import { CliProcesses } from './cli-process.ts'
import { seededRandom, shuffled } from './random.ts'
import { archivedOctets, assertLedgerVerifies, digestOf, ledgerEntries, takeEvents } from './stores.ts'

// Drains by the command line, each a process of its own, that are ended with SIGKILL at random moments of their work. After each death the
// promise is looked at from outside: mail server, archive, ledger and queue.

const MAILBOX = 'invoices' as MailboxId
/** The first commands that change the mailbox. */
const ACKNOWLEDGING = /C: (\S+ UID (STORE|MOVE|COPY)|DELE) /
/** Deaths that one mailbox sees before the drain that is left alone. */
const DEATHS = 3

/** A mailbox that was just filled. */
export interface FilledMailbox {
  /** Of mailsluice.yaml, without id and afterArchive. */
  readonly settings: object
  readonly password: string
  readonly ca?: string | undefined
  /** What was put into it, as the server sends it. */
  readonly messages: readonly Buffer[]
  /** What its INBOX holds now, as the server sends it. */
  left(): Promise<readonly Buffer[]>
}

export interface KillOptions {
  readonly fill: () => Promise<FilledMailbox>
  readonly afterArchive: unknown
  readonly kills: number
  readonly seed: number
}

export interface KillReport {
  /** Processes that died by the signal; the others had come to their end before. */
  readonly died: number
  /** Of them, those that left objects, segments, events or a mailbox other than they had found. */
  readonly leftProgress: number
  /** By what their ledger had last, when they died. */
  readonly phases: Readonly<Record<string, number>>
  readonly messages: number
  /** Events that a consumer got beyond one for each message. */
  readonly repeats: number
}

/** When a process is killed: so far into its work, or so many milliseconds after it began to acknowledge. */
type Moment = { readonly ofWork: number } | { readonly afterAcknowledgingMs: number }

/** Kills so many drains, up to three of each mailbox, and lets the next come to its end. Asserts the promise on the way; says what happened. */
export async function killDrains({ fill, afterArchive, kills, seed }: KillOptions): Promise<KillReport> {
  const random = seededRandom(seed)
  const spans = [await spanOf(await fill(), afterArchive)]
  const report = { died: 0, leftProgress: 0, messages: 0, repeats: 0, phases: {} as Record<string, number> }
  const waiting = momentsOf(kills, random)
  // A process that was faster than its moment is no death; on a machine that is busy with other things there are some.
  for (let processes = 0; processes < 2 * kills && waiting.length > 0; ) {
    const mailbox = await open(await fill(), afterArchive)
    try {
      for (let deaths = 0; deaths < DEATHS && waiting.length > 0; deaths++, processes++) {
        const { progress: before } = mailbox
        if (!(await mailbox.drain(waiting[0], median(spans)))) {
          spans.push(mailbox.spanMs)
          break
        }
        waiting.shift()
        report.died++
        await mailbox.look()
        if (mailbox.progress !== before) report.leftProgress++
        report.phases[mailbox.phase] = (report.phases[mailbox.phase] ?? 0) + 1
        if (mailbox.recorded) break
      }
      await mailbox.drain()
      report.repeats += await mailbox.assertDone()
      report.messages += mailbox.distinct
    } finally {
      await mailbox.close()
    }
  }
  return report
}

/** Two of three evenly over the whole work, in random order; every third while it acknowledges, which is short and the last that a mailbox sees. */
function momentsOf(kills: number, random: () => number): Moment[] {
  const parts = Math.ceil((kills * 2) / 3)
  const ofWork = shuffled(
    Array.from({ length: parts }, (_, part) => (part + random()) / parts),
    random,
  )
  return Array.from({ length: kills }, (_, index) =>
    index % 3 === 2 ? { afterAcknowledgingMs: 20 * random() ** 2 } : { ofWork: ofWork.pop() ?? random() },
  )
}

/** Milliseconds from the first word with the mail server to the end of a drain that nobody kills. */
async function spanOf(filled: FilledMailbox, afterArchive: unknown): Promise<number> {
  const mailbox = await open(filled, afterArchive)
  try {
    await mailbox.drain()
    return mailbox.spanMs
  } finally {
    await mailbox.close()
  }
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] as number
}

async function open(filled: FilledMailbox, afterArchive: unknown): Promise<KilledMailbox> {
  const { settings, password, ca } = filled
  const mailbox = { id: MAILBOX, ...settings, afterArchive, ...(ca === undefined ? {} : { ca: 'ca.pem' }) }
  return new KilledMailbox(
    filled,
    afterArchive,
    await CliProcesses.open([mailbox], { password, ...(ca && { ca }) }),
  )
}

class KilledMailbox {
  readonly #filled: FilledMailbox
  readonly #afterArchive: unknown
  readonly #cli: CliProcesses
  readonly #byEvent: ReadonlyMap<string, Buffer>
  /** How often a consumer got each event. */
  readonly #received = new Map<string, number>()
  /** Events of messages that the ledger had as announced when it was last looked at. */
  #recorded: ReadonlySet<string> = new Set()
  progress = ''
  phase = ''
  spanMs = 0

  constructor(filled: FilledMailbox, afterArchive: unknown, cli: CliProcesses) {
    this.#filled = filled
    this.#afterArchive = afterArchive
    this.#cli = cli
    this.#byEvent = new Map(
      filled.messages.map((octets) => [archivedEventId(MAILBOX, digestOf(octets)), octets]),
    )
  }

  get distinct(): number {
    return this.#byEvent.size
  }

  /** Nothing is left to do but to acknowledge. */
  get recorded(): boolean {
    return this.#recorded.size > 0
  }

  /** Resolves to whether the signal ended it. Without a moment it is left alone. */
  async drain(moment?: Moment, spanMs = 0): Promise<boolean> {
    const { child, ended } = this.#cli.start('drain', '--json', '--debug')
    const stderr = child.stderr as Readable
    let began = Number.NaN
    stderr.once('data', () => {
      began = performance.now()
      if (moment && 'ofWork' in moment) setTimeout(() => child.kill('SIGKILL'), moment.ofWork * spanMs)
    })
    if (moment && 'afterAcknowledgingMs' in moment)
      stderr.on('data', (text: string) => {
        if (ACKNOWLEDGING.test(text)) setTimeout(() => child.kill('SIGKILL'), moment.afterAcknowledgingMs)
      })
    const { status, signal, stdout, stderr: said } = await ended
    this.spanMs = performance.now() - began
    if (signal === 'SIGKILL') return true
    assert.equal(status, 0, stdout + said.slice(-2000))
    return false
  }

  /** What everybody may count on at any moment. */
  async look(): Promise<void> {
    const stores = this.#cli.openStores()
    try {
      const events = await takeEvents(stores.queues)
      for (const { id, type } of events) {
        assert.equal(type, MESSAGE_ARCHIVED)
        assert.ok(this.#byEvent.has(id), `an event of no message: ${id}`)
        assert.ok(!this.#recorded.has(id), `announced again although it was recorded: ${id}`)
        this.#received.set(id, (this.#received.get(id) ?? 0) + 1)
      }

      const entries = await ledgerEntries(MAILBOX, stores.archive)
      const recorded = new Set<string>()
      for (const entry of entries)
        if (entry.type === 'message' && entry.outcome === 'announced')
          recorded.add(archivedEventId(MAILBOX, entry.sha256 as Sha256))
      for (const id of recorded) assert.ok(this.#received.has(id), `recorded and in no queue: ${id}`)
      this.#recorded = recorded

      const left = (await this.#filled.left()).map((octets) => archivedEventId(MAILBOX, digestOf(octets)))
      const there = new Set(left)
      for (const [id, octets] of this.#byEvent) {
        if (there.has(id)) continue
        assert.ok(recorded.has(id), `gone from the server and not recorded: ${id}`)
        assert.ok((await archivedOctets(MAILBOX, digestOf(octets), stores.archive)).equals(octets))
      }

      let objects = 0
      for await (const _ of stores.archive.list(rawPrefix(MAILBOX))) objects++
      this.progress = JSON.stringify([objects, entries.length, this.#received.size, left.length])
      const last = entries.at(-1)?.type
      this.phase = last ?? (objects > 0 ? 'archiving' : 'before the first message')
    } finally {
      await stores.close()
    }
  }

  /** After a drain that came to its end. Returns how many events were repeats. */
  async assertDone(): Promise<number> {
    await this.look()
    const left = await this.#filled.left()
    assert.equal(left.length, this.#afterArchive === 'keep' ? this.#filled.messages.length : 0)
    const stores = this.#cli.openStores()
    try {
      assert.deepEqual([...this.#received.keys()].sort(), [...this.#byEvent.keys()].sort())
      for (const octets of this.#byEvent.values())
        assert.ok((await archivedOctets(MAILBOX, digestOf(octets), stores.archive)).equals(octets))
      const { messages, pending } = await assertLedgerVerifies(MAILBOX, stores.archive)
      assert.deepEqual([messages, pending], [this.#byEvent.size, 0])
    } finally {
      await stores.close()
    }
    return [...this.#received.values()].reduce((sum, times) => sum + times - 1, 0)
  }

  async close(): Promise<void> {
    await this.#cli.close()
  }
}

/** Messages of many sizes, a few of them twice; lines end in CRLF. */
export function variedMessages(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) => {
    // Every fiftieth is the same as the one before.
    const number = index % 50 === 49 ? index - 1 : index
    const lines = number % 40 === 20 ? 5_000 : 1 + (number % 60)
    const line = `${'text of '.repeat(8)}${number}\r\n`
    return Buffer.from(
      `From: s${number}@example.net\r\nSubject: message ${number}\r\n\r\n${line.repeat(lines)}`,
    )
  })
}
