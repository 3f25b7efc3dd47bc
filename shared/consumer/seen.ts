import { createHash } from 'node:crypto'
import type { ObjectKey } from '../contract/ids.ts'
import type { Revision, StateStore } from '../state/state.ts'

/** The right to handle an event; others are told that it is under way, until it is finished, released or has run out. */
export interface Claim {
  /** It was handled: whoever claims it from now on is told that it is done. */
  finish(): Promise<void>
  /** It was not: the next one may. */
  release(): Promise<void>
}

/** The port of what remembers which events were handled, by their id. */
export interface SeenEvents {
  claim(eventId: string): Promise<Claim | 'done' | 'under-way'>
}

export interface SeenOptions {
  /** Which consumer: several keep their records apart in one store. Letters, digits, hyphens. */
  readonly consumer: string
  /** After this a claim counts for nothing: whoever had it is thought dead. Longer than handling may take. @default 15 minutes, as long as a Lambda runs */
  readonly leaseMs?: number
  /** @default the system's clock */
  readonly now?: () => number
}

type Mark = { readonly state: 'claimed'; readonly until: number } | { readonly state: 'done' }

/**
 * Remembers in a store with compare-and-swap: a bucket of S3 (conditional writes), a folder, or memory; an object `seen/<consumer>/<digest>` for
 * each event, of some thirty octets, which a lifecycle rule may remove once no queue can bring the event again (14 days; longer, if events are
 * replayed). A handler whose lease runs out while it works may be overtaken: the event is handled twice then, and never lost.
 */
export function rememberEvents(store: Pick<StateStore, 'read' | 'write'>, options: SeenOptions): SeenEvents {
  const { consumer, leaseMs = 15 * 60_000, now = Date.now } = options
  if (!/^[A-Za-z0-9-]{1,64}$/.test(consumer))
    throw new TypeError(`consumer: expected up to 64 letters, digits and hyphens`)

  return {
    async claim(eventId) {
      const key = `seen/${consumer}/${createHash('sha256').update(eventId).digest('hex')}` as ObjectKey
      const there = await store.read(key)
      const mark = there && (JSON.parse(there.content.toString()) as Mark)
      if (mark?.state === 'done') return 'done'
      if (mark && mark.until > now()) return 'under-way'
      const mine: Mark = { state: 'claimed', until: now() + leaseMs }
      if (!(await store.write(key, encode(mine), there?.revision))) return 'under-way'
      return {
        finish: async () => void (await store.write(key, encode({ state: 'done' }), 'any')),
        async release() {
          const current = await store.read(key)
          if (current?.content.equals(encode(mine))) await free(store, key, current.revision)
        },
      }
    },
  }
}

/** Nothing can be removed from a store: a claim that ran out long ago is none. */
async function free(store: Pick<StateStore, 'write'>, key: ObjectKey, revision: Revision): Promise<void> {
  await store.write(key, encode({ state: 'claimed', until: 0 }), revision)
}

function encode(mark: Mark): Buffer {
  return Buffer.from(JSON.stringify(mark))
}
