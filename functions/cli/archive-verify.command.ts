import { randomUUID } from 'node:crypto'
import type { MailboxId } from '../../shared/contract/ids.ts'
import { ConfigurationError } from '../../shared/errors.ts'
import { type Checkpoint, readCheckpoint } from '../../shared/operations/verification/checkpoint.ts'
import type { Finding } from '../../shared/operations/verification/finding.ts'
import {
  type MailboxVerification,
  type VerifyProgress,
  verifyArchive,
} from '../../shared/operations/verify-archive.ts'
import { countOf, countText, octetsText, printable } from './output.ts'
import { readResumeFile, removeResumeFile, saveResumeFile } from './resume-file.ts'
import type { Run } from './run.ts'
import { trustedSealKey } from './seal-key.ts'
import { chosenMailboxes } from './settings.ts'

export interface VerifyCommandOptions {
  readonly deep?: boolean
  /** Percent. */
  readonly sample?: number
  /** File that a verification is kept in, to go on with. */
  readonly resume?: string
  /** File with the public key by which seals are checked. */
  readonly key?: string
}

/** The archive against everything that is recorded of it. Exit status 1 on findings, and when it was ended before its end. */
export async function archiveVerifyCommand(
  run: Run,
  ids: readonly string[],
  { deep = false, sample = 100, resume, key }: VerifyCommandOptions,
): Promise<void> {
  const { output, settings, stores, signal } = run
  const { config } = settings
  const policies = new Map(config.mailboxes.map(({ id, retention }) => [id, retention]))
  const mailboxes = ids.length === 0 ? undefined : chosenMailboxes(config, ids).map(({ id }) => id)
  const asked = { deep, sample: sample / 100, mailboxes }
  const from = resume === undefined ? undefined : earlier(resume, asked)
  if (from) output.note(`mailsluice: going on with the verification of ${from.startedAt}`)
  const result = await verifyArchive(
    stores,
    {
      ...asked,
      seed: randomUUID(),
      from,
      signal,
      sealKey: () => trustedSealKey(run, key),
      policyOf: (mailbox) => (mailbox && policies.get(mailbox)) ?? config.archive.retention,
    },
    {
      found: (finding) => output.result({ type: 'finding', ...finding }, () => findingText(finding)),
      verified: (verified) => output.result({ type: 'verified', ...verified }, () => verifiedText(verified)),
      progress: (progress) => output.progress([progressText(progress)]),
      checkpoint: (checkpoint) => {
        if (resume !== undefined) saveResumeFile(resume, checkpoint)
      },
    },
  )
  output.result({ type: 'archive', ...result }, () =>
    [
      ...(result.seal
        ? [`The ledgers were compared with seal ${result.seal.seq} of ${result.seal.sealedAt}.`]
        : []),
      ...(result.locks ? [] : ['This archive has no Object Lock: there were no locks to verify.']),
    ].join('\n'),
  )
  if (result.findings > 0)
    output.problem(
      'archive',
      new Error(`${countOf(result.findings, 'finding')}; docs/evidence.md tells what each means`),
    )
  if (!result.complete)
    output.problem(
      'archive',
      new Error(
        resume === undefined
          ? 'not verified to the end'
          : `not verified to the end; run it again with --resume ${resume}`,
      ),
    )
  else if (resume !== undefined) removeResumeFile(resume)
}

interface Asked {
  readonly deep: boolean
  readonly sample: number
  readonly mailboxes: readonly MailboxId[] | undefined
}

/** Undefined when there is none yet. */
function earlier(file: string, { deep, sample, mailboxes }: Asked): Checkpoint | undefined {
  const checkpoint = readResumeFile(file, 'verification', readCheckpoint)
  if (!checkpoint) return undefined
  const wanted = JSON.stringify([deep, sample, mailboxes ?? null])
  if (JSON.stringify([checkpoint.deep, checkpoint.sample, checkpoint.mailboxes]) !== wanted)
    throw new ConfigurationError('--resume', [
      `${file} is of a verification with other mailboxes, --deep or --sample; give the same, or remove the file`,
    ])
  return checkpoint
}

function findingText({ kind, key, versionId, expected, found }: Finding): string {
  const version = versionId === undefined ? '' : ` (version ${versionId})`
  return printable(`${kind}: ${key}${version}: expected ${expected}; found ${found}`)
}

function verifiedText(verified: MailboxVerification): string {
  const { mailbox, segments, head, messages, octets, inspected, read, held, underWay, findings } = verified
  const count = Object.values(findings).reduce((sum, each) => sum + each, 0)
  const verdict = count === 0 ? 'verified' : countOf(count, 'finding').toUpperCase()
  if (mailbox === undefined)
    return `outside of mailboxes: ${verdict}${inspected > 0 ? `, ${countOf(inspected, 'object')} of evidence` : ''}`
  const parts = [
    countOf(segments, 'segment'),
    countOf(messages, 'message'),
    octetsText(octets),
    `${countText(inspected)} inspected`,
    ...(read > 0 ? [`${countText(read)} read`] : []),
    ...(held > 0 ? [`${countText(held)} under legal hold`] : []),
    ...(underWay > 0 ? [`${countText(underWay)} not recorded yet`] : []),
    ...(head ? [`head ${head.sha256}`] : []),
  ]
  return `${mailbox}: ${verdict}: ${parts.join(', ')}`
}

function progressText({ mailbox, phase, done, total }: VerifyProgress): string {
  if (phase === 'ledger') return `${mailbox}: ${countOf(done, 'segment')}`
  return `${mailbox}: ${countText(done)}${total === undefined ? '' : ` of ${countText(total)}`}`
}
