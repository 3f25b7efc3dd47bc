import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a folder and its parents where they are missing; returns those that it made, the topmost first. Node's own `recursive` never comes
 * back where mkdir answers ENOENT though the parent is there, as in /proc. Throws what mkdir throws.
 */
export function makeFolder(path: string): string[] {
  try {
    return makeOne(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    const made = makeFolder(dirname(path))
    return [...made, ...makeOne(path)]
  }
}

function makeOne(path: string): string[] {
  try {
    mkdirSync(path)
    return [path]
  } catch (error) {
    if (isErrno(error, 'EEXIST') && statSync(path).isDirectory()) return []
    throw error
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
