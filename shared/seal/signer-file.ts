import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from '../archive/file-errors.ts'
import { IngestError } from '../errors.ts'
import { readPublicKey } from './seal.ts'
import type { Signer } from './signer.ts'

/**
 * A private key in a file: PEM (PKCS #8) of an Ed25519 or P-256 key. Whoever reads the file can sign as well, so that a seal proves no more than
 * that nobody without it has changed anything.
 * @param create makes an Ed25519 key there when there is none, readable by its owner alone
 */
export function openFileSigner(file: string, { create = false }: { readonly create?: boolean } = {}): Signer {
  let opened: Promise<KeyObject> | undefined
  const key = (): Promise<KeyObject> => {
    opened ??= readKey(file, create)
    return opened
  }
  return {
    async publicKey() {
      return createPublicKey(await key())
        .export({ type: 'spki', format: 'pem' })
        .toString()
    },
    async sign(octets) {
      const privateKey = await key()
      return sign(privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256', octets, privateKey)
    },
  }
}

async function readKey(file: string, create: boolean): Promise<KeyObject> {
  if (create) await makeKey(file)
  let pem: string
  try {
    pem = await readFile(file, 'utf8')
  } catch (cause) {
    throw unusable(file, 'it cannot be read', cause)
  }
  try {
    const key = createPrivateKey(pem)
    if (readPublicKey(createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString())) return key
  } catch (cause) {
    throw unusable(file, 'it holds no private key (PEM, without password)', cause)
  }
  throw unusable(file, 'it holds a key of another kind; expected Ed25519 or P-256')
}

async function makeKey(file: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519')
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    const target = await open(file, 'wx', 0o600)
    try {
      await target.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }))
      await target.sync()
    } finally {
      await target.close()
    }
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw unusable(file, 'it cannot be made', cause)
  }
}

function unusable(file: string, what: string, cause?: unknown): IngestError {
  return new IngestError('SIGNING_KEY_UNUSABLE', `${file}: ${what}`, { cause })
}
