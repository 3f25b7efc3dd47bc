import * as z from 'zod'

/** When a secret runs out, beside it: a day, or a time with its zone. */
export const expirySchema = z.iso
  .date()
  .or(z.iso.datetime({ offset: true }))
  .optional()

/** Undefined for what is not a JSON object: a secret is its text then. */
export function jsonOf(text: string): unknown {
  if (!/^\s*\{/.test(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
