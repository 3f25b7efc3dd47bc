import type { FetchMessageObject, FetchQueryObject } from 'imapflow'
import type { Uid } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import type { ImapConnection } from './imap-connection.ts'
import { uidSet } from './uid-set.ts'

/**
 * One UID FETCH: the rows of the UIDs asked for, each once, as they arrive. Rows of other UIDs (servers send them unasked, and
 * `N:*` always answers with one) are dropped. `octets` is what is asked for, and sets the time that the server may take; the
 * time that the receiver takes does not count. A NO or BAD is thrown as MESSAGE_UNFETCHABLE: the session goes on then.
 */
export async function* fetchRows(
  connection: ImapConnection,
  uids: readonly Uid[],
  query: FetchQueryObject,
  octets: number,
): AsyncGenerator<FetchMessageObject & { readonly uid: Uid }> {
  const { limits, client } = connection
  const awaited = new Set<number>(uids)
  const refused = 'MESSAGE_UNFETCHABLE'
  const doing = fetchOf(uids)
  let leftMs = limits.commandMs + (octets / limits.slowestOctetsPerSecond) * 1000
  const rows = client.fetch(uidSet(uids), query, { uid: true })
  let ended = false
  try {
    while (true) {
      const began = performance.now()
      const { done, value } = await connection.run(doing, () => rows.next(), {
        timeoutMs: Math.max(1, leftMs),
        refused,
      })
      leftMs -= performance.now() - began
      if (done) break
      if (awaited.delete(value.uid)) yield value as FetchMessageObject & { uid: Uid }
    }
    ended = true
  } catch (error) {
    ended = true
    throw error
  } finally {
    // The receiver left: the rest of the answer would have to be read off the wire before anything else could be said.
    if (!ended) client.close()
  }
}

/** For what is said of it. */
export function fetchOf(uids: readonly Uid[]): string {
  return `FETCH of ${uids.length === 1 ? `UID ${uids[0]}` : `${uids.length} messages`}`
}

/** True when the server answered a FETCH with NO or BAD and gave no reason that concerns the session. */
export function isRefused(error: unknown): error is IngestError {
  return error instanceof IngestError && error.code === 'MESSAGE_UNFETCHABLE'
}
