import { createHash } from 'node:crypto'
import { type Sha256, uid } from '../contract/ids.ts'
import { IMAP, RELAY } from '../limits.ts'
import { CANARY_FIELD, type OpenCanary } from './canary.ts'
import { acknowledgeMessages } from './imap-acknowledge.ts'
import { connectImap, type ImapConnection } from './imap-connection.ts'
import { sortedUids } from './uid-set.ts'

/** APPEND and UID EXPUNGE over imapflow. Between the two it is silent for as long as the canary takes. */
export const openImapCanary: OpenCanary = async (access) => {
  const connection = await connectImap(access, { ...IMAP, idleMs: IMAP.idleMs + RELAY.canaryMs })
  const { client } = connection
  return {
    async append(folder, octets) {
      const doing = `APPEND to ${folder}`
      // Another client has seen it: a person who reads the mailbox need not.
      const appended = await connection.run(doing, () => client.append(folder, octets, ['\\Seen']), {
        refused: 'FOLDER_MISSING',
      })
      if (!appended) throw connection.refusal(doing, 'FOLDER_MISSING')
      const [, id = ''] = new RegExp(`^${CANARY_FIELD}: (\\S+)`, 'm').exec(octets.toString('latin1')) ?? []
      const [found] = await canaries(connection, folder, id)
      const fetch = () => client.fetchOne(String(found), { source: true }, { uid: true })
      const message = found === undefined ? false : await connection.run('FETCH', fetch)
      // Gone already: the drain was faster, and afterArchive removes.
      const stored = message ? (message.source ?? octets) : octets
      return createHash('sha256').update(stored).digest('hex') as Sha256
    },

    async remove(folder) {
      const found = await canaries(connection, folder, true)
      if (found.length > 0)
        await acknowledgeMessages(connection, sortedUids(found.map(uid)), { kind: 'delete' }, undefined)
    },

    close: () => connection.close(),
  }
}

/** UIDs of the canary with this id, or of every one, in the folder, which is selected. */
async function canaries(
  connection: ImapConnection,
  folder: string,
  id: string | true,
): Promise<readonly number[]> {
  const { client } = connection
  await connection.run(`SELECT ${folder}`, () => client.mailboxOpen(folder), { refused: 'FOLDER_MISSING' })
  const doing = `SEARCH ${CANARY_FIELD}`
  const found = await connection.run(doing, () =>
    client.search({ header: { [CANARY_FIELD]: id } }, { uid: true }),
  )
  if (!found) throw connection.refusal(doing)
  return found
}
