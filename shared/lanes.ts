/**
 * Does the work for each item, `atOnce` of them at the same time; the results are in the order of the items. After the first failure nothing more is
 * begun, and it rejects with that one when what was under way has ended.
 */
export async function inLanes<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const waiting = items.entries()
  let failure: { readonly error: unknown } | undefined
  const lane = async (): Promise<void> => {
    for (const [index, item] of waiting) {
      if (failure) return
      try {
        results[index] = await work(item)
      } catch (error) {
        failure ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane))
  if (failure) throw failure.error
  return results
}

/** Groups of at most `size`, so that something can be done for several at the same time. */
export async function* inGroups<Item>(items: AsyncIterable<Item>, size: number): AsyncGenerator<Item[]> {
  let group: Item[] = []
  for await (const item of items) {
    group.push(item)
    if (group.length < size) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}

/**
 * Opens a sequence for each item, in order, and asks for the first of it `atOnce` items ahead of who takes them, so that nobody waits for each beginning.
 * Each sequence is to be taken, or given up, before the next item is asked for; what was opened and not taken is closed.
 */
export async function* begunAhead<Item, Value>(
  items: readonly Item[],
  atOnce: number,
  open: (item: Item) => AsyncGenerator<Value>,
): AsyncGenerator<readonly [item: Item, sequence: AsyncGenerator<Value>]> {
  const begun: (readonly [Item, AsyncGenerator<Value>, Promise<IteratorResult<Value>>])[] = []
  const waiting = items.values()
  try {
    while (true) {
      for (const item of waiting) {
        const sequence = open(item)
        const first = sequence.next()
        // Its failure is met when its turn comes.
        first.catch(() => undefined)
        begun.push([item, sequence, first])
        if (begun.length >= atOnce) break
      }
      const next = begun.shift()
      if (!next) return
      const [item, sequence, first] = next
      yield [item, goingOn(first, sequence)]
    }
  } finally {
    await Promise.allSettled(begun.map(([, sequence]) => sequence.return(undefined)))
  }
}

async function* goingOn<Value>(
  first: Promise<IteratorResult<Value>>,
  sequence: AsyncGenerator<Value>,
): AsyncGenerator<Value> {
  try {
    for (let next = await first; !next.done; next = await sequence.next()) yield next.value
  } finally {
    await sequence.return(undefined)
  }
}
