import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { MailboxConfig } from '../../shared/contract/config.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { never } from '../../shared/deadline.ts'
import type { DrainReport } from '../../shared/drain/report.ts'
import { openRoom } from '../../shared/drain/room.ts'
import { drain } from '../../shared/drain.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import { DRAIN, RELAY } from '../../shared/limits.ts'
import { OctetArena } from '../../shared/octet-arena.ts'
import { openSpool } from '../../shared/octets.ts'
import { expiringOf, expiryText, onlyNews } from '../../shared/operations/expiry.ts'
import { openTracer } from '../../shared/operations/trace-message.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import { probe } from '../../shared/probe.ts'
import { requestDrains } from '../../shared/queue/requests.ts'
import { openSqsQueues } from '../../shared/queue/sqs.ts'
import { systemClock } from '../../shared/relay/clock.ts'
import { serveHealth } from '../../shared/relay/health-endpoint.ts'
import { LocalDrains } from '../../shared/relay/local-drains.ts'
import type { RelayLimits, RelayPorts } from '../../shared/relay/ports.ts'
import { type Relay, startRelay } from '../../shared/relay.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import { openSuspensions } from '../../shared/suspension.ts'
import { beginVisit } from '../lambda/visit.ts'
import { relayAccess, watchLimitsOf } from '../relay-access.ts'
import { holdNewMailHere } from './hold-new-mail.ts'
import { relayView } from './relay-view.ts'
import type { Run } from './run.ts'
import { chosenMailboxes, readSettings, type Settings } from './settings.ts'
import { verifyNewMailHere } from './verify-new-mail.ts'

/** How often the configuration is looked at for changes. */
const CONFIGURATION_MS = 2_000
/** Where this process drains. */
const LOCAL: RelayLimits = { ...RELAY, windowMs: RELAY.localWindowMs, floodWindowMs: RELAY.localWindowMs }
/** The name of the queue of drain requests, among ours. */
const QUEUE = 'drain-requests'

export interface RelayCommandOptions {
  /** Port of the health endpoint on loopback. */
  readonly health?: number
  /** URL of the queue of the drain function; without it mailboxes are drained by this process. */
  readonly drainQueue?: string
}

/**
 * Watches the named mailboxes until it is stopped, polls those that are not to be watched, and drains them as mail comes. The configuration is read
 * anew when its file changes.
 */
export async function relayCommand(
  run: Run,
  ids: readonly string[],
  options: RelayCommandOptions,
): Promise<void> {
  const { output, signal } = run
  let settings = run.settings
  let mailboxes = chosenMailboxes(settings.config, ids)
  const here = new Relaying(run, () => settings, options)
  const { relay } = here
  const endpoint =
    options.health === undefined ? undefined : await serveHealth(options.health, () => relay.health())
  if (endpoint) output.note(`Health: http://127.0.0.1:${endpoint.port}/health`)
  try {
    here.apply(mailboxes)
    const stopped = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    const changes = followFile(run.options.config, () => {
      const read = readAgain(run, ids)
      if (!read) return
      settings = read.settings
      mailboxes = read.mailboxes
      here.apply(mailboxes)
    })
    try {
      await Promise.race([stopped, here.failed])
    } finally {
      changes.end()
    }
  } finally {
    await here.close()
    await endpoint?.close()
  }
}

/** The relay of this process, and the drains that it asks for. */
class Relaying {
  readonly relay: Relay
  /** Never resolves; rejects with a defect. */
  readonly failed: Promise<never>
  readonly #run: Run
  readonly #settings: () => Settings
  readonly #parser = openWorkerParser()
  readonly #room = openRoom()
  readonly #arena = new OctetArena(DRAIN.arenaOctets)
  readonly #drains: LocalDrains
  /** Drops the sessions of drains. */
  readonly #dropping = new AbortController()
  readonly #queues: ReturnType<typeof openSqsQueues> | undefined
  readonly #suspensions: ReturnType<typeof openSuspensions>
  readonly #view: ReturnType<typeof relayView>
  readonly #onlyNews = onlyNews()

  constructor(run: Run, settings: () => Settings, { drainQueue }: RelayCommandOptions) {
    this.#run = run
    this.#settings = settings
    const { stores, credentials, output } = run
    const state = stores.state ?? openMemoryState()
    this.#suspensions = openSuspensions({ state, queues: stores.queues, credentials })
    this.#queues = drainQueue === undefined ? undefined : openSqsQueues({ queues: { [QUEUE]: drainQueue } })
    const defects = Promise.withResolvers<never>()
    this.#drains = new LocalDrains(
      {
        clock: systemClock,
        random: Math.random,
        drain: (mailbox) => this.#drain(mailbox),
        drained: (report, waitedMs) => {
          const mailbox = this.#settings().config.mailboxes.find(({ id }) => id === report.mailbox)
          if (mailbox) this.#view.drained(mailbox, report, waitedMs)
        },
        defect: defects.reject,
      },
      RELAY,
    )
    const limits = this.#queues ? RELAY : LOCAL
    this.relay = startRelay(this.#ports(), { limits, limitsOf: watchLimitsOf })
    this.#view = relayView(output, { health: () => this.relay.health(), asks: drainQueue !== undefined })
    this.failed = Promise.race([this.relay.failed, defects.promise])
    this.failed.catch(() => undefined)
  }

