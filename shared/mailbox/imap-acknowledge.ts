import type { SearchObject } from 'imapflow'
import type { Uid } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import type { ImapConnection } from './imap-connection.ts'
import { searchAmong } from './imap-search.ts'
import type { Acknowledgement, AcknowledgementEffect } from './mailbox.ts'
import { uidRuns, uidSet } from './uid-set.ts'

// Acknowledging by UID only. EXPUNGE without UIDs, and CLOSE, remove whatever anybody has marked \Deleted, so neither is ever
// sent: without UIDPLUS a message stays marked. A folder is left by selecting another one or by LOGOUT, which expunge nothing.

const REFUSED = 'ACKNOWLEDGEMENT_REFUSED'

/** Of `uids` (ascending, in the selected folder) those on which `action` still has to be done. */
export async function findOutstanding(
  connection: ImapConnection,
  uids: readonly Uid[],
  action: Acknowledgement,
  cap: number | undefined,
): Promise<readonly Uid[]> {
  if (uids.length === 0) return []
  return searchAmong(connection, uids, lacking(connection, action), cap)
}

/** `uids` ascending; the folder is selected for writing; `target` is the server's name of the folder to move to. */
export async function acknowledgeMessages(
  connection: ImapConnection,
  uids: readonly Uid[],
  action: Acknowledgement,
  target: string | undefined,
): Promise<AcknowledgementEffect> {
  if (connection.selected()?.readOnly === true)
    throw refused(connection, 'the server opens the folder for reading only')

  let effect: AcknowledgementEffect = EFFECT[action.kind]
  for (const run of uidRuns(uids, connection.limits.uidSetCharacters))
    effect = await acknowledgeRun(connection, uidSet(run), action, target)
  return effect
}

const EFFECT = { seen: 'seen', flag: 'flagged', move: 'moved', delete: 'deleted' } as const

async function acknowledgeRun(
  connection: ImapConnection,
  set: string,
  action: Acknowledgement,
  target: string | undefined,
): Promise<AcknowledgementEffect> {
  switch (action.kind) {
    case 'seen':
      await store(connection, set, '\\Seen')
      return 'seen'
    case 'flag':
      await store(connection, set, action.keyword)
      return 'flagged'
    case 'delete':
      return remove(connection, set, 'deleted')
    case 'move': {
      const { client } = connection
      const folder = target ?? action.folder
      if (connection.supports('MOVE')) {
        await demand(connection, `MOVE to ${folder}`, () => client.messageMove(set, folder, { uid: true }))
        return 'moved'
      }
      await demand(connection, `COPY to ${folder}`, () => client.messageCopy(set, folder, { uid: true }))
      return remove(connection, set, 'moved')
    }
  }
}

async function remove<Done extends AcknowledgementEffect>(
  connection: ImapConnection,
  set: string,
  done: Done,
): Promise<Done | 'marked-deleted'> {
  if (!connection.supports('UIDPLUS')) {
    await store(connection, set, '\\Deleted')
    return 'marked-deleted'
  }
  storable(connection, '\\Deleted')
  // STORE \Deleted, then UID EXPUNGE of the same UIDs; imapflow falls back to a bare EXPUNGE only without UIDPLUS.
  await demand(connection, 'UID EXPUNGE', () => connection.client.messageDelete(set, { uid: true }))
  return done
}

async function store(connection: ImapConnection, set: string, flag: string): Promise<void> {
  const stored = storable(connection, flag)
  await demand(connection, `STORE ${stored}`, () =>
    connection.client.messageFlagsAdd(set, [stored], { uid: true, silent: true }),
  )
}

/** imapflow answers a refused command with `false`, and a lost connection in some of them too. */
async function demand(
  connection: ImapConnection,
  doing: string,
  work: () => Promise<unknown>,
): Promise<void> {
  const done = await connection.run(doing, work, { refused: REFUSED })
  if (!done) throw connection.refusal(doing, REFUSED)
}

/** What tells on the server that an action has not been done. */
function lacking(connection: ImapConnection, action: Acknowledgement): SearchObject {
  switch (action.kind) {
    case 'seen':
      return { seen: false }
    case 'flag':
      return { unKeyword: action.keyword }
    case 'delete':
      // Still there though \Deleted: an earlier session died before it could expunge.
      return connection.supports('UIDPLUS') ? {} : { deleted: false }
    case 'move':
      // After COPY and \Deleted another COPY would be a second one.
      return connection.supports('MOVE') ? {} : { deleted: false }
  }
}

/**
 * The flag as the folder spells it. imapflow sends nothing at all for a flag that the folder does not store permanently
 * (RFC 9051, 7.1, PERMANENTFLAGS), and it compares the case.
 */
function storable(connection: ImapConnection, flag: string): string {
  const allowed = connection.selected()?.permanentFlags
  if (!allowed || allowed.has('\\*') || allowed.has(flag)) return flag
  const same = [...allowed].find((one) => one.toLowerCase() === flag.toLowerCase())
  if (same !== undefined) return same
  throw refused(
    connection,
    `the server does not store ${flag} there; it stores ${[...allowed].sort().join(' ') || 'no flags'}`,
  )
}

function refused({ selected, where }: ImapConnection, why: string): IngestError {
  const folder = selected()?.path
  return new IngestError(REFUSED, `${where}: folder ${folder}: ${why}`)
}
