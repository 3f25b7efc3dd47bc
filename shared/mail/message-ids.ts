import { PARSER } from '../limits.ts'
import { type Bounds, oneLine } from './clean-text.ts'

/** The ids of a Message-ID, In-Reply-To or References field (RFC 5322, 3.6.4) without angle brackets, in order. */
export function messageIds(value: string): string[] {
  const ids: string[] = []
  let at = 0
  while (true) {
    const start = value.indexOf('<', at)
    if (start < 0) break
    const end = value.indexOf('>', start)
    const id = oneLine(value.slice(start + 1, end < 0 ? undefined : end)).replace(/\s+/g, '')
    if (id) ids.push(id)
    if (end < 0) break
    at = end + 1
  }
  if (ids.length > 0) return ids
  // Without brackets: what has the look of an id, for old mailers write phrases here.
  const words = oneLine(value.replace(/[<>]/g, ' '))
    .split(/[\s,]+/)
    .filter(Boolean)
  return words.length === 1 ? words : words.filter((word) => word.includes('@'))
}

/** At most PARSER.references of them: the first, which names the thread, and the latest. */
export function boundIds(ids: readonly string[], bounds: Bounds): string[] {
  const [first] = ids
  if (first === undefined) return []
  const kept = ids.length > PARSER.references ? [first, ...ids.slice(1 - PARSER.references)] : ids
  if (kept.length < ids.length) bounds.exceeded = true
  return kept.map((id) => bounds.text(id))
}
