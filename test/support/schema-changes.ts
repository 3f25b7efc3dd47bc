import type { Schema } from './json-schema.ts'

/**
 * What would surprise a consumer who was written for the schema `before`: each a line `path: what changed`. Optional fields may come, and
 * values where a list of them is not closed; types of events may come, too. Nothing may go or become something else.
 */
export function surprises(before: object, after: object): readonly string[] {
  return compare(before, after, '')
}

function compare(before: Schema, after: Schema, path: string): string[] {
  const here = path || '(event)'
  const found: string[] = []
  if (before.type !== after.type) found.push(`${here}: the type was ${before.type} and is ${after.type}`)
  if (before.const !== after.const) found.push(`${here}: it was ${before.const} and is ${after.const}`)
  found.push(...compareValues(before.enum, after.enum, here, true))
  found.push(...compareValues(growing(before), growing(after), here, false))
  for (const name of after.required ?? [])
    if (!before.required?.includes(name)) found.push(`${here}: ${name} was optional and is required`)
  for (const name of before.required ?? [])
    if (!after.required?.includes(name)) found.push(`${here}: ${name} was always there and need not be`)
  for (const [name, field] of Object.entries(before.properties ?? {})) {
    const now = after.properties?.[name]
    const inner = path ? `${path}.${name}` : name
    found.push(...(now ? compare(field, now, inner) : [`${inner}: gone`]))
  }
  for (const name of ['items', 'additionalProperties'] as const)
    if (before[name]) found.push(...compare(before[name], after[name] ?? {}, `${path}[]`))
  for (const option of before.oneOf ?? []) {
    const type = option.properties?.type?.const
    const now = after.oneOf?.find(({ properties }) => properties?.type?.const === type)
    found.push(...(now ? compare(option, now, String(type)) : [`${type}: gone`]))
  }
  return found
}

/** Values that may be more by now. */
function growing({ anyOf }: Schema): readonly unknown[] | undefined {
  return anyOf?.find((form) => form.enum)?.enum
}

function compareValues(
  before: readonly unknown[] | undefined,
  after: readonly unknown[] | undefined,
  path: string,
  closed: boolean,
): string[] {
  if (!before && !after) return []
  const gone = (before ?? []).filter((value) => !after?.includes(value))
  const come = (after ?? []).filter((value) => !before?.includes(value))
  return [
    ...gone.map((value) => `${path}: ${value} is no longer one of its values`),
    ...(closed ? come.map((value) => `${path}: ${value} came to a closed list of values`) : []),
  ]
}
