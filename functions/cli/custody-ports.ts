import type { Retention } from '../../shared/archive/archive.ts'
import type { Custody } from '../../shared/archive/custody.ts'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { mailboxesOf } from '../../shared/ledger/mailboxes.ts'
import { openSpool, type Spool } from '../../shared/octets.ts'
import type { Parser } from '../../shared/parser/parser.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import type { Stores } from '../stores.ts'
import type { Run } from './run.ts'

/** What the commands of the records officer work with. */
export interface CustodyPorts extends Pick<Stores, 'archive' | 'audit'> {
  readonly custody: Custody
  readonly parser: Parser
  readonly spool: Spool
  /** Every mailbox that has a ledger, whether it is configured or not any more. */
  readonly mailboxes: readonly MailboxId[]
  readonly now: () => Date
  readonly retentionOf: (mailbox: MailboxId) => Retention | undefined
  readonly ownRetentionOf: (mailbox: MailboxId) => Retention | undefined
}

/** Opens them, and closes them when the work has ended. */
export async function withCustody(run: Run, work: (ports: CustodyPorts) => Promise<void>): Promise<void> {
  const { archive, audit } = run.stores
  const { mailboxes: configured, archive: common } = run.settings.config
  const ownRetentionOf = (id: MailboxId) => configured.find((mailbox) => mailbox.id === id)?.retention
  const custody = run.openCustody()
  const parser = openWorkerParser()
  const spool = openSpool()
  try {
    await work({
      archive,
      audit,
      custody,
      parser,
      spool,
      mailboxes: await Array.fromAsync(mailboxesOf(archive)),
      now: () => new Date(),
      retentionOf: (id) => ownRetentionOf(id) ?? common.retention,
      ownRetentionOf,
    })
  } finally {
    custody.close()
    await parser.close()
    await spool.close()
  }
}
