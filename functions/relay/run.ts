import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Applied } from '../../shared/contract/applied.ts'
import type { Environment, IdleRelaySettings } from '../../shared/contract/environment.ts'
import { openCredentials } from '../../shared/credentials/open.ts'
import { openTracer } from '../../shared/operations/trace-message.ts'
import type { EventQueues } from '../../shared/queue/queue.ts'
import { requestDrains } from '../../shared/queue/requests.ts'
import { openSqsQueues } from '../../shared/queue/sqs.ts'
import { systemClock } from '../../shared/relay/clock.ts'
import { summarize } from '../../shared/relay/health.ts'
import { serveHealth } from '../../shared/relay/health-endpoint.ts'
import type { RelayPorts } from '../../shared/relay/ports.ts'
import { type Relay, startRelay } from '../../shared/relay.ts'
import { openSuspensions } from '../../shared/suspension.ts'
import { openAwsArchive, openAwsState } from '../aws-buckets.ts'
import { Configuration } from '../lambda/configuration.ts'
import { refusalOfLocalSecret } from '../lambda/mailboxes.ts'
import { relayAccess, watchLimitsOf } from '../relay-access.ts'
import { RelayTelemetry } from './telemetry.ts'

const QUEUE = 'drain-requests'

/** An applied configuration is in force after `configuration` at the latest; metrics are read by the minute. */
const INTERVALS_MS = { configuration: 60_000, metrics: 60_000, heartbeat: 15_000 }

/**
 * One shard of the relay in AWS, until `signal`: watches the mailboxes of the applied configuration that ask for it, and requests drains. All
 * others are looked at by the schedule. Rejects with a defect. `intervalsMs` is an argument so that a test need not wait for minutes.
 */
export async function runRelay(
  settings: IdleRelaySettings,
  environment: Environment,
  signal: AbortSignal,
  intervalsMs: typeof INTERVALS_MS = INTERVALS_MS,
): Promise<void> {
  const telemetry = new RelayTelemetry(settings.deployment, settings.shard)
  const state = openAwsState(settings.stateBucket, environment)
  const archive = openAwsArchive(settings.archiveBucket, environment)
  const configuration = new Configuration(state)
  const credentials = openCredentials({ environment: {}, folder: '/' })
  const requests = openSqsQueues({ queues: { [QUEUE]: settings.drainQueueUrl } })
  let applied: Applied | undefined
  let events = openSqsQueues({ queues: {} })

  const access = relayAccess((mailbox) => {
    const refusal = refusalOfLocalSecret(mailbox)
    if (refusal) throw refusal
    return { credentials, authorities: applied?.authorities ?? {} }
  })
  const queues: Pick<EventQueues, 'send'> = { send: (queue, outgoing) => events.send(queue, outgoing) }
  const ports: RelayPorts = {
    clock: systemClock,
    random: Math.random,
    openWatch: async (mailbox, listener, dropped) => access.openWatch(mailbox, listener, dropped),
    probe: () => Promise.reject(new TypeError('the schedule probes, not the relay')),
    requestDrain: (mailbox) =>
      requestDrains(requests, QUEUE, [{ id: `idle-${randomUUID()}`, mailbox, reason: 'idle' }]),
    suspensions: openSuspensions({ state, queues, credentials }),
    canaries: {
      open: async (mailbox, dropped) => access.openCanary(mailbox, dropped),
      tracer: openTracer(archive),
    },
    observe: (event) => telemetry.event(event),
  }
  const relay = startRelay(ports, { shard: settings.shard, limitsOf: watchLimitsOf })

  /** The same object as long as it is the same. */
  async function follow(): Promise<void> {
    const current = await configuration.current()
    if (current === applied) return
    applied = current
    events.close()
    events = openSqsQueues({ queues: current?.config.queues ?? {} })
    const watched = (current?.config.mailboxes ?? []).filter(
      ({ protocol, idle }) => protocol === 'imap' && idle,
    )
    relay.apply(watched)
    telemetry.info('configuration is in force', { watched: watched.length, here: relay.health().length })
  }

  const endpoint = await serveHealth(settings.healthPort, () => relay.health())
  telemetry.info('answers for its health on loopback', { port: endpoint.port })
  const stopped = new AbortController()
  const until = AbortSignal.any([signal, stopped.signal])
  try {
    await follow()
    await Promise.race([
      relay.failed,
      every(intervalsMs.configuration, until, () =>
        // What was applied may be for a later version of this relay: those who are watched stay watched.
        follow().catch((error: unknown) => telemetry.error('configuration could not be read', error)),
      ),
      every(intervalsMs.metrics, until, async () => telemetry.publish(relay.health())),
      every(intervalsMs.heartbeat, until, () => beat(relay, settings.heartbeatFile), 'at once'),
    ])
  } finally {
    stopped.abort()
    await relay.close()
    await endpoint.close()
    for (const each of [state, archive, requests, events]) each.close()
    telemetry.info('ended in good order')
  }
}

/** Resolves when the signal is aborted; rejects as the work does. */
async function every(
  milliseconds: number,
  signal: AbortSignal,
  work: () => Promise<void>,
  begin?: 'at once',
): Promise<void> {
  if (begin) await work()
  while (!signal.aborted) {
    await sleep(milliseconds, undefined, { signal }).catch(() => undefined)
    if (!signal.aborted) await work()
  }
}

/** Shows that loop and timers run, and that no mailbox is overdue: a relay that lies about one is to be replaced. */
async function beat(relay: Relay, file: string): Promise<void> {
  if (summarize(relay.health()).overdue === 0) await writeFile(file, '')
}
