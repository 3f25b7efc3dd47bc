import { type ErrorCode, IngestError } from '../errors.ts'

// What a file system fails with, in the words of IngestError. By errno, never by text.

const BY_ERRNO: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'ARCHIVE_DENIED',
  EPERM: 'ARCHIVE_DENIED',
  EROFS: 'ARCHIVE_DENIED',
  ENOTDIR: 'ARCHIVE_MISCONFIGURED',
  ELOOP: 'ARCHIVE_MISCONFIGURED',
  ENAMETOOLONG: 'ARCHIVE_MISCONFIGURED',
  // No hard links, or a part of the archive on another file system: create-if-absent cannot be kept.
  EXDEV: 'ARCHIVE_MISCONFIGURED',
  ENOTSUP: 'ARCHIVE_MISCONFIGURED',
  EOPNOTSUPP: 'ARCHIVE_MISCONFIGURED',
  ENOSYS: 'ARCHIVE_MISCONFIGURED',
}

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EROFS: 'the file system is read-only',
  EXDEV: 'the folders of the archive must be on one file system',
}

/**
 * The IngestError for what a call of the file system failed with; a full disk and whatever is not in the table may pass by
 * itself and is ARCHIVE_UNAVAILABLE. An error that is not of the file system is a defect, and thrown as it is.
 */
export function toFileError(error: unknown, where: string): IngestError {
  if (error instanceof IngestError) return error
  const errno = errnoOf(error)
  if (errno === undefined) throw error
  const reason = WORDS[errno] ?? (error as Error).message.replace(`${errno}: `, '')
  return new IngestError(BY_ERRNO[errno] ?? 'ARCHIVE_UNAVAILABLE', `${where}: ${errno}: ${reason}`, {
    cause: error,
  })
}

/** ENOENT, EEXIST …; undefined for an error that no system call made. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
