import type { MailboxConfig } from '../../shared/contract/config.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import type { DrainReport } from '../../shared/drain/report.ts'
import { type MailboxHealth, summarize } from '../../shared/relay/health.ts'
import type { RelayEvent } from '../../shared/relay/ports.ts'
import { durationText, type Output, printable, table } from './output.ts'
import { drainedText, eventText, isTrouble, stateText, summaryText } from './relay-text.ts'

/** The table is drawn anew this often. */
const LIVE_MS = 500

/** What is shown while the relay runs. End it, or its timer runs on. */
export interface RelayView {
  event(event: RelayEvent): void
  /** `askedMs`: since the drain was asked for. */
  drained(mailbox: MailboxConfig, report: DrainReport, askedMs: number): void
  end(): void
}

export interface RelayViewSettings {
  health(): readonly MailboxHealth[]
  /** Drains are asked for and made elsewhere, so that asking is the last that is known of them. */
  readonly asks: boolean
}

interface Latest {
  readonly text: string
  readonly atMs: number
  /** From the news of mail to its announcement. */
  readonly latencyMs: number | undefined
}

/**
 * On a terminal a table of the mailboxes, and above it lines for trouble alone; else a line for everything that happens, as text or, with
 * --json, as objects.
 */
export function relayView(output: Output, { health, asks }: RelayViewSettings): RelayView {
  const live = output.live && (output.stdout as { isTTY?: boolean }).isTTY === true && !output.json
  const latest = new Map<MailboxId, Latest>()
  const draw = (): void => output.progress(tableLines(health(), latest, output.height - 1))
  /** How long the news waited before the drain was asked for. */
  const before = new Map<MailboxId, number>()
  const timer = live ? setInterval(draw, LIVE_MS) : undefined

  function line(mailbox: MailboxId, at: Date, value: object, text: string, show: boolean): void {
    if ((live && !show) || (!output.json && text === '')) return
    output.result(
      { at: at.toISOString(), mailbox, ...value },
      () => `${at.toISOString().slice(0, 19)}Z ${mailbox}: ${printable(text)}`,
    )
    if (live) draw()
  }

  return {
    event(event) {
      const { kind, mailbox, at } = event
      const text = kind === 'requested' && !asks ? '' : eventText(event)
      if (kind === 'requested') before.set(mailbox, event.waitedMs)
      const { latencyMs } = latest.get(mailbox) ?? {}
      if (text !== '') latest.set(mailbox, { text, atMs: performance.now(), latencyMs })
      line(mailbox, at, { kind, ...fieldsOf(event) }, text, isTrouble(event))
    },
    drained(mailbox, report, askedMs) {
      const { id } = mailbox
      const waitedMs = askedMs + (before.get(id) ?? 0)
      before.delete(id)
      const text = drainedText(mailbox, report, waitedMs)
      const latencyMs = report.counts.announced > 0 ? waitedMs : latest.get(id)?.latencyMs
      latest.set(id, { text, atMs: performance.now(), latencyMs })
      const { error, server, counts, mailbox: _, ...rest } = report
      const failure = error ? { error: { code: error.code, message: error.message } } : {}
      const value = { kind: 'drained', waitedMs: Math.round(waitedMs), ...rest, ...counts, ...failure }
      line(id, new Date(), value, text, error !== undefined)
    },
    end() {
      clearInterval(timer)
      output.clearProgress()
    },
  }
}

/** The worst first when not all fit. */
function tableLines(
  all: readonly MailboxHealth[],
  latest: ReadonlyMap<MailboxId, Latest>,
  height: number,
): string[] {
  const room = Math.max(1, height - 2)
  const shown = all.length <= room ? all : all.toSorted((a, b) => rank(a) - rank(b)).slice(0, room - 1)
  const rows = shown.map((mailbox) => {
    const { text = '', atMs = 0, latencyMs } = latest.get(mailbox.mailbox) ?? {}
    const ago = atMs === 0 ? '' : `, ${durationText(performance.now() - atMs)} ago`
    return [
      mailbox.mailbox,
      stateText(mailbox),
      mailbox.provenAgoMs === undefined ? '-' : durationText(mailbox.provenAgoMs),
      latencyMs === undefined ? '-' : durationText(latencyMs),
      `${text}${ago}`,
    ]
  })
  const more = all.length - shown.length
  return [
    summaryText(summarize(all)),
    ...table([['mailbox', 'state', 'proven', 'latency', 'last'], ...rows]).split('\n'),
    ...(more > 0 ? [`and ${more} more`] : []),
  ]
}

function rank({ state, overdue }: MailboxHealth): number {
  return overdue ? 0 : 1 + ['suspended', 'reconnecting', 'polling', 'watching'].indexOf(state)
}

/** What an event has besides its kind, mailbox and time; whole milliseconds. */
function fieldsOf(event: RelayEvent): object {
  const { kind, mailbox, at, ...exact } = event
  const fields = JSON.parse(JSON.stringify(exact), rounded) as object & { error?: unknown }
  if (!('error' in event) || event.error === undefined) return fields
  const { code, scope, message, remedy } = event.error
  return { ...fields, error: { code, scope, message, remedy } }
}

function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.round(value) : value
}
