import { openDnsResolver } from '../../shared/authentication/dns-resolver.ts'
import type { Config, MailboxConfig } from '../../shared/contract/config.ts'
import { IngestError } from '../../shared/errors.ts'
import { countOf } from './output.ts'
import type { Run } from './run.ts'

/** After a drain into files: verifies what it brought, where that is configured. In AWS a function of its own does it, whoever drained. */
export async function verifyNewMailHere(
  run: Run,
  { id, receivedBy }: MailboxConfig,
  { authentication }: Pick<Config, 'authentication'>,
): Promise<void> {
  if (run.buckets || !authentication) return
  const { output, stores } = run
  // What verifies takes a third of a second to load, and only here.
  const { verifyNewMail } = await import('../../shared/operations/verify-authentication.ts')
  try {
    const { left } = await verifyNewMail(
      id,
      { receivedBy, queues: [authentication.queue ?? []].flat() },
      { ...stores, dns: openDnsResolver(authentication.dnsServers), now: () => new Date() },
    )
    if (left > 0)
      output.note(
        `mailsluice: ${id}: ${countOf(left, 'new message')} not verified yet: DNS or a queue does not answer; the next drain tries again`,
      )
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    output.problem(`${id}: new mail could not be verified`, error)
  }
}
