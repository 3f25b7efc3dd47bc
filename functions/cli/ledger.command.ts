import { countIds } from '../../shared/ledger/id-days.ts'
import { readSegments } from '../../shared/ledger/ledger.ts'
import type { Entry, MessageEntry, SegmentHeader } from '../../shared/ledger/segment.ts'
import { verifyLedger } from '../../shared/ledger/verify.ts'
import { sealedAnchor } from '../../shared/operations/verification/evidence.ts'
import { readSealedLedgers } from '../../shared/seal/sealed-ledgers.ts'
import { countOf, countText, octetsText, printable } from './output.ts'
import type { Run } from './run.ts'
import { trustedSealKey } from './seal-key.ts'
import { chosenMailboxes } from './settings.ts'

/** Every segment with its entries. With --json the lines as they are stored, each with mailbox and seq. */
export async function showCommand(run: Run, ids: readonly string[]): Promise<void> {
  const { output, settings, stores, signal } = run
  const mailboxes = chosenMailboxes(settings.config, ids)
  for (const { id } of mailboxes)
    for await (const { header, entries, sha256 } of readSegments(id, stores.archive)) {
      if (signal.aborted) return
      output.result({ ...header, sha256 }, () => headerText(header, sha256))
      for (const entry of entries)
        output.result({ mailbox: id, seq: header.seq, ...entry }, () => `  ${printable(entryText(entry))}`)
    }
}

/** The chain, that it is the one that was sealed, and that every object it names is there as recorded. */
export async function verifyCommand(
  run: Run,
  ids: readonly string[],
  { key }: { readonly key?: string },
): Promise<void> {
  const { output, settings, stores } = run
  const mailboxes = chosenMailboxes(settings.config, ids)
  const sealed = await readSealedLedgers(stores.archive, () => trustedSealKey(run, key))
  for (const { key: seal, what } of sealed.faults) output.problem(seal, new Error(what))
  for (const { id } of mailboxes) {
    const progress = (segments: number): void => {
      if (segments % 100 === 0) output.progress([`${id}: ${countOf(segments, 'segment')}`])
    }
    const result = await verifyLedger(id, stores.archive, progress, sealedAnchor(id, sealed))
    output.result({ ...result, ok: result.problems.length === 0 }, () => {
      const { segments, messages, octets, head, pending, unrecorded, problems } = result
      if (segments === 0 && unrecorded.length + problems.length === 0) return `${id}: nothing is recorded yet`
      const verdict = problems.length === 0 ? 'verified' : countOf(problems.length, 'problem').toUpperCase()
      const more = [
        pending > 0 ? `${countText(pending)} not announced yet` : '',
        unrecorded.length > 0 ? `${countOf(unrecorded.length, 'object')} not recorded yet` : '',
      ].filter((text) => text !== '')
      const details = more.length > 0 ? `; ${more.join('; ')}` : ''
      return `${id}: ${verdict}: ${countOf(segments, 'segment')}, ${countOf(messages, 'message')}, ${octetsText(octets)}${head ? `, head ${head}` : ''}${details}`
    })
    for (const { kind, key, reason } of result.problems)
      output.problem(`${id}: ${kind}: ${key}`, new Error(reason))
  }
}

function headerText(
  { mailbox, seq, closedAt, drain, server, entries }: SegmentHeader,
  sha256: string,
): string {
  const from = server ? ` from ${server.protocol} ${server.host}:${server.port} (${server.tls})` : ''
  return `${mailbox} segment ${seq}, ${closedAt}, ${countOf(entries, 'entry', 'entries')}${from}, drain ${drain}\n  SHA-256 ${sha256}`
}

function entryText(entry: Entry): string {
  switch (entry.type) {
    case 'message':
      return `${entry.outcome} ${entry.folder} ${entry.id}: ${entry.sha256.slice(0, 12)} ${octetsText(entry.octets)}${entry.subject ? `, ${entry.subject}` : ''}${refusalText(entry)}`
    case 'failed':
    case 'quarantined':
      return `${entry.type} ${entry.folder} ${entry.id}: ${entry.code} after ${countOf(entry.attempts, 'attempt')}: ${entry.reason}`
    case 'gone':
      return `gone ${entry.folder} ${entry.id}`
    case 'vanished':
    case 'filtered':
      return `${entry.type} ${entry.folder}: ${countOf(countIds(entry.ids), 'message')}`
    case 'refetch':
      return `to be fetched again ${entry.folder}: ${countOf(countIds(entry.ids), 'message')}, by ${entry.by}: ${entry.reason}`
    case 'dismissed':
      return `dismissed ${entry.folder} ${entry.id} by ${entry.by}: ${entry.reason}`
    case 'reset':
      return `reset ${entry.folder}: UIDVALIDITY ${entry.from} became ${entry.to}`
    case 'taken':
      return `announced late ${entry.event} on ${entry.queue}, and not everywhere yet`
    case 'announced':
      return `announced late ${entry.event} on ${entry.queue}`
    case 'delete':
    case 'deleted': {
      const why = entry.ground === 'erasure' ? 'to be forgotten' : 'expired'
      return `${entry.type} ${entry.sha256.slice(0, 12)} ${octetsText(entry.octets)}, ${why}, by ${entry.by}: ${entry.reason}`
    }
    case 'kept':
      return `kept ${entry.folder}: ${countOf(countIds(entry.ids), 'message')} on the server, for want of ${entry.lacks}`
    case 'acknowledge':
    case 'acknowledged': {
      const { kind } = entry.action as { kind?: string }
      const what = entry.type === 'acknowledge' ? `to ${kind}` : entry.effect
      return `${entry.type} ${entry.folder}: ${countOf(countIds(entry.ids), 'message')} ${what}`
    }
  }
}

/** Why a queue did not take the event: with its name when it is one of several. */
function refusalText({ refused, queues = [] }: MessageEntry): string {
  const several = queues.flatMap(({ queue, refused }) =>
    refused === undefined ? [] : `${queue}: ${refused}`,
  )
  const reasons = refused === undefined ? several : [refused]
  return reasons.length > 0 ? ` (${reasons.join('; ')})` : ''
}
