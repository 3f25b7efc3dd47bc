import { Resolver } from 'node:dns/promises'
import type { RecordType } from '../contract/authentication.ts'
import { AUTHENTICATION } from '../limits.ts'
import type { Dns } from './dns.ts'

/**
 * Node's resolver (c-ares), over UDP and, for what does not fit, TCP. It follows aliases within an answer, and tells neither how long a record may be
 * kept nor whether it was signed.
 * @param servers addresses, with a port where it is not 53. @default those of the machine
 * @param timeoutMs of one question to one server; asked once more it waits longer. @default AUTHENTICATION.dnsMs
 */
export function openDnsResolver(servers?: readonly string[], timeoutMs: number = AUTHENTICATION.dnsMs): Dns {
  const resolver = new Resolver({ timeout: timeoutMs, tries: AUTHENTICATION.dnsTries })
  if (servers) resolver.setServers(servers)
  return {
    servers: resolver.getServers(),
    async resolve(name, type) {
      try {
        return { records: await ask(resolver, name, type) }
      } catch (error) {
        const { code } = error as { readonly code?: unknown }
        if (typeof code !== 'string') throw error
        // Node refuses some names before it asks.
        return { failure: code.startsWith('ERR_') ? 'EBADNAME' : code }
      }
    },
  }
}

async function ask(resolver: Resolver, name: string, type: RecordType): Promise<string[]> {
  switch (type) {
    case 'A':
      return resolver.resolve4(name)
    case 'AAAA':
      return resolver.resolve6(name)
    case 'CNAME':
      return resolver.resolveCname(name)
    case 'MX':
      return (await resolver.resolveMx(name)).map(({ priority, exchange }) => `${priority} ${exchange}`)
    case 'PTR':
      return resolver.resolvePtr(name)
    case 'TXT':
      return (await resolver.resolveTxt(name)).map((strings) => strings.join(''))
  }
}
