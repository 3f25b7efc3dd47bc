import { Resolver } from 'node:dns/promises'
import { DISCOVERY } from '../limits.ts'
import type { Network } from './discovery.ts'

/** The network of this machine: DNS as it is set up, and web servers over TLS. */
export function openNetwork(): Network {
  const resolver = new Resolver({ timeout: DISCOVERY.lookUpMs, tries: 1 })
  return {
    async mx(domain) {
      const records = await resolver.resolveMx(domain).catch(() => [])
      return records.sort((a, b) => a.priority - b.priority).map(({ exchange }) => exchange)
    },
    async srv(name) {
      const records = await resolver.resolveSrv(name).catch(() => [])
      return records
        .sort((a, b) => a.priority - b.priority || b.weight - a.weight)
        .map(({ name: host, port }) => ({ host, port }))
    },
    async page(url) {
      try {
        const response = await fetch(url, {
          redirect: 'error',
          signal: AbortSignal.timeout(DISCOVERY.pageMs),
        })
        if (!response.ok) return undefined
        const text = await response.text()
        return text.length > DISCOVERY.pageCharacters ? undefined : text
      } catch {
        // Whatever it is that keeps a page from being read: there is none then.
        return undefined
      }
    },
  }
}
