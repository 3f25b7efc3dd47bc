import { PROVIDER_IDS, type Provider, type ProviderId, providerOf } from './providers.ts'
import { isGroup, type Mistake, type Written } from './written.ts'

/** Of a daily budget, for the user's own clients share it. */
const SHARE = 0.8

/**
 * What `provider` says of a mailbox, below what the operator says: explicit settings win, one by one. Anything that is not a mailbox with a
 * known provider stays as it is, for the schema to judge. Applied twice it changes nothing more.
 */
export function withPreset(mailbox: Written): Written {
  const id = PROVIDER_IDS.find((known) => known === mailbox.provider)
  return id === undefined ? mailbox : fill(mailbox, providerOf(id))
}

/** What the provider does not have. */
export function presetMistakes({ provider, protocol, host }: Written): Mistake[] {
  const id = PROVIDER_IDS.find((known) => known === provider)
  if (id === undefined || protocol !== 'pop3' || providerOf(id).pop3 || host !== undefined) return []
  return [{ path: ['protocol'], message: `${providerOf(id).name} has no POP3; expected imap` }]
}

/** The name to sign in with at this provider. */
export function userAt(id: ProviderId, address: string): string {
  return providerOf(id).user.value === 'address' ? address : address.slice(0, address.lastIndexOf('@'))
}

function fill(mailbox: Written, provider: Provider): Written {
  const { protocol = provider.imap ? 'imap' : 'pop3', auth = provider.auth.value } = mailbox
  const endpoint = (protocol === 'pop3' ? provider.pop3 : provider.imap)?.value
  const octets = provider.octetsPerDay?.[protocol === 'pop3' ? 'pop3' : 'imap']?.value
  // Another host, or another way to it, is not the provider's: neither is its port.
  const own = (name: 'host' | 'tls'): boolean =>
    mailbox[name] === undefined || mailbox[name] === endpoint?.[name]
  const port = endpoint && own('host') && own('tls') ? { port: endpoint.port } : {}
  const limits = {
    ...(octets === undefined ? {} : { octetsPerDay: octets * SHARE }),
    ...(provider.connections ? { connections: provider.connections.value } : {}),
    ...(provider.idleRenewal && protocol === 'imap' ? { idleRenewal: provider.idleRenewal.value } : {}),
  }
  return {
    ...(endpoint ? { host: endpoint.host, tls: endpoint.tls, ...port } : {}),
    ...(provider.skipFolders && protocol === 'imap' ? { skipFolders: [...provider.skipFolders.value] } : {}),
    protocol,
    auth,
    ...mailbox,
    ...below('limits', limits, mailbox),
    ...(auth === 'oauth2' && provider.oauth2
      ? below('oauth2', withTokenUrl(provider.oauth2.value, mailbox.oauth2, protocol), mailbox)
      : {}),
  }
}

function withTokenUrl(
  { tokenUrl, ...preset }: NonNullable<Provider['oauth2']>['value'],
  own: unknown,
  protocol: unknown,
): Written {
  // Outlook.com names the protocol in the scope.
  const scope = protocol === 'pop3' ? preset.scope.replace('/IMAP.', '/POP.') : preset.scope
  const tenant = isGroup(own) && typeof own.tenant === 'string' ? encodeURIComponent(own.tenant) : undefined
  if (!tokenUrl.includes('{tenant}')) return { ...preset, scope, tokenUrl }
  return { ...preset, scope, ...(tenant ? { tokenUrl: tokenUrl.replace('{tenant}', tenant) } : {}) }
}

/** A group of settings, one by one below those of the mailbox. What is no group there stays for the schema to judge. */
function below(name: string, preset: Written, mailbox: Written): Written {
  const own = mailbox[name] ?? {}
  return isGroup(own) ? { [name]: { ...preset, ...own } } : {}
}
