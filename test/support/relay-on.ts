import { entry } from '../../functions/compose.ts'
import { relayAccess } from '../../functions/relay-access.ts'
import { openCredentials } from '../../shared/credentials/open.ts'
import { IMAP } from '../../shared/limits.ts'
import { imapWatchOpener } from '../../shared/mailbox/imap-watch.ts'
import { openTracer } from '../../shared/operations/trace-message.ts'
import { openMemoryQueues } from '../../shared/queue/memory.ts'
import { systemClock } from '../../shared/relay/clock.ts'
import { LocalDrains } from '../../shared/relay/local-drains.ts'
import type { RelayEvent, RelayLimits } from '../../shared/relay/ports.ts'
import { type Relay, startRelay } from '../../shared/relay.ts'
import { openMemoryState } from '../../shared/state/memory.ts'
import { openSuspensions } from '../../shared/suspension.ts'
import { QUEUES } from './drain-world.ts'
import type { LocalWorld } from './local-world.ts'
import { HASTY } from './socket-relay.ts'

/** So short that a connection that died is noticed within seconds; a real server on a busy machine must still be able to answer. */
const LIMITS: RelayLimits = {
  ...HASTY,
  renewMs: 1_000,
  replyMs: 2_000,
  drainAgainMs: 200,
  canaryEveryMs: 500,
}

/** A relay of one mailbox on a real server, with the drains of a LocalWorld, in this process and in a hurry. `close` it. */
export class RelayOn {
  readonly events: RelayEvent[] = []
  /** Messages announced by the drains so far; drains under way. */
  announced = 0
  draining = 0
  readonly #relay: Relay
  readonly #drains: LocalDrains
  #closing: Promise<void> | undefined
  #changed: (() => void)[] = []

  constructor(world: LocalWorld, settings: Record<string, unknown>) {
    const mailbox = world.mailbox({ ...settings, idle: true })
    const credentials = openCredentials({ environment: { PASSWORD: world.password }, folder: '/' })
    const options = { credentials, authorities: { 'ca.pem': world.ca } }
    const openWatch = imapWatchOpener({
      ...IMAP,
      commandMs: LIMITS.replyMs,
      signInMs: 5 * LIMITS.replyMs,
      idleMs: 600_000,
    })
    const fail = (error: unknown): void => {
      throw error
    }
    this.#drains = new LocalDrains(
      {
        clock: systemClock,
        random: Math.random,
        defect: fail,
        drain: async () => {
          this.draining++
          const report = await world.drain({ ...settings, idle: true })
          this.draining--
          return report
        },
        drained: ({ counts }) => {
          this.announced += counts.announced
          this.#change()
        },
      },
      LIMITS,
    )
    this.#relay = startRelay(
      {
        clock: systemClock,
        random: Math.random,
        openWatch: (config, listener, signal) =>
          entry(config, { ...options, signal }, (access) => openWatch(access, listener))(),
        probe: () => Promise.reject(new TypeError('nothing is polled here')),
        requestDrain: async (id) => this.#drains.request(id),
        suspensions: openSuspensions({
          state: openMemoryState(),
          queues: openMemoryQueues({ queues: QUEUES }),
          credentials,
        }),
        canaries: {
          open: relayAccess(() => options).openCanary,
          tracer: openTracer(world.archive),
        },
        observe: (event) => {
          this.events.push(event)
          this.#change()
        },
      },
      { limits: LIMITS },
    )
    this.#relay.failed.catch(fail)
    this.#drains.apply([mailbox])
    this.#relay.apply([mailbox])
  }

  get watching(): boolean {
    return this.#relay.health()[0]?.state === 'watching'
  }

  /** Looks again with each event and each drain, and now and then. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds())
      await new Promise<void>((look) => {
        this.#changed.push(look)
        setTimeout(look, 50)
      })
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all([this.#drains.close(), this.#relay.close()]).then(() => undefined)
    return this.#closing
  }

  #change(): void {
    for (const look of this.#changed.splice(0)) look()
  }
}