  apply(mailboxes: readonly MailboxConfig[]): void {
    if (!this.#queues) this.#drains.apply(mailboxes)
    this.relay.apply(mailboxes)
  }

  async close(): Promise<void> {
    // A drain ends after the message at hand; one whose server is silent would take minutes, and loses nothing when it is cut off.
    const timer = setTimeout(() => this.#dropping.abort(), RELAY.closingMs)
    // At the same time, so that what the relay asks for at its end does not begin any more; the next one looks first.
    await Promise.all([this.#drains.close(), this.relay.close()])
    clearTimeout(timer)
    this.#view.end()
    this.#queues?.close()
    await this.#parser.close()
  }

  #ports(): RelayPorts {
    const { stores, credentials } = this.#run
    const access = relayAccess(({ id }) => ({
      credentials,
      authorities: this.#settings().authorities,
      transcript: this.#run.transcript(id),
    }))
    return {
      clock: systemClock,
      random: Math.random,
      openWatch: access.openWatch,
      probe: async (mailbox, signal) => {
        let entered = false
        const openMailbox = async () => {
          const session = await this.#opener(mailbox, signal)()
          entered = true
          return session
        }
        const { archive, state } = stores
        const { due } = await probe(mailbox, { archive, state, openMailbox })
        if (entered) await this.#tellExpiring(mailbox)
        return { due: due !== undefined, entered }
      },
      requestDrain: (mailbox) => this.#request(mailbox),
      suspensions: this.#suspensions,
      canaries: {
        open: access.openCanary,
        tracer: openTracer(stores.archive),
      },
      observe: (event) => this.#view.event(event),
    }
  }

  async #request(mailbox: MailboxId): Promise<void> {
    if (!this.#queues) this.#drains.request(mailbox)
    else await requestDrains(this.#queues, QUEUE, [{ id: `idle-${randomUUID()}`, mailbox, reason: 'idle' }])
  }

  async #drain(mailbox: MailboxConfig): Promise<DrainReport> {
    const { stores, signal, output } = this.#run
    const spool = openSpool(undefined, this.#arena)
    const visit = beginVisit(
      mailbox,
      this.#opener(mailbox, this.#dropping.signal),
      this.#suspensions,
      ({ message }) => output.note(`mailsluice: ${mailbox.id}: the suspension could not be kept: ${message}`),
    )
    try {
      const ports = {
        ...stores,
        parser: this.#parser,
        room: this.#room,
        spool,
        openMailbox: visit.openMailbox,
      }
      const { config } = this.#settings()
      const { routes } = config
      const report = await drain({ mailbox, routes }, ports, { deadline: never, signal })
      await visit.ended(report.error)
      if (report.server) await this.#tellExpiring(mailbox)
      await holdNewMailHere(this.#run, mailbox.id)
      await verifyNewMailHere(this.#run, mailbox, config)
      return report
    } finally {
      await spool.close()
    }
  }

  async #tellExpiring(mailbox: MailboxConfig): Promise<void> {
    const perishable = this.#run.perishable(mailbox, this.#settings().authorities)
    for (const notice of this.#onlyNews(mailbox.id, await expiringOf(perishable, new Date())))
      this.#run.output.note(`mailsluice: ${mailbox.id}: ${expiryText(notice)}`)
  }

  #opener(mailbox: MailboxConfig, signal: AbortSignal) {
    return this.#run.opener(mailbox, this.#settings().authorities, signal)
  }
}

/** Undefined, and a note, when it cannot be used: what was read before stays. */
function readAgain(
  run: Run,
  ids: readonly string[],
): { settings: Settings; mailboxes: readonly MailboxConfig[] } | undefined {
  const { options, output } = run
  try {
    const settings = readSettings(options.config)
    const there = ids.filter((id) => settings.config.mailboxes.some((mailbox) => mailbox.id === id))
    const mailboxes = ids.length > 0 && there.length === 0 ? [] : chosenMailboxes(settings.config, there)
    output.note(`mailsluice: ${options.config} was changed and is in force: ${mailboxes.length} mailboxes`)
    return { settings, mailboxes }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    output.note(`mailsluice: ${error.message}\nmailsluice: the configuration from before stays in force`)
    return undefined
  }
}

/** Calls when the file is another one than before, however it was put there. */
function followFile(path: string, changed: () => void): { end(): void } {
  let known: string | undefined
  const look = async (): Promise<void> => {
    const facts = await stat(path).catch(() => undefined)
    const mark = facts && `${facts.ino} ${facts.size} ${facts.mtimeMs}`
    const before = known
    known = mark
    if (before !== undefined && mark !== undefined && mark !== before) changed()
  }
  void look()
  const timer = setInterval(() => void look(), CONFIGURATION_MS)
  return { end: () => clearInterval(timer) }
}
