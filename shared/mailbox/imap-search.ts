import type { SearchObject } from 'imapflow'
import type { Uid } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import type { ImapConnection, ImapLimits } from './imap-connection.ts'
import { type Along, exchange } from './imap-exchange.ts'
import { sizeIn } from './imap-row.ts'
import type { Search } from './mailbox.ts'
import { isUid, sortedUids } from './uid-set.ts'

// Finding UIDs when some servers answer SEARCH with at most 1,000 of them and say nothing (Yahoo). SEARCH is far cheaper than
// FETCH, so it is asked first and believed when it agrees with EXISTS.

/** Every UID of the selected folder, ascending. */
export interface AllUids {
  readonly uids: readonly Uid[]
  /** RFC822.SIZE of the newest messages: whoever asks what there is mostly asks for these next. */
  readonly sizes: ReadonlyMap<Uid, number>
  /** How many UIDs the server puts into one answer at most; undefined when it showed no such cap. */
  readonly cap: number | undefined
}

interface Walked {
  readonly uids: readonly Uid[]
  /** Of the answers. */
  readonly longest: number
}

const NOTHING: Walked = { uids: [], longest: 0 }
const MAX_UID = 0xffff_ffff
const MOST_WINDOWS = 100

/** SEARCH of all and the sizes of some, sent in one flight. */
export interface Asked {
  /** Undefined when the server refuses the search. */
  uids: readonly Uid[] | undefined
  readonly sizes: Map<Uid, number>
}

/**
 * The same to be sent along with SELECT, which does not wait to be told how many there are: the sizes of what has come since UIDNEXT was
 * `lastUidNext`, for it has the UIDs that follow.
 */
export function askAlong(
  { limits }: ImapConnection,
  lastUidNext: number | undefined,
): { readonly asked: Asked; readonly along: Along } {
  const low = isUid(lastUidNext) ? lastUidNext : 1
  const high = Math.min(MAX_UID, low + limits.sizesWithSearch - 1)
  const { asked, ...along } = askingFor(limits, `UID FETCH ${low}:${high} (UID RFC822.SIZE)`)
  return { asked, along }
}

/**
 * Lists the selected folder: SEARCH, in windows when one answer would be too long or the server cuts its answers, then FETCH
 * when it still disagrees with EXISTS. `before`: what was asked along with SELECT.
 */
export async function searchAll(connection: ImapConnection, before?: Asked): Promise<AllUids> {
  if (exists(connection) === 0) return { uids: [], sizes: new Map(), cap: undefined }
  const fits = exists(connection) <= connection.limits.searchAnswerUids
  // A server that takes nothing behind SELECT may take it now.
  const asked = before?.uids ? before : fits ? await askForAll(connection) : undefined
  const { uids: first, sizes } = asked ?? { uids: undefined, sizes: new Map<Uid, number>() }
  if (first && first.length >= exists(connection)) return { uids: first, sizes, cap: undefined }
  const cap = first && first.length > 0 ? first.length : undefined
  const walked = fits && cap === undefined ? NOTHING : await walk(connection, cap ?? Infinity)
  if (walked.uids.length >= exists(connection)) return { uids: walked.uids, sizes, cap }
  // A message that one of them saw and the other did not may have gone meanwhile: fetching tells.
  const uids = sortedUids([...walked.uids, ...(await fetchAllUids(connection))])
  return { uids, sizes, cap: cap ?? (walked.longest || undefined) }
}

/**
 * Those of `uids` that match. One SEARCH over their range; on a server with a cap, SEARCHes over so few UIDs each that no
 * answer can reach it.
 */
export async function searchAmong(
  connection: ImapConnection,
  uids: readonly Uid[],
  criteria: SearchObject,
  cap: number | undefined,
): Promise<readonly Uid[]> {
  const among = new Set(uids)
  const found: Uid[] = []
  const windowMessages = Math.min(connection.limits.searchAnswerUids, Math.max(1, (cap ?? Infinity) - 1))
  for (let at = 0; at < uids.length; at += windowMessages) {
    const window = uids.slice(at, at + windowMessages)
    const answer = await ask(connection, { ...criteria, uid: `${window[0]}:${window.at(-1)}` })
    if (!answer) throw connection.refusal('SEARCH', 'PROTOCOL_VIOLATION')
    found.push(...answer.filter((id) => among.has(id)))
  }
  return sortedUids(found)
}

