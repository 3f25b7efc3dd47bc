import type { Archive, ObjectFacts } from '../archive/archive.ts'
import { type MailboxId, SHA256_PATTERN, type Sha256 } from '../contract/ids.ts'
import { parseRawKey, rawKey, rawPrefix } from '../contract/object-key.ts'

/** At least this many digits of a SHA-256 tell messages apart by hand. */
const FEWEST_DIGITS = 6

/**
 * Finds archived messages by what an operator has at hand: the SHA-256 or its first digits (six at least), the id of an event
 * (`<mailbox>/<sha256>`) or the key of the object. Digits may be in capitals. Undefined when `id` is none of these; an empty list when nothing is there.
 */
export async function findMessages(
  id: string,
  mailboxes: readonly MailboxId[],
  archive: Archive,
): Promise<readonly ObjectFacts[] | undefined> {
  const wanted = readId(id)
  if (!wanted) return undefined
  const { digits, mailbox } = wanted
  const found: ObjectFacts[] = []
  for (const candidate of mailboxes) {
    if (mailbox !== undefined && mailbox !== candidate) continue
    if (SHA256_PATTERN.test(digits)) {
      const facts = await archive.find(rawKey(candidate, digits as Sha256))
      if (facts) found.push(facts)
      continue
    }
    for await (const { key } of archive.list(`${rawPrefix(candidate)}${digits.slice(0, 2)}/${digits}`)) {
      const facts = await archive.find(key)
      if (facts) found.push(facts)
    }
  }
  return found
}

function readId(id: string): { digits: string; mailbox: string | undefined } | undefined {
  const key = parseRawKey(id)
  if (key) return { digits: key.sha256, mailbox: key.mailbox }
  const [written = '', mailbox, ...more] = id.split('/').reverse()
  if (more.length > 0) return undefined
  const digits = written.toLowerCase()
  const isDigits = /^[0-9a-f]+$/.test(digits) && digits.length >= FEWEST_DIGITS && digits.length <= 64
  return isDigits ? { digits, mailbox } : undefined
}
