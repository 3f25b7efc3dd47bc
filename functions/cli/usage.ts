import { InvalidArgumentError } from 'commander'
import type { Output } from './output.ts'
import type { Run } from './run.ts'

// What the commands are made of.

/** An action with configuration and stores. */
export type Wrap = <Options>(
  work: (run: Run, options: Options, operands: string[]) => Promise<void>,
) => (...received: unknown[]) => Promise<void>

/** An action that needs neither. */
export type Offline = <Options>(
  work: (output: Output, options: Options, operands: string[]) => Promise<void>,
) => (...received: unknown[]) => Promise<void>

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  npx mailsluice ${line}`).join('\n')}`
}

export function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Expected a whole number above 0.')
  return Number(text)
}

/** Formats of `archive export`. */
export const EXPORT_FORMATS = ['bundle', 'eml', 'mbox'] as const

/** What `archive search` can search with. */
export const SEARCH_ENGINES = ['athena', 'duckdb'] as const
