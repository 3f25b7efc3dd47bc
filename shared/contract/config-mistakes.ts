import * as z from 'zod'
import { isGroup, type Mistake } from './written.ts'

// How a mistake in mailsluice.yaml is said: what is wrong and what is expected, and never what was written there, for it may be a secret.

type RawIssue = z.core.$ZodRawIssue

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of settings',
  record: 'a group of settings',
}

/** The words for what a schema has none of its own for. */
export function sayMistake(issue: RawIssue): string | undefined {
  const { input } = issue
  switch (issue.code) {
    case 'invalid_type':
      return sayType(EXPECTED[issue.expected] ?? issue.expected, input)
    case 'invalid_value': {
      const expected = `expected ${alternatives(issue.values.map(String))}`
      return input === undefined ? `missing; ${expected}` : expected
    }
    case 'too_small':
      if (issue.origin === 'string' && issue.minimum === 1) return 'empty; expected text'
      if (issue.origin === 'string') return `expected at least ${issue.minimum} characters`
      return issue.origin === 'array' ? 'empty; expected one at least' : `expected at least ${issue.minimum}`
    case 'too_big':
      return `expected at most ${issue.maximum}`
    case 'invalid_format':
      return issue.format === 'email' ? 'expected an e-mail address' : undefined
    case 'unrecognized_keys':
      return issue.inst instanceof z.ZodObject
        ? `unknown setting; expected one of ${Object.keys(issue.inst.shape).join(', ')}`
        : 'unknown setting; remove it'
    default:
      return undefined
  }
}

function sayType(expected: string, input: unknown): string {
  if (input === undefined) return `missing; expected ${expected}`
  if (input === null) return `empty; expected ${expected}`
  if (expected === 'text' && ['number', 'boolean'].includes(typeof input))
    return 'expected text; put it in quotes'
  if (typeof input === 'number') return `expected ${expected}`
  const found = Array.isArray(input)
    ? EXPECTED.array
    : isGroup(input)
      ? EXPECTED.object
      : EXPECTED[typeof input]
  return `expected ${expected}, found ${found}`
}

/** `path: what is wrong; expected what`. */
export function lineOf({ path, message }: Mistake): string {
  return `${pathOf(path)}: ${message}`
}

/** A line for each mistake that the schema found. */
export function linesOf(issues: readonly z.core.$ZodIssue[]): string[] {
  return issues.flatMap((issue) => linesOfIssue(issue, []))
}

function linesOfIssue(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): string[] {
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${pathOf([...path, key])}: ${issue.message}`)
  // The rule that a name of a queue broke.
  if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => `${pathOf(path)}: ${message}`)
  if (issue.code === 'invalid_union') {
    // The form that was meant: the one with mistakes in its parts alone.
    const meant = issue.errors.find((form) => form.length > 0 && form.every(({ path }) => path.length > 0))
    if (meant) return meant.flatMap((part) => linesOfIssue(part, path))
  }
  return [`${pathOf(path)}: ${issue.message}`]
}

function alternatives(values: readonly string[]): string {
  return values.length < 2 ? values.join() : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`
}

function pathOf(path: readonly PropertyKey[]): string {
  if (path.length === 0) return '(top level)'
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : index === 0 ? String(part) : `.${String(part)}`,
    )
    .join('')
}
