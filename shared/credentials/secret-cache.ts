import { CREDENTIALS } from '../limits.ts'

interface Kept {
  readonly secret: Promise<string>
  readonly until: number
}

/** Secrets by their references, each read once in a while, and once for all who ask at the same time. */
export class SecretCache {
  readonly #read: (reference: string) => Promise<string>
  readonly #nowMs: () => number
  readonly #kept = new Map<string, Kept>()

  constructor(read: (reference: string) => Promise<string>, nowMs: () => number) {
    this.#read = read
    this.#nowMs = nowMs
  }

  get(reference: string): Promise<string> {
    const kept = this.#kept.get(reference)
    if (kept && this.#nowMs() < kept.until) return kept.secret
    const secret = this.#read(reference)
    const entry = { secret, until: this.#nowMs() + CREDENTIALS.secretMs }
    this.#kept.set(reference, entry)
    // A failure is not kept: the next one who asks reads again.
    secret.catch(() => {
      if (this.#kept.get(reference) === entry) this.#kept.delete(reference)
    })
    return secret
  }

  forget(reference: string): void {
    this.#kept.delete(reference)
  }
}
