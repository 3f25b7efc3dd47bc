/**
 * What becomes of each element, in order, with the work for `atOnce` of them under way at the same time. A failure comes in its turn. Who stops early leaves
 * nothing behind: `unused` is given every result that was not taken.
 */
export async function* workAhead<Element, Result>(
  elements: AsyncIterable<Element>,
  atOnce: number,
  work: (element: Element) => Promise<Result>,
  unused: (result: Result) => Promise<void> = async () => {},
): AsyncGenerator<Result> {
  const underWay: Promise<Result>[] = []
  try {
    for await (const element of elements) {
      const result = work(element)
      // Its failure is met when its turn comes.
      result.catch(() => undefined)
      underWay.push(result)
      if (underWay.length >= atOnce) yield await (underWay.shift() as Promise<Result>)
    }
    while (underWay.length > 0) yield await (underWay.shift() as Promise<Result>)
  } finally {
    for (const left of await Promise.allSettled(underWay))
      if (left.status === 'fulfilled') await unused(left.value)
  }
}
