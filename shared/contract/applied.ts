import * as z from 'zod'
import { type Config, validateConfig } from './config.ts'

// What `mailsluice apply` stores in the state bucket and the Lambdas read: the configuration with everything it refers to on the
// operator's disk, for a Lambda has no such disk.

const appliedSchema = z.strictObject({
  v: z.literal(1),
  config: z.unknown(),
  /** PEM of each private CA by its path in the configuration. */
  authorities: z.record(z.string(), z.string()),
})

export interface Applied {
  readonly v: 1
  readonly config: Config
  readonly authorities: Readonly<Record<string, string>>
}

export function encodeApplied(applied: Applied): string {
  return JSON.stringify(applied)
}

/** Throws a TypeError that names every problem: what is stored was validated before, so it is damaged or of another version. */
export function parseApplied(text: string): Applied {
  const result = appliedSchema.safeParse(fromJson(text))
  if (!result.success)
    throw invalid(result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`))
  const { v, config: value, authorities } = result.data
  const { config, problems } = validateConfig(value)
  if (!config) throw invalid(problems)
  const missing = config.mailboxes.filter(({ ca }) => ca !== undefined && !Object.hasOwn(authorities, ca))
  if (missing.length > 0) throw invalid(missing.map(({ id, ca }) => `mailbox ${id}: ${ca} is not with it`))
  return { v, config, authorities }
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalid(['no JSON'], cause)
  }
}

function invalid(problems: readonly string[], cause?: unknown): TypeError {
  return new TypeError(`the stored configuration is not valid: ${problems.join('; ')}`, { cause })
}
