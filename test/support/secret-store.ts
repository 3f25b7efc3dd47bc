import type { SecretStore } from '../../shared/credentials/credentials.ts'
import { missing } from '../../shared/credentials/missing.ts'

/** Secrets in memory, with what was asked of them. */
export class MemorySecrets implements Pick<SecretStore, 'password' | 'replace'> {
  readonly secrets = new Map<string, string>()
  reads = 0
  writes = 0
  /** In place of a write. */
  onReplace: ((reference: string) => Promise<boolean>) | undefined

  constructor(secrets: Readonly<Record<string, string>>) {
    for (const [reference, secret] of Object.entries(secrets)) this.secrets.set(reference, secret)
  }

  async password(reference: string): Promise<string> {
    this.reads++
    const secret = this.secrets.get(reference)
    if (secret === undefined) throw missing(reference, 'it is not there')
    return secret
  }

  async replace(reference: string, expected: string, secret: string): Promise<boolean> {
    this.writes++
    if (this.onReplace) return this.onReplace(reference)
    if (this.secrets.get(reference) !== expected) return false
    this.secrets.set(reference, secret)
    return true
  }
}
