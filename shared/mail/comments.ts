/** A structured field without its comments (RFC 5322, 3.2.2), which may nest; quoted strings stay. One that never closes stays too. */
export function withoutComments(value: string): string {
  if (!value.includes('(')) return value
  let kept = ''
  let from = 0
  let depth = 0
  let quoted = false
  for (let at = 0; at < value.length; at++) {
    const character = value.charCodeAt(at)
    if (character === 0x5c) at++
    else if (character === 0x22 && depth === 0) quoted = !quoted
    else if (quoted) continue
    else if (character === 0x28) {
      if (depth === 0) {
        kept += value.slice(from, at)
        from = at
      }
      depth++
    } else if (character === 0x29 && depth > 0) {
      depth--
      if (depth === 0) {
        kept += ' '
        from = at + 1
      }
    }
  }
  return kept + value.slice(from)
}
