import type { MailboxConfig } from '../../shared/contract/config.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { IngestError } from '../../shared/errors.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import type { EventQueues } from '../../shared/queue/queue.ts'
import type { CanaryPorts, RelayEvent, RelayPorts, WakeReason } from '../../shared/relay/ports.ts'
import { type Relay, type RelaySettings, startRelay } from '../../shared/relay.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import { openSuspensions } from '../../shared/suspension.ts'
import { mailboxConfig, QUEUES } from './drain-world.ts'
import { FastClock } from './fast-clock.ts'
import { SimulatedMail } from './simulated-mail.ts'

export interface Asked {
  readonly mailbox: MailboxId
  readonly reason: WakeReason
  readonly atMs: number
}

export interface RelayWorldSettings extends RelaySettings {
  /** Of a mail server of its own. @default ['INBOX'] */
  readonly folders?: readonly string[]
  readonly canaries?: CanaryPorts
  /** Shared with other relays. */
  readonly clock?: FastClock
  readonly mail?: SimulatedMail
}

/** A relay over a simulated mail server and a clock that is told to go on, and what a test wants to know of it. */
export class RelayWorld {
  readonly clock: FastClock
  readonly mail: SimulatedMail
  readonly state = openMemoryState()
  readonly queues: EventQueues = openMemoryQueues({ queues: QUEUES })
  readonly requests: Asked[] = []
  readonly events: RelayEvent[] = []
  readonly relay: Relay
  /** The version of every secret. */
  version = '1'
  /** What the queue of drain requests answers. */
  requestsRefused = false
  /** What a probe finds, by mailbox, and how often each was made. */
  readonly due = new Set<MailboxId>()
  readonly probes: Asked['mailbox'][] = []
  /** All dice fall in the middle unless a test wants another chance. */
  chance = 0.5

  constructor(settings: RelayWorldSettings = {}) {
    this.clock = settings.clock ?? new FastClock()
    this.mail = settings.mail ?? new SimulatedMail(this.clock, settings.folders)
    this.relay = startRelay({ ...this.ports(), canaries: settings.canaries }, settings)
  }

  ports(): RelayPorts {
    return {
      clock: this.clock,
      random: () => this.chance,
      openWatch: (mailbox, listener, signal) => this.mail.open(mailbox, listener, signal),
      probe: async ({ id }) => {
        this.probes.push(id)
        if (this.mail.refuses) throw new IngestError(this.mail.refuses, `${id}: refused`)
        return { due: this.due.delete(id), entered: true }
      },
      requestDrain: async (mailbox, reason) => {
        if (this.requestsRefused) throw new IngestError('QUEUE_UNAVAILABLE', 'drain requests')
        this.requests.push({ mailbox, reason, atMs: this.clock.nowMs() })
      },
      suspensions: openSuspensions({
        state: this.state,
        queues: this.queues,
        credentials: { version: async () => this.version },
        now: () => this.clock.date(),
        random: () => 0,
      }),
      observe: (event) => this.events.push(event),
    }
  }

  /** Applies one mailbox, and waits until it is watched and its first request made. */
  async watch(settings: Record<string, unknown> = {}): Promise<MailboxConfig> {
    const mailbox = watched(settings)
    this.relay.apply([mailbox])
    await this.clock.pass(10_000)
    this.requests.length = 0
    this.events.length = 0
    return mailbox
  }

  reasons(): WakeReason[] {
    return this.requests.map(({ reason }) => reason)
  }

  /** Types of the events on the default queue, taken off it. */
  async announced(): Promise<string[]> {
    const received = await this.queues.receive('default', { waitSeconds: 0, visibilitySeconds: 30 })
    await Promise.all(received.map(({ remove }) => remove()))
    return received.map(({ body }) => (JSON.parse(body) as { type: string }).type)
  }

  async close(): Promise<void> {
    const closing = this.relay.close()
    await this.clock.pass(10_000)
    await closing
  }
}

export function watched(settings: Record<string, unknown> = {}): MailboxConfig {
  return mailboxConfig({ idle: true, ...settings })
}
