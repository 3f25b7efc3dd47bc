import { type Applied, encodeApplied, parseApplied } from '../contract/applied.ts'
import type { MailboxId } from '../contract/ids.ts'
import { MAILBOXES_KEY } from '../contract/object-key.ts'
import type { StateStore } from '../state/state.ts'

export interface AppliedFacts {
  /** Whether the functions read exactly this configuration. */
  readonly same: boolean
  /** Mailboxes of this configuration that they do not know: nobody visits them. */
  readonly unknown: readonly MailboxId[]
  /** Mailboxes that they visit and this configuration has not. */
  readonly additional: readonly MailboxId[]
}

/** Compares a configuration with the one that is applied. Undefined when none is, or none that can be read. Rejects as the state store. */
export async function compareApplied(
  ours: Applied,
  state: Pick<StateStore, 'read'>,
): Promise<AppliedFacts | undefined> {
  const entry = await state.read(MAILBOXES_KEY)
  if (!entry) return undefined
  const text = entry.content.toString('utf8')
  if (text === encodeApplied(ours)) return { same: true, unknown: [], additional: [] }
  const applied = readable(text)
  if (!applied) return undefined
  return { same: false, unknown: without(ours, applied), additional: without(applied, ours) }
}

/** Undefined for what is damaged or of another version: the functions refuse it, and applying again replaces it. */
function readable(text: string): Applied | undefined {
  try {
    return parseApplied(text)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return undefined
  }
}

/** Mailboxes of `these` that `others` has not. */
function without(these: Applied, others: Applied): MailboxId[] {
  const known = new Set(others.config.mailboxes.map(({ id }) => id))
  return these.config.mailboxes.map(({ id }) => id).filter((id) => !known.has(id))
}
