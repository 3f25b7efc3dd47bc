import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Config } from '../shared/contract/config.ts'
import { parseConfig } from '../shared/contract/config-text.ts'
import { deploymentProblems } from '../shared/contract/deployment.ts'

const EXAMPLE = join(import.meta.dirname, 'example', 'mailsluice.yaml')
const DEFAULT_FILE = 'mailsluice.yaml'

export interface Configuration {
  readonly config: Config
  readonly file: string
  /** There is none: the example serves to look at, and must not be deployed. */
  readonly example: boolean
}

/** mailsluice.yaml cannot be deployed: every mistake at once, each with its path. */
export class UnusableConfiguration extends Error {
  override readonly name = 'UnusableConfiguration'

  constructor(file: string, problems: readonly string[]) {
    const count = problems.length === 1 ? '1 mistake' : `${problems.length} mistakes`
    super(`${file}: ${count}\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
  }
}

/** Reads `file`, by default mailsluice.yaml if there is one. Throws an UnusableConfiguration. */
export function readConfiguration(file: string | undefined): Configuration {
  const example = file === undefined && !existsSync(DEFAULT_FILE)
  const path = example ? relative('.', EXAMPLE) : (file ?? DEFAULT_FILE)
  const { config, problems } = parseConfig(readText(path))
  if (!config) throw new UnusableConfiguration(path, problems)
  const undeployable = deploymentProblems(config)
  if (undeployable.length > 0) throw new UnusableConfiguration(path, undeployable)
  return { config, file: path, example }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new UnusableConfiguration(path, [
      `cannot be read: ${error instanceof Error ? error.message : String(error)}; name it with -c config=FILE`,
    ])
  }
}
