import { matchesAnyGlob } from '../contract/glob.ts'
import type { MessageEntry } from '../ledger/segment.ts'
import type { ArchivedMessage } from './archived-messages.ts'
import type { MessageQuery } from './query.ts'

/** `unknown`: the entry was written without the field that decides, or with a list that was cut. */
export type Match = 'yes' | 'no' | 'unknown'

/** Compares messages with a query by their entries alone; made once for many. */
export function matcherOf(query: MessageQuery): (message: ArchivedMessage) => Match {
  const conditions = conditionsOf(query)
  return (message) => {
    let match: Match = 'yes'
    for (const condition of conditions) {
      const one = condition(message)
      if (one === 'no') return 'no'
      if (one === 'unknown') match = 'unknown'
    }
    return match
  }
}

type Condition = (message: ArchivedMessage) => Match

function conditionsOf(query: MessageQuery): Condition[] {
  const conditions: Condition[] = []
  const add = <Value>(value: Value | undefined, make: (value: Value) => Condition): void => {
    if (value !== undefined) conditions.push(make(value))
  }
  // Cheap ones first: the first that fails decides.
  add(
    query.mailboxes,
    (ids) =>
      ({ mailbox }) =>
        known(ids.includes(mailbox)),
  )
  add(query.ids && new Set(query.ids), (ids) => ({ mailbox, entry }) => {
    return known(ids.has(entry.sha256) || ids.has(`${mailbox}/${entry.sha256}`))
  })
  add(
    query.messageId,
    (ids) =>
      ({ entry }) =>
        known(ids.includes(entry.messageId ?? '')),
  )
  add(
    query.class,
    (classes) =>
      ({ entry }) =>
        known((classes as string[]).includes(entry.class ?? '')),
  )
  add(rangeOf(query.archivedSince, query.archivedBefore), (within) => ({ archivedAt }) => {
    return known(within(archivedAt))
  })
  add(rangeOf(query.since, query.before), (within) => (message) => known(timesOf(message).some(within)))
  add(query.subject, (words) => ({ entry }) => {
    return known(words.every((word) => matchesAnyGlob(`*${word}*`, [entry.subject ?? ''])))
  })
  add(
    query.from,
    (patterns) =>
      ({ entry }) =>
        known(matchesAnyGlob(patterns, sendersOf(entry))),
  )
  add(
    query.to,
    (patterns) =>
      ({ entry }) =>
        among(patterns, entry.to, entry.toCut),
  )
  add(query.address, (patterns) => ({ entry }) => {
    if (matchesAnyGlob(patterns, sendersOf(entry))) return 'yes'
    return among(patterns, entry.to, entry.toCut)
  })
  add(query.attachment, (patterns) => ({ entry }) => {
    return among(patterns, entry.attachments, entry.attachmentsCut)
  })
  return conditions
}

function known(holds: boolean): Match {
  return holds ? 'yes' : 'no'
}

function among(patterns: readonly string[], values: readonly string[] | undefined, cut?: boolean): Match {
  if (values && matchesAnyGlob(patterns, values)) return 'yes'
  return values && !cut ? 'no' : 'unknown'
}

function sendersOf({ from }: MessageEntry): string[] {
  return from?.split(', ') ?? []
}

function timesOf({ archivedAt, entry }: ArchivedMessage): string[] {
  const own = [entry.date, entry.internalDate, entry.receivedAt].filter((each) => each !== undefined)
  return own.length > 0 ? own : [archivedAt]
}

function rangeOf(since: string | undefined, before: string | undefined) {
  if (since === undefined && before === undefined) return undefined
  const fromMs = since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(since)
  const toMs = before === undefined ? Number.POSITIVE_INFINITY : Date.parse(before)
  return (at: string): boolean => {
    const atMs = Date.parse(at)
    return atMs >= fromMs && atMs < toMs
  }
}
