import type { Epoch, Uidl } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { DRAIN } from '../limits.ts'
import type { Octets } from '../octets.ts'
import { type FileMessage, octetsOf } from './import-files.ts'
import { type Fetched, type FetchOptions, type MailboxSession, SESSION_ID_PREFIX } from './mailbox.ts'

/** The folder and epoch of imported messages in a ledger: no server has such. */
const FOLDER = 'import'
const EPOCH = 'import' as Epoch

/**
 * Mail in files as a mailbox, so that it takes the path of a drain: same archive, ledger, parser, and the same answer to a crash. Its messages have no ids that
 * last: whatever is read again is known by its octets.
 * @param source how the ledger names it
 * @param failed told of a file that cannot be read: the ledger has no place for it, for it has no id
 */
export function openImport(
  source: string,
  files: readonly FileMessage[],
  asIs: boolean,
  failed: (path: string, error: unknown) => void,
): MailboxSession {
  const byId = new Map(files.map((file, index) => [`${SESSION_ID_PREFIX}${index + 1}` as Uidl, file]))
  const cannot = (): never => {
    throw new TypeError('an import acknowledges nothing')
  }
  return {
    protocol: 'import',
    server: { host: source, port: 0, tls: 'none', certificateSha256: undefined, capabilities: [] },
    acknowledgedBy: 'acknowledge',
    folders: async () => [FOLDER],
    status: async () => [
      { folder: FOLDER, epoch: EPOCH, messages: files.length, uidNext: undefined, ids: [...byId.keys()] },
    ],
    list: async (folder) => ({
      folder,
      epoch: EPOCH,
      ids: [...byId.keys()],
      selected: undefined,
      uidNext: undefined,
    }),
    async *fetch(_, ids, options) {
      for (const id of ids) {
        if (!options.keepGoing()) return
        const file = byId.get(id as Uidl) as FileMessage
        const octets = await read(file, asIs, options).catch((error: unknown) => {
          // The disk of the spool is not the file's fault.
          if (error instanceof IngestError) throw error
          failed(file.path, error)
        })
        if (octets)
          yield { id, octets, metadata: file.metadata, announcedOctets: undefined } satisfies Fetched
      }
    },
    outstanding: cannot,
    acknowledge: cannot,
    close: async () => {},
    abort: () => {},
  }
}

function read(file: FileMessage, asIs: boolean, { spool }: FetchOptions): Promise<Octets> {
  return spool.collect(octetsOf(file, asIs), DRAIN.memoryMessageOctets)
}
