import type { ListResponse } from 'imapflow'
import type { Epoch } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import type { ImapConnection } from './imap-connection.ts'
import type { FolderStatus } from './mailbox.ts'

/** LIST "" "*": the folders that can be selected. imapflow puts INBOX and the special ones first, then goes by name. */
export async function listFolders(connection: ImapConnection): Promise<readonly string[]> {
  const folders = await connection.run('LIST', () => connection.client.list({ listOnly: true }))
  return folders.filter(selectable).map((folder) => folder.path)
}

/**
 * The folders that the globs name. A glob without wildcard that names nothing is a mistake of the operator (FOLDER_MISSING);
 * one with a wildcard may match nothing. `prefix` is that of the personal namespace and may be left out by the operator.
 */
export function matchFolders(
  there: readonly string[],
  globs: readonly string[],
  { where, prefix }: { where: string; prefix: string },
): readonly string[] {
  const patterns = globs.map((glob) => folderPattern(glob, prefix))
  globs.forEach((glob, index) => {
    if (!hasWildcard(glob) && !there.some((folder) => patterns[index]?.test(folder)))
      throw missing(glob, there, where)
  })
  return there.filter((folder) => patterns.some((pattern) => pattern.test(folder)))
}

/** The server's spelling of one folder: rejects with FOLDER_MISSING. */
export function resolveFolder(
  there: readonly string[],
  name: string,
  { where, prefix }: { where: string; prefix: string },
): string {
  // The exact name goes before one that the prefix completes.
  const found =
    there.find((folder) => folder === name) ?? there.find((folder) => exactly(name, prefix).test(folder))
  if (found === undefined) throw missing(name, there, where)
  return found
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

/** `*` and `?` as in a shell, over hierarchy delimiters too; INBOX in any case (RFC 9051, 5.1), other names exactly. */
function folderPattern(glob: string, prefix: string): RegExp {
  return new RegExp(`^${source(glob, prefix)}$`, `su${/^inbox$/i.test(glob) ? 'i' : ''}`)
}

function exactly(name: string, prefix: string): RegExp {
  const quoted = escaped(name)
  return new RegExp(`^${optionalPrefix(name, prefix)}${quoted}$`, `su${/^inbox$/i.test(name) ? 'i' : ''}`)
}

function source(glob: string, prefix: string): string {
  const body = escaped(glob).replaceAll('\\*', '.*').replaceAll('\\?', '.')
  const anyCase = body.replace(/^inbox(?=[^A-Za-z0-9]|$)/i, '[Ii][Nn][Bb][Oo][Xx]')
  return optionalPrefix(glob, prefix) + anyCase
}

/** INBOX itself never has the prefix, and a name that already begins with it is complete. */
function optionalPrefix(name: string, prefix: string): string {
  return prefix === '' || /^inbox$/i.test(name) || name.startsWith(prefix) ? '' : `(?:${escaped(prefix)})?`
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

function hasWildcard(glob: string): boolean {
  return /[*?]/.test(glob)
}

function selectable(folder: ListResponse): boolean {
  return ![...folder.flags].some((flag) => /^\\(noselect|nonexistent)$/i.test(flag))
}

function missing(name: string, there: readonly string[], where: string): IngestError {
  const shown = there.slice(0, 30).join(', ') + (there.length > 30 ? ` and ${there.length - 30} more` : '')
  return new IngestError('FOLDER_MISSING', `${where}: no folder ${name}; there are ${shown || 'none'}`)
}
