import type { MailboxConfig } from '../../shared/contract/config.ts'
import { never } from '../../shared/deadline.ts'
import { IngestError } from '../../shared/errors.ts'
import { openRecorder } from '../../shared/ledger/recorder.ts'
import { reconcile, refetchesOf } from '../../shared/operations/reconcile.ts'
import type {
  Certificate,
  Difference,
  FolderCertificate,
} from '../../shared/operations/reconciliation/certificate.ts'
import { storeCertificate } from '../../shared/operations/reconciliation/stored-certificate.ts'
import { openWorkerParser } from '../../shared/parser/worker-pool.ts'
import { reportText } from './drain.command.ts'
import { drainOnce } from './drain-once.ts'
import { whoever } from './order.ts'
import { countOf, countText, printable } from './output.ts'
import type { Run } from './run.ts'
import { chosenMailboxes } from './settings.ts'

export interface ReconcileCommandOptions {
  readonly repair?: boolean
  readonly store?: boolean
}

/** A certificate for each mailbox. What goes wrong with one does not stop the others. */
export async function reconcileCommand(
  run: Run,
  ids: readonly string[],
  options: ReconcileCommandOptions,
): Promise<void> {
  const { output, settings, signal } = run
  for (const mailbox of chosenMailboxes(settings.config, ids)) {
    if (signal.aborted) return
    try {
      await reconcileOne(run, mailbox, options)
    } catch (error) {
      if (!(error instanceof IngestError)) throw error
      output.problem(mailbox.id, error)
    }
  }
}

async function reconcileOne(
  run: Run,
  mailbox: MailboxConfig,
  { repair, store }: ReconcileCommandOptions,
): Promise<void> {
  const { output, stores } = run
  const ports = { ...stores, openMailbox: run.opener(mailbox) }
  let certificate = await reconcile(mailbox, ports, new Date())
  if (repair && isRepairable(certificate)) {
    await repairBy(run, mailbox, certificate)
    certificate = await reconcile(mailbox, ports, new Date())
  }
  output.result(certificate, () => certificateText(certificate))
  if (store) {
    const key = await storeCertificate(certificate, stores.archive, mailbox.retention)
    output.result({ type: 'stored', mailbox: mailbox.id, key }, () => `  stored as ${key}`)
  }
  for (const { kind, key, reason } of certificate.problems)
    output.problem(`${mailbox.id}: ${kind}: ${key}`, new Error(reason))
  if (!certificate.complete)
    output.problem(
      mailbox.id,
      new Error(
        `there are differences that nothing explains${repair ? '' : '; --repair fetches what is missing'}`,
      ),
    )
}

/** Something is on the server that a drain could fetch. */
function isRepairable({ folders }: Certificate): boolean {
  const reasons = new Set([
    'arrived-since',
    'not-yet-drained',
    'failing',
    'passed-over',
    'recorded-as-gone',
    'object-missing',
  ])
  return folders.some(
    ({ server, differences }) => server && differences.some(({ reason }) => reasons.has(reason)),
  )
}

async function repairBy(run: Run, mailbox: MailboxConfig, certificate: Certificate): Promise<void> {
  const { output, stores, signal } = run
  const refetches = refetchesOf(certificate, { by: whoever(), reason: 'ledger reconcile --repair' })
  if (refetches.length > 0) {
    const recorder = await openRecorder(mailbox.id, stores.archive, mailbox.retention, () => new Date())
    await recorder.record(refetches)
  }
  const parser = openWorkerParser()
  try {
    const report = await drainOnce(run, mailbox, { parser }, { deadline: never, signal })
    output.note(`mailsluice: repair: ${reportText(mailbox, report, false)}`)
    if (report.error) throw report.error
  } finally {
    await parser.close()
  }
}

function certificateText({ mailbox, complete, folders, ledger }: Certificate): string {
  const head = ledger ? `, ledger of ${countOf(ledger.seq, 'segment')}, head ${ledger.sha256}` : ''
  return [`${mailbox}: ${complete ? 'complete' : 'NOT COMPLETE'}${head}`, ...folders.map(folderText)].join(
    '\n',
  )
}

function folderText({ folder, epoch, server, archive, differences }: FolderCertificate): string {
  const { messages, onServer, removedAsConfigured, removedByOthers } = archive
  const left = [
    ...(removedAsConfigured > 0 ? [`${countText(removedAsConfigured)} removed as configured`] : []),
    ...(removedByOthers > 0 ? [`${countText(removedByOthers)} removed by others`] : []),
  ]
  const where = /^\d+$/.test(epoch) ? `UIDVALIDITY ${epoch}` : epoch.toUpperCase()
  const sides = server
    ? `${countText(server.messages)} on the server, ${countText(onServer)} of them archived; ${countText(messages)} archived in all`
    : `over; ${countText(messages)} archived`
  const line = `  ${folder} (${where}): ${[sides, ...left].join(', ')}`
  return printableLines([line, ...differences.map((difference) => `    ${differenceText(difference)}`)])
}

/** Ids that are told one by one. */
const IDS_CHARACTERS = 200

function differenceText({ reason, explained, messages, ids }: Difference): string {
  const list = typeof ids === 'string' ? ids : ids.join(' ')
  const told = list.length > IDS_CHARACTERS ? `${list.slice(0, IDS_CHARACTERS)}…` : list
  return `${explained ? '' : 'UNEXPLAINED: '}${reason}: ${countOf(messages, 'message')}: ${told}`
}

function printableLines(lines: readonly string[]): string {
  return lines.map(printable).join('\n')
}
