import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

// Some tests ask a program of the system whether it agrees. Where only Node and npm are, they are skipped, and say so.

export function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** For `skip`: which of them is missing; false when all are there. */
export function without(...programs: readonly string[]): string | false {
  const missing = programs.find((program) => !isOnPath(program))
  return missing === undefined ? false : `${missing} is not on PATH`
}
