import { setTimeout as sleep } from 'node:timers/promises'
import type { Event } from '../../shared/contract/event.ts'
import { MESSAGE_ARCHIVED } from '../../shared/contract/event.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import type { EventQueues } from '../../shared/queue/queue.ts'
import { countOf, octetsText, printable } from './output.ts'
import type { Run } from './run.ts'

/** As long as a consumer may take before the event comes again. */
const VISIBILITY_SECONDS = 30
/** Between two looks whether the queues are still served. */
const LOOK_MS = 500
/** SQS's longest long poll. */
const LONGEST_POLL_SECONDS = 20

export interface ReceiveOptions {
  readonly queue: string
  readonly max: number
  /** Seconds to wait for an event before giving up. */
  readonly wait: number
  /** Leaves the events in the queue. */
  readonly keep?: boolean
  /** Goes on until it is stopped. */
  readonly follow?: boolean
  /** The whole event, indented. */
  readonly full?: boolean
}

/** Receives as a consumer does: what is printed is removed from the queue, unless it is to be kept. */
export async function receiveCommand(run: Run, options: ReceiveOptions): Promise<void> {
  const { output, settings, stores, signal } = run
  if (!Object.hasOwn(settings.config.queues, options.queue))
    throw new ConfigurationError('--queue', [
      `${options.queue} is not configured; there are ${Object.keys(settings.config.queues).join(', ')}`,
    ])
  let received = 0
  const shown = new Set<string>()
  while (!signal.aborted && (options.follow || received < options.max)) {
    const most = options.follow ? Infinity : options.max - received
    const events = await receiveSome(stores.queues, options, most)
    if (events.length === 0 && !options.follow) break
    let unseen = 0
    for (const { body, receiveCount } of events) {
      const event = JSON.parse(body) as Event
      if (options.keep && shown.has(event.id)) continue
      unseen++
      received++
      if (options.keep) shown.add(event.id)
      output.result(event, () =>
        options.full ? JSON.stringify(event, undefined, 2) : eventText(event, receiveCount),
      )
    }
    // Not before it is written: a reader that has seen enough (head) must not cost the others their events.
    await output.flushed()
    if (!options.keep) await Promise.all(events.map(({ remove }) => remove()))
    // What is kept stays visible and is received again.
    if (unseen === 0 && !options.follow) break
  }
  if (received === 0 && !signal.aborted) output.note(`queue ${options.queue}: nothing to receive`)
}

/** Serves the queues of --local until it is stopped, for consumers with an SDK of their own. */
export async function serveCommand(run: Run): Promise<void> {
  const { output, options, settings, stores, signal } = run
  if (options.local === undefined)
    throw new ConfigurationError('events serve', ['serves the queues of one machine; expected --local[=DIR]'])
  const queues: Record<string, string> = {}
  for (const name of Object.keys(settings.config.queues)) queues[name] = (await stores.queues.check(name)).url
  const endpoint = new URL(queues.default as string).origin
  output.result({ endpoint, queues }, () =>
    [
      `Serving ${Object.entries(queues)
        .map(([name, url]) => `${name} (${url})`)
        .join(', ')}; Ctrl-C ends it.`,
      'For any AWS SDK:',
      `  export AWS_ENDPOINT_URL_SQS=${endpoint} AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local`,
    ].join('\n'),
  )
  // Another process may be the one that serves. When it ends, whoever asks next takes over: this one, so that consumers do not wait.
  while (!signal.aborted) {
    await stores.queues.check('default')
    await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined)
  }
}

/** A poll takes up to ten; what is too many comes again after its visibility timeout, so few are asked for when few are wanted. */
async function receiveSome(queues: EventQueues, { queue, wait, keep }: ReceiveOptions, most: number) {
  const waitSeconds = Math.min(LONGEST_POLL_SECONDS, wait)
  return queues.receive(queue, {
    waitSeconds,
    visibilitySeconds: keep ? 0 : VISIBILITY_SECONDS,
    maxEvents: Math.min(10, most),
  })
}

function eventText(event: Event, receiveCount: number): string {
  const again = receiveCount > 1 ? ` (received ${receiveCount} times)` : ''
  if (event.type !== MESSAGE_ARCHIVED) return `${event.type} ${event.id}${again}`
  const { raw, message, attachments, text } = event.data
  const from = message.from.map(({ address, name }) => address ?? name ?? '').join(', ')
  return [
    `${event.id}${again}`,
    `  from ${printable(from) || '(nobody)'}: ${printable(message.subject ?? '(no subject)')}`,
    `  ${octetsText(raw.octets)}, ${event.data.class}, ${countOf(attachments.length, 'attachment')}, ${event.data.parse.status}; ${raw.uri}`,
    ...(text.preview ? [`  ${printable(text.preview).slice(0, 100)}`] : []),
  ].join('\n')
}
