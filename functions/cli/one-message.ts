import type { ObjectFacts } from '../../shared/archive/archive.ts'
import { parseRawKey } from '../../shared/contract/object-key.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import { findMessages } from '../../shared/operations/find-message.ts'
import type { Run } from './run.ts'

/**
 * The archived message that an operator's id names. Undefined, and said, when there is none, or several that differ. Throws a ConfigurationError
 * for what is no id.
 */
export async function oneMessage(
  { output, settings, stores }: Run,
  command: string,
  id: string,
): Promise<ObjectFacts | undefined> {
  const mailboxes = settings.config.mailboxes.map((mailbox) => mailbox.id)
  const found = await findMessages(id, mailboxes, stores.archive)
  if (!found)
    throw new ConfigurationError(command, [
      `${id} names no message; expected a SHA-256 or its first 6 digits, <mailbox>/<sha256>, or a key raw/…`,
    ])
  const [facts, ...others] = found
  if (!facts)
    output.problem(
      'archive',
      new Error(`no message ${id} in ${mailboxes.join(', ')}; see mailsluice archive list`),
    )
  else if (others.length > 0 && !found.every(({ sha256 }) => sha256 === facts.sha256)) {
    const keys = found.map(({ key }) => `${parseRawKey(key)?.mailbox}/${parseRawKey(key)?.sha256}`)
    output.problem(
      'archive',
      new Error(`${id} names ${found.length} messages, give more of it: ${keys.join(', ')}`),
    )
    return undefined
  }
  return facts
}
