import type { DrainProgress } from '../../shared/drain/report.ts'
import { countText, durationText, type Output, octetsText } from './output.ts'

/** On a terminal the line is drawn anew ten times a second; a log gets a line now and then. */
const LIVE_MS = 100
const LOG_MS = 10_000

/** One line for all mailboxes that are drained at the same time: what they are at, rate and remaining time. */
export function drainProgress(output: Output): (progress: DrainProgress) => void {
  const latest = new Map<string, DrainProgress>()
  const startedMs = performance.now()
  let shownMs = output.live ? 0 : startedMs
  return (progress) => {
    latest.set(progress.mailbox, progress)
    const nowMs = performance.now()
    if (nowMs - shownMs < (output.live ? LIVE_MS : LOG_MS)) return
    shownMs = nowMs
    const text = progressText([...latest.values()], nowMs - startedMs)
    if (output.live) output.progress(text)
    else if (!output.json) output.note(text)
  }
}

export function progressText(all: readonly DrainProgress[], elapsedMs: number): string {
  const what = all.map(({ mailbox, folder, phase, done, total }) => {
    const place = folder === undefined || folder === 'INBOX' ? mailbox : `${mailbox} ${folder}`
    return phase === 'fetching' ? `${place} ${countText(done)}/${countText(total)}` : `${place} ${phase}`
  })
  const sum = (of: (progress: DrainProgress) => number): number =>
    all.reduce((total, each) => total + of(each), 0)
  const done = sum((each) => (each.phase === 'fetching' ? each.done : 0))
  const total = sum((each) => (each.phase === 'fetching' ? each.total : 0))
  if (done === 0 || elapsedMs < 500) return what.join('  ')
  const perSecond = done / (elapsedMs / 1000)
  const octetsPerSecond = sum((each) => each.octets) / (elapsedMs / 1000)
  const left = total > done ? `, ${durationText(((total - done) / perSecond) * 1000)} left` : ''
  return `${what.join('  ')}  ${Math.round(perSecond)}/s, ${octetsText(octetsPerSecond)}/s${left}`
}
