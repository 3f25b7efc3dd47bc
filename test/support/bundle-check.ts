import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

// What whoever gets an evidence bundle has: unzip, sha256sum and openssl.

/** The standard tool says that every file is what the list says; rejects one that is not. */
export function checkSums(folder: string): void {
  execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder, stdio: 'pipe' })
}

/** Whether openssl finds the Ed25519 signature over a file good, by a key in PEM. */
export function isSigned(folder: string, file: string, signature: string, key: string): boolean {
  const words = ['-verify', '-pubin', '-inkey', key, '-rawin', '-in', file, '-sigfile', signature]
  try {
    return /Verified Successfully/.test(
      execFileSync('openssl', ['pkeyutl', ...words], { cwd: folder, encoding: 'utf8', stdio: 'pipe' }),
    )
  } catch {
    return false
  }
}

export interface UnpackedPart {
  readonly folder: string
  /** SHA-256 of its messages. */
  readonly messages: readonly string[]
  readonly errors: string
}

/**
 * Checks the bundles in a folder as their README says, and unpacks them beside each other in `to`: sums of the parts, of their files, signatures, seals, and that
 * each message is named by its SHA-256 and has a proof beside it. `key`: PEM that came on another way.
 */
export function checkBundles(folder: string, to: string, key: string): UnpackedPart[] {
  checkSums(folder)
  assert.ok(isSigned(folder, 'SHA256SUMS', 'SHA256SUMS.sig', key))
  const parts = readdirSync(folder).filter((name) => name.endsWith('.zip'))
  return parts.sort().map((name) => {
    const part = join(to, name.slice(0, -4))
    mkdirSync(part, { recursive: true })
    execFileSync('unzip', ['-q', join(folder, name), '-d', part], { stdio: 'pipe' })
    checkSums(part)
    assert.ok(isSigned(part, 'SHA256SUMS', 'SHA256SUMS.sig', key))
    const seals = readdirSync(join(part, 'seals')).filter((file) => file.endsWith('.json'))
    assert.ok(seals.length > 0)
    for (const seal of seals)
      assert.ok(isSigned(part, `seals/${seal}`, `seals/${seal.replace('.json', '.sig')}`, key))
    const listed = readFileSync(join(part, 'SHA256SUMS'), 'utf8').trimEnd().split('\n')
    const files = new Set(listed.map((line) => line.slice(66)))
    const messages = listed.flatMap((line) => {
      const [, sum, , mailbox, digest] = /^(\w{64}) {2}(messages\/(.+)\/(\w{64})\.eml)$/.exec(line) ?? []
      if (digest === undefined) return []
      assert.equal(sum, digest)
      assert.ok(files.has(`proofs/${mailbox}/${digest}.json`))
      return [digest]
    })
    return { folder: part, messages, errors: readFileSync(join(part, 'errors.ndjson'), 'utf8') }
  })
}
