import { existsSync, globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// Real messages, most of them odd, kept beside the checkout and not in it: `../shared/corpus`.

export const CORPUS_FOLDER = fileURLToPath(new URL('../../../shared/corpus/', import.meta.url))

export interface CorpusMessage {
  /** Path below the corpus. */
  readonly name: string
  readonly octets: Buffer
}

/** Why there is no corpus; undefined when there is. */
export function corpusMissing(): string | undefined {
  return existsSync(CORPUS_FOLDER) ? undefined : 'no corpus beside the checkout (../shared/corpus)'
}

/** Every message by name, in the same order each time. */
export function corpus(): readonly CorpusMessage[] {
  const names = globSync('**/*.eml', { cwd: CORPUS_FOLDER }).sort()
  return names.map((name) => ({ name, octets: readFileSync(CORPUS_FOLDER + name) }))
}

/** For parsers that do not read bare CR, which we read as LF. */
export function withoutBareCr(octets: Buffer): Buffer {
  return octets.includes('\n')
    ? octets
    : Buffer.from(octets.toString('latin1').replaceAll('\r', '\n'), 'latin1')
}
