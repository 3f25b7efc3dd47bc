import {
  PROVIDER_IDS,
  type ProviderId,
  providerOf,
  providerOfDomain,
  providerOfMx,
} from '../contract/providers.ts'

// From an address to its mail server: who is known by name; else what the domain says in DNS (RFC 6186) or on its web server (autoconfig).

/** What discovery asks the network for. Nothing rejects: what is not to be had is empty. */
export interface Network {
  /** Names of the MX hosts, the preferred one first. */
  mx(domain: string): Promise<readonly string[]>
  /** Targets of an SRV record, the preferred one first. */
  srv(name: string): Promise<readonly { readonly host: string; readonly port: number }[]>
  /** The text of a page, bounded; undefined when it is not there. */
  page(url: string): Promise<string | undefined>
}

export interface FoundServer {
  readonly protocol: 'imap' | 'pop3'
  readonly host: string
  readonly port: number
  readonly tls: 'implicit' | 'starttls'
}

export interface Discovered {
  /** Where it was found, for people: `the domain`, `MX aspmx.l.google.com`, `SRV _imaps._tcp.example.org` … */
  readonly by: string
  readonly provider?: ProviderId | undefined
  /** Of a server that belongs to no known provider; nobody vouches for it but DNS. */
  readonly server?: FoundServer | undefined
}

/** Undefined when nobody says anything. */
export async function discover(address: string, network: Network): Promise<Discovered | undefined> {
  const domain = domainOf(address)
  const known = providerOfDomain(domain)
  if (known) return { by: 'the domain', provider: known }
  const mx = await network.mx(domain)
  const receiving = providerOfMx(mx)
  if (receiving) return { by: `MX ${mx[0]}`, provider: receiving }
  const found = (await bySrv(domain, network)) ?? (await byAutoconfig(domain, network))
  if (!found) return undefined
  const provider = providerOfHost(found.server.host)
  return provider ? { by: found.by, provider } : found
}

/** Whether a host is below the domain of the address: others have to be confirmed by whoever sends a password there (RFC 6186, 6). */
export function isWithin(host: string, address: string): boolean {
  const domain = domainOf(address)
  return host.toLowerCase() === domain || host.toLowerCase().endsWith(`.${domain}`)
}

export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase()
}

type Found = Discovered & { readonly server: FoundServer }

const SERVICES = [
  ['_imaps._tcp', 'imap', 'implicit'],
  ['_imap._tcp', 'imap', 'starttls'],
  ['_pop3s._tcp', 'pop3', 'implicit'],
  ['_pop3._tcp', 'pop3', 'starttls'],
] as const

async function bySrv(domain: string, network: Network): Promise<Found | undefined> {
  for (const [service, protocol, tls] of SERVICES) {
    const [target] = await network.srv(`${service}.${domain}`)
    // A lone dot says that there is no such service.
    if (target && target.host !== '' && target.host !== '.')
      return { by: `SRV ${service}.${domain}`, server: { protocol, tls, ...target } }
  }
  return undefined
}

async function byAutoconfig(domain: string, network: Network): Promise<Found | undefined> {
  const urls = [
    `https://autoconfig.${domain}/mail/config-v1.1.xml`,
    `https://${domain}/.well-known/autoconfig/mail/config-v1.1.xml`,
  ]
  for (const url of urls) {
    const server = incomingServer((await network.page(url)) ?? '')
    if (server) return { by: url, server }
  }
  return undefined
}

/** The first incoming server with TLS, IMAP before POP3. */
function incomingServer(xml: string): FoundServer | undefined {
  const servers = [
    ...xml.matchAll(/<incomingServer\s+type="(imap|pop3)">([\s\S]*?)<\/incomingServer>/g),
  ].flatMap(([, protocol, inner = '']) => {
    const value = (name: string): string =>
      new RegExp(`<${name}>\\s*([^<\\s]+)\\s*</${name}>`).exec(inner)?.[1] ?? ''
    const tls = { SSL: 'implicit', STARTTLS: 'starttls' }[value('socketType')] as
      | FoundServer['tls']
      | undefined
    const [host, port] = [value('hostname'), Number(value('port'))]
    const usable = tls && /^[a-z0-9.-]+$/i.test(host) && Number.isInteger(port) && port > 0 && port < 65_536
    return usable ? [{ protocol: protocol as FoundServer['protocol'], host, port, tls }] : []
  })
  return servers.find(({ protocol }) => protocol === 'imap') ?? servers[0]
}

function providerOfHost(host: string): ProviderId | undefined {
  return PROVIDER_IDS.find((id) => {
    const { imap, pop3 } = providerOf(id)
    return [imap?.value.host, pop3?.value.host].includes(host.toLowerCase())
  })
}
