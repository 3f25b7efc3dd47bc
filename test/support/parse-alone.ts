import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ParsedMessage } from '../../shared/mail/parsed-message.ts'

export interface ParsedAlone {
  readonly parsed: readonly ParsedMessage[]
  readonly spooled: readonly boolean[]
  readonly maxRssMib: number
}

const PROGRAM = fileURLToPath(new URL('./parse-files.ts', import.meta.url))

/** Spools and parses files in a process that does nothing else, so that its memory is that of a parse; it ends by itself. */
export async function parseAlone(...paths: readonly string[]): Promise<ParsedAlone> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, ...paths], {
    maxBuffer: 64 * 1024 * 1024,
  })
  return JSON.parse(stdout) as ParsedAlone
}
