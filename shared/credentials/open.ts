import type { Credentials, SecretStore } from './credentials.ts'
import { filePassword, fileVersion } from './file.ts'
import { replaceFilePassword } from './file-replace.ts'
import { openLogins } from './logins.ts'
import { missing, unsaved } from './missing.ts'
import {
  replaceSecretsManagerPassword,
  secretsManagerPassword,
  secretsManagerVersion,
} from './secrets-manager.ts'
import { replaceSsmPassword, ssmPassword, ssmVersion } from './ssm.ts'

export interface CredentialsOptions {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Relative paths of `file:` start here: the folder of the configuration. */
  readonly folder: string
  /** @default the SDK's own settings */
  readonly endpoints?:
    | { readonly ssm?: string | undefined; readonly secretsManager?: string | undefined }
    | undefined
}

/** Credentials by the four kinds of reference. Clients of AWS are loaded when they are needed. */
export function openCredentials(options: CredentialsOptions): Credentials {
  const store = openSecretStore(options)
  return { ...store, login: openLogins({ store }) }
}

function openSecretStore({ environment, folder, endpoints }: CredentialsOptions): SecretStore {
  return {
    async password(reference) {
      const colon = reference.indexOf(':')
      const place = reference.slice(colon + 1)
      switch (reference.slice(0, colon)) {
        case 'env': {
          const secret = environment[place]
          if (!secret) throw missing(reference, `the environment variable ${place} is not set`)
          return secret
        }
        case 'file':
          return filePassword(place, folder)
        case 'ssm':
          return ssmPassword(place, endpoints?.ssm)
        case 'secretsmanager':
          return secretsManagerPassword(place, endpoints?.secretsManager)
        default:
          throw missing(reference, 'expected env:NAME, file:PATH, ssm:NAME or secretsmanager:ID')
      }
    },
    async version(reference) {
      const colon = reference.indexOf(':')
      const place = reference.slice(colon + 1)
      switch (reference.slice(0, colon)) {
        case 'file':
          return fileVersion(place, folder)
        case 'ssm':
          return ssmVersion(place, endpoints?.ssm)
        case 'secretsmanager':
          return secretsManagerVersion(place, endpoints?.secretsManager)
        default:
          return undefined
      }
    },
    async replace(reference, expected, secret) {
      const colon = reference.indexOf(':')
      const place = reference.slice(colon + 1)
      switch (reference.slice(0, colon)) {
        case 'file':
          return replaceFilePassword(place, folder, expected, secret)
        case 'ssm':
          return replaceSsmPassword(place, endpoints?.ssm, expected, secret)
        case 'secretsmanager':
          return replaceSecretsManagerPassword(place, endpoints?.secretsManager, expected, secret)
        default:
          throw unsaved(reference, 'nothing can be written there')
      }
    },
  }
}
