import * as z from 'zod'

export const globsSchema = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)], {
    error: 'expected a glob or a list of them',
  })
  .describe('A glob (`*` and `?`) or a list of them; any may match; case does not count.')

/**
 * Whether the whole of `value` is what `pattern` describes: `*` stands for any run of characters, also an empty one,
 * `?` for exactly one; there is no escape. Case does not count, nor does how an accented letter is composed (NFC), so that
 * what an operator types finds what a sender's system wrote.
 *
 * Both sides are walked once with a single point of return (the last `*`), never recursively: whatever a stranger writes into
 * a Subject costs at most the product of the two lengths, where a regular expression could take for ever.
 */
export function matchesGlob(pattern: string, value: string): boolean {
  const glob = characters(pattern)
  const text = characters(value)
  let g = 0
  let t = 0
  let star = -1
  let resume = 0
  while (t < text.length) {
    if (glob[g] === '*') {
      star = g++
      resume = t
    } else if (g < glob.length && (glob[g] === '?' || glob[g] === text[t])) {
      g++
      t++
    } else if (star >= 0) {
      // The last `*` takes one more character; what an earlier one took need never be looked at again.
      g = star + 1
      t = ++resume
    } else return false
  }
  while (glob[g] === '*') g++
  return g === glob.length
}

/** Whether any of the patterns matches any of the values. */
export function matchesAnyGlob(patterns: string | readonly string[], values: Iterable<string>): boolean {
  const globs = typeof patterns === 'string' ? [patterns] : patterns
  for (const value of values) if (globs.some((glob) => matchesGlob(glob, value))) return true
  return false
}

/** Code points, each in lower case by itself, so that a character stays one character (`İ` becomes two when lowered in a string). */
function characters(text: string): ArrayLike<string> {
  // Most of what is compared; ten times as fast.
  if (/^[\x00-\x7f]*$/.test(text)) return text.toLowerCase()
  return Array.from(text.normalize('NFC'), (character) => character.toLowerCase())
}
