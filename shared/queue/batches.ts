export interface BatchLimits {
  readonly messages: number
  readonly octets: number
}

/**
 * Cuts a list into batches, in order, each within both limits. What exceeds `octets` by itself stands alone:
 * the queue says what it thinks of it.
 */
export function batchesOf<T>(items: readonly T[], octetsOf: (item: T) => number, limits: BatchLimits): T[][] {
  const batches: T[][] = []
  let octets = 0
  for (const item of items) {
    const size = octetsOf(item)
    const batch = batches.at(-1)
    if (batch && batch.length < limits.messages && octets + size <= limits.octets) {
      batch.push(item)
      octets += size
    } else {
      batches.push([item])
      octets = size
    }
  }
  return batches
}
