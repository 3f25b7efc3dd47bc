import type { ImapFlow, MailboxObject } from 'imapflow'
import { IngestError } from '../errors.ts'
import { IMAP, RELAY } from '../limits.ts'
import { connectImap, type ImapConnection, type ImapLimits } from './imap-connection.ts'
import { epochOf, folderStatus, listFolders, matchFolders } from './imap-folders.ts'
import type { MailboxAccess } from './mailbox.ts'
import type { OpenWatch, Watch, WatchListener } from './watch.ts'

/** A watch is silent for as long as one IDLE lasts; whether the server is still there is asked by the relay, not by a timer of the socket. */
const WATCH: ImapLimits = { ...IMAP, commandMs: RELAY.replyMs, idleMs: 2 * RELAY.renewMs }

/** IDLE over imapflow. */
export const openImapWatch: OpenWatch = imapWatchOpener(WATCH)

/** `openImapWatch` under other limits. */
export function imapWatchOpener(limits: ImapLimits): OpenWatch {
  return async (access, listener) => {
    const connection = await connectImap(access, limits)
    keepAlive(connection.client)
    return imapWatch(access, connection, listener)
  }
}

function imapWatch(access: MailboxAccess, connection: ImapConnection, listener: WatchListener): Watch {
  const { client, where } = connection
  // It may have closed between the answer to the log-in and here.
  if (!client.usable) {
    client.close()
    throw causeOf(connection)
  }
  let canIdle = connection.supports('IDLE')
  /** Commands that end IDLE and are not answered yet. */
  let asked = 0
  /** What SELECT answers is no news but the state of the folder. */
  let selecting = false
  let left = false
  let closing: Promise<void> | undefined

  const counted = (): void => {
    const { mailbox } = client
    if (mailbox && !selecting) listener.counted(mailbox.exists)
  }
  client.on('exists', counted)
  client.on('expunge', counted)
  client.on('flags', () => listener.heard())
  client.once('close', () => {
    if (left) return
    left = true
    listener.lost(causeOf(connection))
  })

  async function command<T>(work: () => Promise<T>): Promise<T> {
    asked++
    try {
      return await work()
    } finally {
      asked--
    }
  }

  return {
    server: connection.server,
    sessionMs: access.accessTokenEndsAt && Math.max(0, access.accessTokenEndsAt.getTime() - Date.now()),
    get canIdle() {
      return canIdle
    },

    folders: () =>
      command(async () => {
        const { folders, prefix } = await listFolders(connection)
        return matchFolders(folders, access, { where, prefix })
      }),

    select: (folder) =>
      command(async () => {
        const open = async (): Promise<MailboxObject> => {
          selecting = true
          try {
            return await client.mailboxOpen(folder)
          } finally {
            selecting = false
          }
        }
        const opened = await connection.run(`SELECT ${folder}`, open, { refused: 'FOLDER_MISSING' })
        return {
          folder,
          epoch: epochOf(opened.uidValidity, folder, where),
          messages: opened.exists,
          uidNext: opened.uidNext || undefined,
          ids: undefined,
        }
      }),

    status: (folder) => command(() => folderStatus(connection, folder)),

    idle() {
      const ended = (answer: boolean | undefined): void => {
        if (left || !client.usable) return
        if (answer === false) canIdle = false
        if (asked === 0) listener.idleEnded()
      }
      // What it fails with is what the connection ends with.
      client.idle().then(ended, () => undefined)
    },

    prove: () =>
      command(() =>
        connection.run('NOOP', async () => {
          await client.noop()
          // It resolves, too, when the connection was lost under it.
          if (!client.usable) throw causeOf(connection)
        }),
      ),

    close() {
      left = true
      closing ??= connection.close()
      return closing
    },

    abort() {
      left = true
      connection.abort()
    },
  }
}

/** Whatever imapflow ended the connection with: it is lost. */
function causeOf(connection: ImapConnection): IngestError {
  const cause = connection.refusal('IDLE')
  if (cause instanceof IngestError) return cause
  return new IngestError('CONNECTION_LOST', `${connection.where}: the connection broke`, { cause })
}

/** imapflow asks the peer's kernel every five seconds, which ten thousand connections pay for by the gigabyte. */
function keepAlive(client: ImapFlow): void {
  const { socket } = client as unknown as {
    socket?: { setKeepAlive?: (on: boolean, afterMs: number) => void }
  }
  socket?.setKeepAlive?.(true, RELAY.keepAliveMs)
}
