import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Config, MailboxConfig } from '../../shared/contract/config.ts'
import { parseConfig } from '../../shared/contract/config-text.ts'
import { ConfigurationError } from '../../shared/errors.ts'

export interface Settings {
  readonly config: Config
  /** The folder of mailsluice.yaml: paths in it are relative to it. */
  readonly folder: string
  /** PEM of private CAs by their path in the configuration. */
  readonly authorities: Readonly<Record<string, string>>
}

/** Reads and validates the configuration alone. Throws a ConfigurationError with every mistake at once. */
export function readConfig(file: string): Config {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigurationError(file, [`cannot be read: ${reason(error)}; name it with --config FILE`])
  }
  const { config, problems } = parseConfig(text)
  if (!config) throw new ConfigurationError(file, problems)
  return config
}

/** Reads and validates the configuration, and the certificates that it names. Throws a ConfigurationError with every mistake at once. */
export function readSettings(file: string): Settings {
  const config = readConfig(file)
  const folder = dirname(resolve(file))
  const more: string[] = []
  const authorities = readAuthorities(config, folder, more)
  if (more.length > 0) throw new ConfigurationError(file, more)
  return { config, folder, authorities }
}

/** The mailboxes with these ids, all when none is named. */
export function chosenMailboxes(config: Config, ids: readonly string[]): readonly MailboxConfig[] {
  const known = new Map<string, MailboxConfig>(config.mailboxes.map((mailbox) => [mailbox.id, mailbox]))
  const unknown = ids.filter((id) => !known.has(id))
  if (unknown.length > 0)
    throw new ConfigurationError(
      'mailbox',
      unknown.map((id) => `${id} is not configured; there are ${[...known.keys()].join(', ')}`),
    )
  return ids.length === 0 ? config.mailboxes : [...new Set(ids)].map((id) => known.get(id) as MailboxConfig)
}

function readAuthorities(config: Config, folder: string, problems: string[]): Record<string, string> {
  const authorities: Record<string, string> = {}
  for (const [index, { ca }] of config.mailboxes.entries()) {
    if (ca === undefined || Object.hasOwn(authorities, ca)) continue
    try {
      authorities[ca] = readFileSync(resolve(folder, ca), 'utf8')
      if (!holdsCertificates(authorities[ca]))
        problems.push(`mailboxes[${index}].ca: ${ca} holds no certificate; expected PEM`)
    } catch (error) {
      problems.push(`mailboxes[${index}].ca: cannot be read: ${reason(error)}`)
    }
  }
  return authorities
}

/** TLS would fail on it only when the first mailbox is opened. */
function holdsCertificates(pem: string): boolean {
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  try {
    for (const certificate of certificates) new X509Certificate(certificate)
  } catch {
    return false
  }
  return certificates.length > 0
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
