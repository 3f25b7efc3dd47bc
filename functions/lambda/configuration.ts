import { type Applied, parseApplied } from '../../shared/contract/applied.ts'
import { MAILBOXES_KEY } from '../../shared/contract/object-key.ts'
import type { Revision, StateStore } from '../../shared/state/state.ts'

/** The configuration that `mailsluice apply` stored. */
export class Configuration {
  readonly #state: StateStore
  #known: { readonly revision: Revision; readonly applied: Applied } | undefined

  constructor(state: StateStore) {
    this.#state = state
  }

  /**
   * As it is now, asked for by every invocation; it is sent and read only when it is another one than before (10,000 mailboxes are 2.5 MB).
   * The same object as long as it is the same. Undefined until something was applied. Rejects with ARCHIVE_… and throws as parseApplied.
   */
  async current(): Promise<Applied | undefined> {
    const known = this.#known
    const entry = known
      ? await this.#state.readIfChanged(MAILBOXES_KEY, known.revision)
      : await this.#state.read(MAILBOXES_KEY)
    if (entry === 'unchanged') return known?.applied
    this.#known = entry && { revision: entry.revision, applied: parseApplied(entry.content.toString('utf8')) }
    return this.#known?.applied
  }
}
