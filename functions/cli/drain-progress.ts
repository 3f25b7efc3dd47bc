import type { DrainProgress } from '../../shared/drain/report.ts'
import { countText, durationText, type Output, octetsText } from './output.ts'

/** On a terminal the lines are drawn anew this often; a log gets lines now and then. */
const LIVE_MS = 200
const LOG_MS = 10_000
/** Rates are those of the last seconds: a server that slows down shows at once. */
const WINDOW_MS = 10_000
/** Below it a rate says nothing. */
const SHORTEST_MS = 500

/** What is shown while mailboxes are drained. End it, or its timer runs on. */
export interface ProgressDisplay {
  update(progress: DrainProgress): void
  /** One mailbox has its report. */
  finished(mailbox: string): void
  end(): void
}

interface Sample {
  readonly atMs: number
  readonly messages: number
  readonly octets: number
}

/** A mailbox that is being drained. */
interface Active {
  latest: DrainProgress
  /** Fetched by now, in all folders. */
  messages: number
  /** Of each drawing, the oldest first; it is about as old as the window. */
  samples: Sample[]
}

/** A line for each mailbox that is at work: how far it is, rates, time left. On a terminal in place, else as lines of a log. */
export function drainProgress(
  output: Output,
  mailboxes: number,
  nowMs: () => number = () => performance.now(),
): ProgressDisplay {
  const active = new Map<string, Active>()
  const periodMs = output.live ? LIVE_MS : LOG_MS
  let ended = 0
  const show = (): void => {
    const lines = [...active.values()].map((each) => lineOf(each, nowMs()))
    if (output.live)
      output.progress(mailboxes > 1 ? [...lines, `${ended} of ${mailboxes} mailboxes drained`] : lines)
    else if (!output.json) for (const line of lines) output.note(line)
  }
  const timer = setInterval(show, periodMs)
  return {
    update(progress) {
      const known = active.get(progress.mailbox)
      if (!known) {
        active.set(progress.mailbox, { latest: progress, messages: 0, samples: [] })
        return
      }
      const { folder, phase, done, octets } = progress
      if (phase === 'fetching') {
        const before = known.latest.phase === phase && known.latest.folder === folder ? known.latest.done : 0
        known.messages += done - before
        // Signing in is not to count as slow fetching.
        if (known.messages === 0) known.samples = [{ atMs: nowMs(), messages: 0, octets }]
      }
      known.latest = progress
    },
    finished(mailbox) {
      active.delete(mailbox)
      ended++
    },
    end() {
      clearInterval(timer)
      output.clearProgress()
    },
  }
}

function lineOf(active: Active, nowMs: number): string {
  const { mailbox, folder, phase, done, total, octets } = active.latest
  const place = folder === undefined || folder === 'INBOX' ? mailbox : `${mailbox} ${folder}`
  if (phase !== 'fetching') return `${place}: ${phase}${total > 0 ? ` ${countText(total)}` : ''}`
  const { messages, samples } = active
  samples.push({ atMs: nowMs, messages, octets })
  while ((samples[1]?.atMs ?? nowMs) <= nowMs - WINDOW_MS) samples.shift()
  const [first] = samples as [Sample, ...Sample[]]
  const seconds = (nowMs - first.atMs) / 1000
  const parts = [`${countText(done)} of ${countText(total)}`, octetsText(octets)]
  if (seconds * 1000 >= SHORTEST_MS) {
    const perSecond = (messages - first.messages) / seconds
    parts.push(`${rateText(perSecond)}/s`, `${octetsText((octets - first.octets) / seconds)}/s`)
    if (total > done)
      parts.push(perSecond > 0 ? `${durationText(((total - done) / perSecond) * 1000)} left` : 'waiting')
  }
  return `${place}: ${parts.join(', ')}`
}

function rateText(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : countText(Math.round(perSecond))
}
