import { hostname } from 'node:os'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { IngestError } from '../../shared/errors.ts'
import { holdNewMail } from '../../shared/operations/hold-new-mail.ts'
import { countOf } from './output.ts'
import type { Run } from './run.ts'

/** After a drain into files: holds what it brought and an open case asks for. In AWS a function of its own does it, whoever drained. */
export async function holdNewMailHere(run: Run, mailbox: MailboxId): Promise<void> {
  if (run.buckets) return
  const { output, stores } = run
  const custody = run.openCustody()
  try {
    const ports = { ...stores, custody, now: () => new Date() }
    const { held } = await holdNewMail(mailbox, `mailsluice@${hostname()}`, ports)
    if (held > 0) output.note(`mailsluice: ${mailbox}: ${countOf(held, 'new message')} held for open cases`)
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    output.problem(`${mailbox}: new mail could not be compared with the open cases`, error)
  } finally {
    custody.close()
  }
}
