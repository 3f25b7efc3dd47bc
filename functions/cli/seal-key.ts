import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ConfigurationError, IngestError } from '../../shared/errors.ts'
import { readPublicKey } from '../../shared/seal/seal.ts'
import type { Run } from './run.ts'
import { signerOf } from './seal.command.ts'

/**
 * The key by which seals are checked: that of `file` (PEM), else the one that seals this archive, as far as it can be had. Undefined, and said so, where there is
 * none: the seals are checked by the keys that they bring then.
 */
export async function trustedSealKey(run: Run, file: string | undefined): Promise<KeyObject | undefined> {
  const key = file === undefined ? await ownKey(run) : keyIn(file)
  if (!key)
    run.output.note(
      'mailsluice: the seals are checked by the keys that they bring, which whoever writes seals can choose; --key FILE names one that you trust',
    )
  return key
}

function keyIn(file: string): KeyObject {
  let pem: string
  try {
    pem = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigurationError('--key', [`cannot be read: ${(error as Error).message}`])
  }
  const key = readPublicKey(pem)
  if (!key) throw new ConfigurationError('--key', [`${file}: expected PEM of an Ed25519 or P-256 public key`])
  return key
}

async function ownKey(run: Run): Promise<KeyObject | undefined> {
  let signer: ReturnType<typeof signerOf> | undefined
  try {
    signer = signerOf(run, { create: false })
    return readPublicKey(await signer.publicKey())
  } catch (error) {
    // Who verifies needs no right to the key.
    if (error instanceof ConfigurationError) return undefined
    if (error instanceof IngestError && error.code.startsWith('SIGNING_')) return undefined
    throw error
  } finally {
    signer?.close()
  }
}
