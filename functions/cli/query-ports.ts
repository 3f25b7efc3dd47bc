import type { MailboxId } from '../../shared/contract/ids.ts'
import { mailboxesOf } from '../../shared/ledger/mailboxes.ts'
import { openSpool } from '../../shared/octets.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import type { QueryPorts } from '../../shared/query/find.ts'
import type { Run } from './run.ts'

/** What messages are looked for with; `mailboxes`: every one that has a ledger, whether it is configured or not any more. */
export interface CatalogueAccess {
  readonly ports: QueryPorts
  readonly mailboxes: readonly MailboxId[]
}

/** Opens it, and closes it when the work has ended. */
export async function withCatalogue(
  run: Run,
  work: (access: CatalogueAccess) => Promise<void>,
): Promise<void> {
  await withQueryPorts(run, async (ports) => {
    const mailboxes = await Array.fromAsync(mailboxesOf(ports.archive))
    await work({ ports, mailboxes })
  })
}

/** Opens them, and closes them when the work has ended. */
export async function withQueryPorts(
  { stores: { archive } }: Run,
  work: (ports: QueryPorts) => Promise<void>,
): Promise<void> {
  const parser = openWorkerParser()
  const spool = openSpool()
  try {
    await work({ archive, parser, spool })
  } finally {
    await parser.close()
    await spool.close()
  }
}
