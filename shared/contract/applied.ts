import { z } from 'zod'
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
  const { config: value, ...rest } = appliedSchema.parse(JSON.parse(text))
  const { config, problems } = validateConfig(value)
  if (!config) throw new TypeError(`the stored configuration is not valid: ${problems.join('; ')}`)
  return { ...rest, config }
}
