import type { ServerId } from '../mailbox/mailbox.ts'

interface Run {
  from: number
  to: number
  day: number
}

/** The days of UTC since 1970-01-01. */
export function dayOf(time: Date): number {
  return Math.floor(time.getTime() / 86_400_000)
}

/**
 * Message ids, each with the day on which it became known. UIDs are kept as runs, so that a million of them, seen in order,
 * cost a few numbers a day; UIDLs one by one, for they have no order.
 */
export class IdDays {
  /** Ascending, disjoint; neighbours of one day are one run. */
  readonly #runs: Run[] = []
  readonly #uidls = new Map<string, number>()
  #uids = 0

  get size(): number {
    return this.#uids + this.#uidls.size
  }

  dayOf(id: ServerId): number | undefined {
    if (typeof id === 'string') return this.#uidls.get(id)
    const run = this.#runs[this.#firstEndingAt(id)]
    return run && run.from <= id ? run.day : undefined
  }

  has(id: ServerId): boolean {
    return this.dayOf(id) !== undefined
  }

  /** An id that is known already keeps its day. */
  add(id: ServerId, day: number): void {
    if (typeof id === 'number') this.addRun(id, id, day)
    else if (!this.#uidls.has(id)) this.#uidls.set(id, day)
  }

  /** UIDs from `from` to `to`, both included. Those that are known already keep their day. */
  addRun(from: number, to: number, day: number): void {
    let next = from
    let at = this.#firstEndingAt(from)
    while (next <= to) {
      const known = this.#runs[at]
      if (known && known.from <= next) {
        next = known.to + 1
        at++
        continue
      }
      const end = known ? Math.min(to, known.from - 1) : to
      this.#uids += end - next + 1
      at = this.#insert(at, { from: next, to: end, day })
      next = end + 1
    }
  }

  delete(id: ServerId): void {
    if (typeof id === 'string') {
      this.#uidls.delete(id)
      return
    }
    const at = this.#firstEndingAt(id)
    const run = this.#runs[at]
    if (!run || run.from > id) return
    const pieces = [
      { ...run, to: id - 1 },
      { ...run, from: id + 1 },
    ].filter(({ from, to }) => from <= to)
    this.#runs.splice(at, 1, ...pieces)
    this.#uids--
  }

  /** UIDLs alone: UIDs are never used again, so nobody asks which of them are left (RFC 9051, 2.3.1.1). */
  uidls(): IterableIterator<string> {
    return this.#uidls.keys()
  }

  toJSON(): IdDaysJson {
    const uidls: Record<string, string[]> = {}
    for (const [uidl, day] of this.#uidls) {
      uidls[day] ??= []
      uidls[day].push(uidl)
    }
    return { uids: this.#runs.map(({ from, to, day }) => [from, to, day]), uidls }
  }

  static fromJSON(json: IdDaysJson): IdDays {
    const ids = new IdDays()
    for (const [from, to, day] of json.uids) ids.addRun(from, to, day)
    for (const [day, uidls] of Object.entries(json.uidls))
      for (const uidl of uidls) ids.#uidls.set(uidl, Number(day))
    return ids
  }

  /** Index of the first run that ends at `uid` or later. Ids mostly arrive in order, so the end is looked at first. */
  #firstEndingAt(uid: number): number {
    const last = this.#runs.at(-1)
    if (!last || last.to < uid) return this.#runs.length
    let low = 0
    let high = this.#runs.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#runs[middle] as Run).to >= uid) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Puts a run between its neighbours or joins it with them; returns the index from which to look on. */
  #insert(at: number, run: Run): number {
    const before = this.#runs[at - 1]
    const after = this.#runs[at]
    const joinsBefore = before?.day === run.day && before.to === run.from - 1
    const joinsAfter = after?.day === run.day && after.from === run.to + 1
    if (joinsBefore && joinsAfter) {
      before.to = after.to
      this.#runs.splice(at, 1)
      return at - 1
    }
    if (joinsBefore) {
      before.to = run.to
      return at
    }
    if (joinsAfter) {
      after.from = run.from
      return at
    }
    this.#runs.splice(at, 0, run)
    return at + 1
  }
}

export interface IdDaysJson {
  readonly uids: readonly (readonly [from: number, to: number, day: number])[]
  /** By day. */
  readonly uidls: Readonly<Record<string, readonly string[]>>
}

/**
 * Many ids in one field of an entry: UIDs as a sequence set (RFC 9051, 9), UIDLs as a list.
 * Of one folder and epoch, hence never mixed.
 */
export type IdList = string | string[]

export function idList(ids: readonly ServerId[]): IdList {
  if (typeof ids[0] === 'string') return [...ids] as string[]
  const runs = new IdDays()
  for (const id of ids) runs.add(id, 0)
  return runs
    .toJSON()
    .uids.map(([from, to]) => (from === to ? `${from}` : `${from}:${to}`))
    .join(',')
}

/** Runs of UIDs, or UIDLs; a run is not spelt out, for it may be long. */
export function readIdList(list: IdList): { runs: [from: number, to: number][]; uidls: readonly string[] } {
  if (typeof list !== 'string') return { runs: [], uidls: list }
  const runs = list.split(',').map((part): [number, number] => {
    const [from, to = from] = part.split(':').map(Number)
    return [from as number, to as number]
  })
  return { runs, uidls: [] }
}

/** How many ids a list has. */
export function countIds(list: IdList): number {
  const { runs, uidls } = readIdList(list)
  return runs.reduce((sum, [from, to]) => sum + to - from + 1, uidls.length)
}
