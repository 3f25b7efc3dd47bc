import type { SqsBatchResponse, SqsRecord } from './events.ts'

/**
 * Works on the messages of a FIFO queue one after the other. What is `again` comes back, and so does everything behind it of the same
 * group, without being looked at: order is what a group is for. Other groups go on. Rejects with the first defect when all have had their
 * turn, and then the whole batch comes back.
 */
export async function inOrder(
  records: readonly SqsRecord[],
  work: (record: SqsRecord) => Promise<'done' | 'again'>,
): Promise<SqsBatchResponse> {
  const batchItemFailures: { itemIdentifier: string }[] = []
  const blocked = new Set<string | undefined>()
  const defects: unknown[] = []
  for (const record of records) {
    const group = record.attributes.MessageGroupId
    if (!blocked.has(group)) {
      const outcome = await work(record).catch((defect: unknown) => {
        defects.push(defect)
        return 'again' as const
      })
      if (outcome === 'done') continue
      blocked.add(group)
    }
    batchItemFailures.push({ itemIdentifier: record.messageId })
  }
  if (defects.length > 0) throw defects[0]
  return { batchItemFailures }
}
