import type { ListResponse } from 'imapflow'
import { matchesGlob } from '../contract/glob.ts'
import type { Epoch } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import type { ImapConnection } from './imap-connection.ts'
import type { FolderStatus, MailboxAccess } from './mailbox.ts'

export interface ListedFolder {
  readonly path: string
  /** What the server says that it is for: `\\All`, `\\Trash` … (RFC 6154). */
  readonly uses: readonly string[]
}

const INBOX = 'INBOX'
/** The first personal one: prefix and separator. */
const NAMESPACE = /^\* NAMESPACE \(\("((?:[^"\\]|\\.)*)" (?:"\\?([^"])"|NIL)/i

/** The folders that can be selected, and the prefix of the personal namespace: `INBOX.` on servers that keep them below INBOX, else empty. */
export interface ListedFolders {
  readonly folders: readonly ListedFolder[]
  readonly prefix: string
}

/** LIST "" "*", and NAMESPACE (RFC 2342). imapflow puts INBOX and the special folders first, then goes by name. */
export async function listFolders(connection: ImapConnection): Promise<ListedFolders> {
  let prefix = ''
  const said = (line: string): void => {
    const [, first, separator] = NAMESPACE.exec(line) ?? []
    if (!first) return
    prefix = first.replace(/\\(.)/g, '$1')
    if (separator && !prefix.endsWith(separator)) prefix += separator
  }
  const before = connection.supports('NAMESPACE') ? ['NAMESPACE'] : []
  const folders = await connection.run('LIST', () => connection.client.list({ listOnly: true }), {
    along: { before, untagged: { said } },
  })
  return {
    folders: folders.filter(selectable).map(({ path, flags }) => ({ path, uses: [...flags] })),
    prefix,
  }
}

/** The folders to drain. Where that is INBOX alone nothing is asked: it is there on every server (RFC 9051, 5.1). */
export async function configuredFolders(
  connection: ImapConnection,
  access: MailboxAccess,
  list: () => Promise<ListedFolders>,
): Promise<readonly string[]> {
  if (access.folders.length === 0 || !access.folders.every(isInbox)) {
    const { folders, prefix } = await list()
    return matchFolders(folders, access, { where: connection.where, prefix })
  }
  takeAsListed(connection)
  return [INBOX]
}

/**
 * imapflow asks LIST and LSUB before it selects a folder that is not in the map it keeps of those that it has listed, which is none of its
 * API: where it is another one day, INBOX is asked for again, and `test/drain/costs.test.ts` tells.
 */
export function takeAsListed({ client }: ImapConnection): void {
  const { folders } = client as unknown as { folders?: unknown }
  if (folders instanceof Map && !folders.has(INBOX)) folders.set(INBOX, { path: INBOX, listed: true })
}

/**
 * The folders that the globs name; `\\All` and its like name one by its use, in whatever language it is called. One without wildcard that names
 * nothing is a mistake of the operator (FOLDER_MISSING); one with a wildcard may match nothing, and leaves out what is to be skipped.
 * `prefix` is that of the personal namespace and may be left out by the operator.
 */
export function matchFolders(
  there: readonly ListedFolder[],
  { folders: globs, skipFolders: skipped = [] }: Pick<MailboxAccess, 'folders' | 'skipFolders'>,
  { where, prefix }: { where: string; prefix: string },
): readonly string[] {
  const isMeant = ({ path, uses }: ListedFolder, glob: string): boolean =>
    glob.startsWith('\\') ? isUse(glob, uses) : matches(path, glob, prefix)
  for (const glob of globs)
    if (!hasWildcard(glob) && !there.some((folder) => isMeant(folder, glob)))
      throw missing(glob, there, where)
  const skips = (folder: ListedFolder): boolean => skipped.some((skip) => isMeant(folder, skip))
  return there
    .filter((folder) => globs.some((glob) => isMeant(folder, glob) && !(hasWildcard(glob) && skips(folder))))
    .map(({ path }) => path)
}

/** The server's spelling of one folder: rejects with FOLDER_MISSING. */
export function resolveFolder(
  there: readonly ListedFolder[],
  name: string,
  { where, prefix }: { where: string; prefix: string },
): string {
  // The exact name goes before one that the prefix completes.
  const found =
    there.find(({ path }) => path === name) ?? there.find(({ path }) => isNamed(path, name, prefix))
  if (found === undefined) throw missing(name, there, where)
  return found.path
}

export async function folderStatus(connection: ImapConnection, folder: string): Promise<FolderStatus> {
  const doing = `STATUS ${folder}`
  const query = { messages: true, uidNext: true, uidValidity: true }
  const status = await connection.run(doing, () => connection.client.status(folder, query))
  if (!status) throw connection.refusal(doing)
  return {
    folder,
    epoch: epochOf(status.uidValidity, folder, connection.where),
    messages: status.messages ?? 0,
    uidNext: status.uidNext,
    ids: undefined,
  }
}

/** UIDVALIDITY in decimal. Without one, UIDs mean nothing in the next session, and new mail would look known. */
export function epochOf(uidValidity: bigint | undefined, folder: string, where: string): Epoch {
  if (!uidValidity) throw new IngestError('EPOCH_UNUSABLE', `${where}: folder ${folder} has no UIDVALIDITY`)
  return uidValidity.toString() as Epoch
}

function matches(folder: string, glob: string, prefix: string): boolean {
  if (!hasWildcard(glob)) return isNamed(folder, glob, prefix)
  return matchesGlob(glob, folder) || (prefix !== '' && matchesGlob(prefix + glob, folder))
}

/** INBOX in any case (RFC 9051, 5.1), other names exactly: a server may have both Archive and archive. */
function isNamed(folder: string, name: string, prefix: string): boolean {
  return folder === name || (isInbox(folder) && isInbox(name)) || (prefix !== '' && folder === prefix + name)
}

function isInbox(name: string): boolean {
  return name.toUpperCase() === INBOX
}

function hasWildcard(glob: string): boolean {
  return /[*?]/.test(glob)
}

function selectable(folder: ListResponse): boolean {
  return ![...folder.flags].some((flag) => /^\\(noselect|nonexistent)$/i.test(flag))
}

/** RFC 6154. */
function isUse(name: string, uses: readonly string[]): boolean {
  return uses.some((use) => use.toLowerCase() === name.toLowerCase())
}

function missing(name: string, there: readonly ListedFolder[], where: string): IngestError {
  const paths = there.map(({ path }) => path)
  const shown = paths.slice(0, 30).join(', ') + (there.length > 30 ? ` and ${there.length - 30} more` : '')
  return new IngestError('FOLDER_MISSING', `${where}: no folder ${name}; there are ${shown || 'none'}`)
}
