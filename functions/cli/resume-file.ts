import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { errnoOf } from '../../shared/archive/file-errors.ts'
import { ConfigurationError } from '../../shared/errors.ts'

// The file of --resume: how far a long run has come, so that the same command goes on from there.

/** Undefined when there is none yet. Throws a ConfigurationError for one that `parse` finds is of something else (undefined). */
export function readResumeFile<Position>(
  file: string,
  what: string,
  parse: (text: string) => Position | undefined,
): Position | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw new ConfigurationError('--resume', [`cannot be read: ${(error as Error).message}`])
  }
  const position = parse(text)
  if (!position)
    throw new ConfigurationError('--resume', [
      `${file} is not of a ${what}; name a file that is not there yet`,
    ])
  return position
}

/** Whole or not at all, whenever the process ends; done when it returns. */
export function saveResumeFile(file: string, position: object): void {
  try {
    writeFileSync(`${file}.new`, JSON.stringify(position))
    renameSync(`${file}.new`, file)
  } catch (error) {
    throw new ConfigurationError('--resume', [`cannot be written: ${(error as Error).message}`])
  }
}

/** At the end there is nothing to go on with. */
export function removeResumeFile(file: string): void {
  rmSync(file, { force: true })
}
