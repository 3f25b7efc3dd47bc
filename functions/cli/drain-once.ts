import type { MailboxConfig } from '../../shared/contract/config.ts'
import type { DrainOptions, DrainPorts } from '../../shared/drain/ports.ts'
import type { DrainReport } from '../../shared/drain/report.ts'
import { drain } from '../../shared/drain.ts'
import type { OctetArena } from '../../shared/octet-arena.ts'
import { openSpool } from '../../shared/octets.ts'
import { holdNewMailHere } from './hold-new-mail.ts'
import type { Run } from './run.ts'
import { verifyNewMailHere } from './verify-new-mail.ts'

/** Drains one mailbox with what the run has, holds what of it an open case asks for, and verifies it where that is configured. Whoever opened the parser closes it. */
export async function drainOnce(
  run: Run,
  mailbox: MailboxConfig,
  shared: Pick<DrainPorts, 'parser' | 'room'> & { readonly arena?: OctetArena },
  options: DrainOptions,
): Promise<DrainReport> {
  const { settings, stores } = run
  const spool = openSpool(undefined, shared.arena)
  try {
    const ports = { ...stores, ...shared, spool, openMailbox: run.opener(mailbox) }
    const report = await drain({ mailbox, routes: settings.config.routes }, ports, options)
    if (!options.dryRun) {
      await holdNewMailHere(run, mailbox.id)
      await verifyNewMailHere(run, mailbox, settings.config)
    }
    return report
  } finally {
    await spool.close()
  }
}
