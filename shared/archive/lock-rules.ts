import { IngestError } from '../errors.ts'
import type { VersionFacts } from './audit.ts'
import type { RetainUntil } from './custody.ts'

// The rules of S3 Object Lock, for stores that have none of their own to enforce them (Amazon S3 User Guide, "Locking objects with Object Lock").

export type Lock = Pick<VersionFacts, 'lockMode' | 'retainUntil' | 'legalHold'>

/** Whether a retention is in force at that time; of its last second it is not any more. */
export function isRetained({ lockMode, retainUntil }: Omit<Lock, 'legalHold'>, at: Date): boolean {
  return lockMode !== undefined && retainUntil !== undefined && Date.parse(retainUntil) > at.getTime()
}

/** Throws VERSION_PROTECTED, with what locks it. */
export function refuseDeletion(
  where: string,
  lock: Lock,
  { bypassGovernance }: { readonly bypassGovernance: boolean },
  now: Date,
): void {
  if (lock.legalHold) throw new IngestError('VERSION_PROTECTED', `${where}: it is under a legal hold`)
  if (!isRetained(lock, now) || (lock.lockMode === 'governance' && bypassGovernance)) return
  throw new IngestError(
    'VERSION_PROTECTED',
    `${where}: it is kept in ${lock.lockMode} mode until ${lock.retainUntil}`,
  )
}

/** Throws VERSION_PROTECTED for a date before the one in force, or for another mode while one is. */
export function refuseShortening(where: string, lock: Lock, { mode, until }: RetainUntil): void {
  if (!isRetained(lock, new Date())) return
  const shorter = until.getTime() < Date.parse(lock.retainUntil ?? '')
  if (!shorter && mode === lock.lockMode) return
  throw new IngestError(
    'VERSION_PROTECTED',
    `${where}: it is kept in ${lock.lockMode} mode until ${lock.retainUntil}, and would be in ${mode} mode until ${until.toISOString()}`,
  )
}