/** The configured search in imapflow's words. imapflow quotes strings, or sends them as literals when they are not ASCII. */
export function criteriaOf(search: Search): SearchObject {
  const criteria: SearchObject = {}
  if (search.since !== undefined) criteria.since = utcDay(search.since)
  if (search.before !== undefined) criteria.before = utcDay(search.before)
  if (search.from !== undefined) criteria.from = oneLine('from', search.from.replace(/^\*+|\*+$/g, ''))
  if (search.subject !== undefined) criteria.subject = oneLine('subject', search.subject)
  return criteria
}

/** SEARCH of all and the sizes of the newest. */
async function askForAll(connection: ImapConnection): Promise<Asked> {
  const last = exists(connection)
  const first = Math.max(1, last - connection.limits.sizesWithSearch + 1)
  const { asked, behind, untagged, answered } = askingFor(
    connection.limits,
    `FETCH ${first}:${last} (UID RFC822.SIZE)`,
  )
  answered(await exchange(connection, behind, untagged))
  return asked
}

function askingFor({ listedUids }: ImapLimits, sizes: string) {
  const asked: Asked = { uids: undefined, sizes: new Map() }
  const found: Uid[] = []
  return {
    asked,
    behind: ['UID SEARCH ALL', sizes],
    untagged: {
      row(row) {
        const size = sizeIn(row)
        if (size !== undefined) asked.sizes.set(row.uid, size)
      },
      found(numbers) {
        for (const number of numbers) if (isUid(number)) found.push(number)
        if (found.length > listedUids)
          throw new IngestError('PROTOCOL_VIOLATION', `SEARCH: an answer of more than ${listedUids} messages`)
      },
    },
    answered([refused]) {
      if (!refused) asked.uids = sortedUids(found)
    },
  } satisfies Along & { readonly asked: Asked }
}

/** Halves every window whose answer is as long as the longest answer so far: only a shorter one is known to be complete. */
async function walk(connection: ImapConnection, cap: number): Promise<Walked> {
  const found: Uid[] = []
  let longest = 0
  const last = (connection.selected()?.uidNext || MAX_UID + 1) - 1
  // A UIDNEXT far beyond the messages must not cost a SEARCH per 100,000 unused UIDs.
  const width = Math.max(connection.limits.searchWindowUids, Math.ceil(last / MOST_WINDOWS))
  const windows: [number, number][] = []
  for (let high = last; high >= 1; high -= width) windows.push([Math.max(1, high - width + 1), high])
  for (let window = windows.pop(); window; window = windows.pop()) {
    const [low, high] = window
    const answer = await ask(connection, { uid: `${low}:${high}` })
    if (!answer) return NOTHING
    longest = Math.max(longest, answer.length)
    const inside = answer.filter((id) => id >= low && id <= high)
    if (inside.length < cap || low === high || inside.length === high - low + 1) {
      found.push(...inside)
    } else {
      const middle = Math.floor((low + high) / 2)
      windows.push([middle + 1, high], [low, middle])
    }
  }
  return { uids: sortedUids(found), longest }
}

async function fetchAllUids(connection: ImapConnection): Promise<Uid[]> {
  return connection.run('FETCH 1:* (UID)', async () => {
    const found: Uid[] = []
    for await (const row of connection.client.fetch('1:*', { uid: true }))
      if (isUid(row.uid)) found.push(row.uid)
    return found
  })
}

/** Undefined when the server refuses the search. */
async function ask(connection: ImapConnection, criteria: SearchObject): Promise<Uid[] | undefined> {
  const answer = await connection.run('SEARCH', () => connection.client.search(criteria, { uid: true }))
  return Array.isArray(answer) ? answer.filter(isUid) : undefined
}

function exists(connection: ImapConnection): number {
  return connection.selected()?.exists || 0
}

function utcDay(day: string): Date {
  return new Date(`${day}T00:00:00Z`)
}

function oneLine(name: string, text: string): string {
  if (/[\x00-\x1f\x7f]/.test(text))
    throw new IngestError('PROTOCOL_VIOLATION', `search.${name} contains a control character`)
  return text
}
