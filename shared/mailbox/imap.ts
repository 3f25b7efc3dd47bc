import type { Uid } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { IMAP } from '../limits.ts'
import { acknowledgeMessages, findOutstanding } from './imap-acknowledge.ts'
import { connectImap, type ImapConnection, type ImapLimits } from './imap-connection.ts'
import type { Along } from './imap-exchange.ts'
import { fetchMessages } from './imap-fetch.ts'
import {
  configuredFolders,
  epochOf,
  folderStatus,
  type ListedFolders,
  listFolders,
  resolveFolder,
  takeAsListed,
} from './imap-folders.ts'
import { type Known, knowing } from './imap-known.ts'
import { askAlong, criteriaOf, searchAll, searchAmong } from './imap-search.ts'
import type { Listing, MailboxAccess, MailboxSession, OpenMailbox, ServerId } from './mailbox.ts'
import { isUid, sortedUids } from './uid-set.ts'

/**
 * IMAP4rev1 and rev2 (RFC 3501, RFC 9051) over imapflow. A folder is opened with SELECT, for reading too: after EXAMINE servers that keep
 * UIDs in files (Courier) forget those that they gave out, and give them to other messages in the next session.
 */
export const openImap: OpenMailbox = imapOpener(IMAP)

/** `openImap` under other limits. */
export function imapOpener(limits: ImapLimits): OpenMailbox {
  return async (access) => imapSession(access, await connectImap(access, limits))
}

function imapSession(access: MailboxAccess, connection: ImapConnection): MailboxSession {
  const { client, where } = connection
  const known = new WeakMap<Listing, Known>()
  let there: ListedFolders | undefined
  let cap: number | undefined
  let closing: Promise<void> | undefined

  const allFolders = async (): Promise<ListedFolders> => {
    there ??= await listFolders(connection)
    return there
  }

  async function select(
    folder: string,
    along?: Along,
  ): Promise<{ epoch: Listing['epoch']; uidNext: number | undefined }> {
    if (folder === 'INBOX') takeAsListed(connection)
    // imapflow asks LIST and LSUB before it selects a folder that it has not listed.
    else await allFolders()
    const mailbox = await connection.run(`SELECT ${folder}`, () => client.mailboxOpen(folder), {
      refused: 'FOLDER_MISSING',
      ...(along && { along }),
    })
    return { epoch: epochOf(mailbox.uidValidity, folder, where), uidNext: mailbox.uidNext || undefined }
  }

  /** Selects the listing's folder again, unless reading finds it selected; UIDs of another UIDVALIDITY would name other messages. */
  async function reselect({ folder, epoch }: Listing, need: 'reading' | 'writing'): Promise<void> {
    const { mailbox } = client
    const selected = mailbox && mailbox.path === folder && String(mailbox.uidValidity) === epoch
    if (selected && need === 'reading') return
    const now = await select(folder)
    if (now.epoch !== epoch)
      throw new IngestError(
        'EPOCH_CHANGED',
        `${where}: folder ${folder} had UIDVALIDITY ${epoch} and now has ${now.epoch}`,
      )
  }

  return {
    protocol: 'imap',
    server: connection.server,
    acknowledgedBy: 'acknowledge',

    async folders() {
      return configuredFolders(connection, access, allFolders)
    },

    async status() {
      const folders = await configuredFolders(connection, access, allFolders)
      const statuses = []
      for (const folder of folders) statuses.push(await folderStatus(connection, folder))
      return statuses
    },

    async list(folder, lastUidNext) {
      const { asked, along } = askAlong(connection, lastUidNext)
      const { epoch, uidNext } = await select(folder, along)
      const all = await searchAll(connection, asked)
      cap = all.cap
      const selected =
        access.search && (await searchAmong(connection, all.uids, criteriaOf(access.search), cap))
      const listing: Listing = { folder, epoch, ids: all.uids, selected, uidNext }
      known.set(listing, knowing(all.uids, all.sizes))
      return listing
    },

    async *fetch(listing, ids, options) {
      await reselect(listing, 'reading')
      const of = known.get(listing) ?? knowing(uidsOf(listing.ids))
      known.set(listing, of)
      yield* fetchMessages(connection, of, uidsOf(ids), options)
    },

    async outstanding(listing, ids, action) {
      await reselect(listing, 'reading')
      return findOutstanding(connection, uidsOf(ids), action, cap)
    },

    async acknowledge(listing, ids, action) {
      let target: string | undefined
      if (action.kind === 'move') {
        const { folders, prefix } = await allFolders()
        target = resolveFolder(folders, action.folder, { where, prefix })
      }
      await reselect(listing, 'writing')
      return acknowledgeMessages(connection, uidsOf(ids), action, target)
    },

    close() {
      closing ??= connection.leave()
      return closing
    },

    abort: () => connection.abort(),
  }
}

/** Ascending. Anything but UIDs here is a mix-up of two mailboxes: a defect. */
function uidsOf(ids: readonly ServerId[]): readonly Uid[] {
  const uids = ids.filter(isUid)
  if (uids.length !== ids.length) throw new TypeError('ids of an IMAP mailbox are UIDs')
  return sortedUids(uids)
}
