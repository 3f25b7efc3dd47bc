import { isIP } from 'node:net'
import type { MailboxAccess } from './mailbox.ts'

/** For TLS with the server of a mailbox, implicit or begun on a connection in clear. */
export function tlsOptions({ host, ca }: MailboxAccess) {
  return {
    host: bareHost(host),
    minVersion: 'TLSv1.2' as const,
    // An address is compared with the certificate, and may not stand in SNI (RFC 6066, 3).
    ...(isIP(bareHost(host)) ? {} : { servername: host }),
    ...(ca === undefined ? {} : { ca }),
  }
}

/** An IPv6 address may stand in brackets. */
export function bareHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}
