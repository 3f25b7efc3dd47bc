import { join, resolve } from 'node:path'
import type { Config } from '../shared/contract/config.ts'
import type { Environment } from '../shared/contract/environment.ts'
import type { Signer, TimestampAuthority } from '../shared/seal/signer.ts'
import { openFileSigner } from '../shared/seal/signer-file.ts'
import { openKmsSigner } from '../shared/seal/signer-kms.ts'
import { openTimestampAuthority } from '../shared/seal/timestamp-http.ts'

// What seals are signed and stamped with: the same for the command line and the Lambda.

export interface SealAccess {
  /** kms:… or file:…, as configured or by default. */
  readonly key: string
  /** Paths are relative to it. */
  readonly folder: string
  /** Makes the file when it is not there. */
  readonly create?: boolean
  readonly environment: Environment
}

export function openSigner({
  key,
  folder,
  create = false,
  environment,
}: SealAccess): Signer & { close(): void } {
  if (key.startsWith('kms:'))
    return openKmsSigner(
      key.slice('kms:'.length),
      environment.AWS_ENDPOINT_URL_KMS ?? environment.AWS_ENDPOINT_URL,
    )
  const file = resolve(folder, key.slice('file:'.length))
  return { ...openFileSigner(file, { create }), close() {} }
}

export function openAuthorities({ seal }: Pick<Config, 'seal'>): readonly TimestampAuthority[] {
  return seal.timestamps.map(openTimestampAuthority)
}

/** The key file of an archive on this machine. */
export function localSealKey(local: string): string {
  return `file:${join(resolve(local), 'keys', 'seal.pem')}`
}
