import type { ArchiveFacts } from '../../shared/archive/archive.ts'
import { type MailboxConfig, portOf, settingsWithoutEffect } from '../../shared/contract/config.ts'
import { IngestError } from '../../shared/errors.ts'
import { failedLogIn } from '../../shared/failed-log-ins.ts'
import { type AppliedFacts, compareApplied } from '../../shared/operations/applied.ts'
import { type CheckedMailbox, checkArchive, checkMailbox, checkQueue } from '../../shared/operations/check.ts'
import { expiryText } from '../../shared/operations/expiry.ts'
import { readSuspension, type Suspension } from '../../shared/suspension.ts'
import type { Buckets } from './buckets.ts'
import { countOf, countText } from './output.ts'
import type { Run } from './run.ts'
import { chosenMailboxes } from './settings.ts'

type SuspensionFacts = Pick<Suspension, 'code' | 'since' | 'attempts' | 'nextTryAt'>

/** Connects to everything and changes nothing. Looks at all of it, also after a problem. */
export async function checkCommand(run: Run, ids: readonly string[]): Promise<void> {
  const { output, settings, stores } = run
  const mailboxes = chosenMailboxes(settings.config, ids)

  if (run.buckets?.stack !== undefined) await checkDeployment(run, run.buckets)

  const archive = await checkArchive(stores.archive)
  if (archive.facts) {
    const { facts } = archive
    output.result({ kind: 'archive', ok: true, ...facts }, () => archiveText(facts))
    for (const warning of facts.warnings) output.note(`mailsluice: archive: ${warning}`)
  } else {
    output.result({ kind: 'archive', ok: false, ...errorFields(archive.error) }, () => '')
    output.problem('archive', archive.error)
  }

  for (const name of Object.keys(settings.config.queues)) {
    const { facts, error } = await checkQueue(stores.queues, name)
    output.result({ kind: 'queue', ok: facts !== undefined, name, ...facts, ...errorFields(error) }, () =>
      facts
        ? `queue ${name}: ${facts.url}, ${countText(facts.approximateMessages)} waiting${facts.fifo ? ', FIFO' : ''}`
        : '',
    )
    if (error) output.problem(`queue ${name}`, error)
  }

  for (const line of settingsWithoutEffect(settings.config, { available: stores.derived !== undefined }))
    output.note(`mailsluice: ${line}`)

  for (const checked of await Promise.all(
    mailboxes.map((mailbox) => checkMailbox(mailbox, run.toCheck(mailbox))),
  )) {
    const { mailbox, server, folders, expiring, error } = checked
    const suspension = await suspensionOf(run, mailbox)
    output.result(
      {
        kind: 'mailbox',
        ok: error === undefined,
        id: mailbox.id,
        protocol: mailbox.protocol,
        server,
        folders: folders.map(({ ids: listed, ...folder }) => ({ ...folder, ids: listed?.length })),
        ...(expiring.length > 0 ? { expiring } : {}),
        ...(suspension ? { suspended: suspension } : {}),
        ...errorFields(error),
      },
      () => mailboxText(checked),
    )
    for (const notice of expiring) output.note(`mailsluice: ${mailbox.id}: ${expiryText(notice)}`)
    if (suspension) output.note(`mailsluice: ${mailbox.id}: ${suspensionText(suspension)}`)
    if (error) output.problem(`${mailbox.id} (${mailbox.host}:${portOf(mailbox)})`, error)
  }
}

/** What the functions read: a mailbox that is written here and not applied is visited by nobody. */
async function checkDeployment(
  { output, settings: { config, authorities }, stores }: Run,
  { stack, archive, state }: Buckets,
): Promise<void> {
  const kind = 'deployment'
  try {
    const applied = stores.state && (await compareApplied({ v: 1, config, authorities }, stores.state))
    output.result(
      { kind, ok: true, stack, archive, state, applied: applied ?? null },
      () => `deployment ${stack}: archive ${archive}, state ${state}, ${appliedText(applied)}`,
    )
    if (!applied?.same)
      output.note(`mailsluice: ${stack}: what is written here is not what runs; run mailsluice apply`)
  } catch (error) {
    if (!(error instanceof IngestError)) throw error
    output.result({ kind, ok: false, stack, archive, state, ...errorFields(error) }, () => '')
    output.problem(`deployment ${stack}`, error)
  }
}

function appliedText(applied: AppliedFacts | undefined): string {
  if (!applied) return 'nothing is applied'
  if (applied.same) return 'applied'
  const { unknown, additional } = applied
  return [
    'another configuration is applied',
    ...(unknown.length > 0 ? [`without ${unknown.join(', ')}`] : []),
    ...(additional.length > 0 ? [`with ${additional.join(', ')}`] : []),
  ].join(', ')
}

/** What the relay, probes and drains know of log-ins that failed; `check` asks the server all the same, and changes nothing of it. */
async function suspensionOf({ stores }: Run, { id }: MailboxConfig): Promise<SuspensionFacts | undefined> {
  const suspension = await (stores.state && readSuspension(id, stores.state))?.catch((error: unknown) => {
    // What keeps the state from being read is said of the archive.
    if (!(error instanceof IngestError)) throw error
    return undefined
  })
  if (!suspension) return undefined
  const { code, since, attempts, nextTryAt } = suspension
  return { code, since, attempts, nextTryAt }
}

function suspensionText({ code, since, attempts, nextTryAt }: SuspensionFacts): string {
  const why = `${failedLogIn(code).words} (${code}, ${countOf(attempts, 'log-in')} failed)`
  return `suspended since ${since}: ${why}; next try ${nextTryAt}, or when the secret changes, or by mailsluice drain`
}

function errorFields(error: { code: string; message: string; remedy: string } | undefined) {
  return error ? { error: { code: error.code, message: error.message, remedy: error.remedy } } : {}
}

function archiveText({ location, versioning, objectLock, defaultRetention }: ArchiveFacts): string {
  const lock = objectLock ? 'Object Lock on' : 'no Object Lock'
  const retention = defaultRetention
    ? `, retention ${defaultRetention.days} days (${defaultRetention.mode})`
    : ', no default retention'
  return `archive ${location}: ${lock}${objectLock ? retention : ''}${versioning ? ', versioned' : ''}`
}

function mailboxText({ mailbox, server, folders, error }: CheckedMailbox): string {
  if (error || !server) return ''
  const where = `${server.host}:${server.port}`
  const lines = [
    `mailbox ${mailbox.id}: ${mailbox.protocol} ${where}, TLS ${server.tls}, signed in as ${mailbox.user}`,
  ]
  for (const { folder, messages, uidNext, epoch } of folders)
    lines.push(
      `  ${folder}: ${countOf(messages, 'message')}${uidNext === undefined ? '' : `, UIDVALIDITY ${epoch}, UIDNEXT ${uidNext}`}`,
    )
  if (folders.length === 0) lines.push('  no folder matches')
  lines.push(`  ${server.capabilities.join(' ')}`)
  return lines.join('\n')
}
