import type { Readable } from 'node:stream'
import { authenticatedEvent, encodeEvent } from '../announcement.ts'
import type { Archive } from '../archive/archive.ts'
import type { Dns } from '../authentication/dns.ts'
import { type Evidence, encodeEvidence, readEvidence, VERIFIER } from '../authentication/evidence.ts'
import { verifyMessage } from '../authentication/verify-message.ts'
import { verificationSchema } from '../contract/authentication.ts'
import type { MailboxId, ObjectKey, Sha256 } from '../contract/ids.ts'
import { authenticationCursorKey, authenticationKey, rawKey } from '../contract/object-key.ts'
import { type Deadline, never } from '../deadline.ts'
import { IngestError } from '../errors.ts'
import { inLanes } from '../lanes.ts'
import { readSegments } from '../ledger/ledger.ts'
import { readPlace, writePlace } from '../ledger/place.ts'
import type { MessageEntry, Segment } from '../ledger/segment.ts'
import { AUTHENTICATION } from '../limits.ts'
import { memoryOctets } from '../octets.ts'
import { present } from '../present.ts'
import { type Announcer, openAnnouncer } from '../queue/announcer.ts'
import type { EventQueues } from '../queue/queue.ts'
import type { StateStore } from '../state/state.ts'

export interface AuthenticationPorts {
  readonly archive: Archive
  readonly queues: EventQueues
  readonly dns: Dns
  readonly now: () => Date
}

export interface AuthenticationOptions {
  /** Of the mailbox. */
  readonly receivedBy: string | undefined
  /** Names of the queues that the results are announced to. */
  readonly queues: readonly string[]
  /** @default never */
  readonly deadline?: Deadline
}

export interface AuthenticationReport {
  /** Messages whose result is kept and announced, also those of an earlier try. */
  readonly verified: number
  /** Messages that are to be looked at again: DNS did not answer, a queue refused, or the time was up. */
  readonly left: number
}

/**
 * Verifies what a segment brought, keeps the results as evidence and announces them. To be called for every new segment. While something is left it
 * is to be called again, some time later; what is kept already is announced again then, under the same id and with the same content. Rejects with
 * ARCHIVE_… and QUEUE_….
 */
export async function verifySegment(
  segment: Segment,
  options: AuthenticationOptions,
  ports: AuthenticationPorts,
): Promise<AuthenticationReport> {
  const { closedAt } = segment.header
  const ageMs = ports.now().getTime() - Date.parse(closedAt)
  if (ageMs > AUTHENTICATION.freshMs) return { verified: 0, left: 0 }
  const announcer = openAnnouncer(ports.queues)
  const { deadline = never } = options
  const outcomes = await inLanes(arrivedIn(segment), AUTHENTICATION.messagesAtOnce, async (entry) => {
    if (deadline.passed()) return 'left'
    const evidence = await evidenceOf(entry, segment, options, ports, ageMs > AUTHENTICATION.retryMs)
    if (typeof evidence === 'string') return evidence
    return (await announce(entry, evidence, options.queues, announcer, ports)) ? 'verified' : 'left'
  })
  const count = (what: (typeof outcomes)[number]): number => outcomes.filter((each) => each === what).length
  return { verified: count('verified'), left: count('left') }
}

/**
 * Verifies the new mail of a mailbox, from where the last call ended: for one machine, where nobody is told of segments. It stops at a segment in which
 * something is left; the next call begins there.
 */
export async function verifyNewMail(
  mailbox: MailboxId,
  options: AuthenticationOptions,
  ports: AuthenticationPorts & { readonly state: StateStore | undefined },
): Promise<AuthenticationReport> {
  const key = authenticationCursorKey(mailbox)
  let verified = 0
  for await (const segment of readSegments(mailbox, ports.archive, await readPlace(key, mailbox, ports))) {
    const report = await verifySegment(segment, options, ports)
    verified += report.verified
    if (report.left > 0) return { verified, left: report.left }
    await writePlace(key, { seq: segment.header.seq, sha256: segment.sha256 }, ports)
  }
  return { verified, left: 0 }
}

/** Each once. What was imported came long ago, and of a duplicate nothing is announced. */
function arrivedIn({ entries }: Segment): MessageEntry[] {
  const arrived = entries.filter(
    (entry): entry is MessageEntry =>
      entry.type === 'message' && (entry.outcome === 'announced' || entry.outcome === 'pending'),
  )
  return [...new Map(arrived.map((entry) => [entry.sha256, entry])).values()]
}

/** What is kept of the message; `left` while DNS does not answer, unless the result is to be `final`; `gone` when it was deleted meanwhile. */
async function evidenceOf(
  entry: MessageEntry,
  { header: { mailbox, seq, drain } }: Segment,
  { receivedBy }: AuthenticationOptions,
  { archive, dns, now }: AuthenticationPorts,
  final: boolean,
): Promise<Evidence | 'left' | 'gone'> {
  const digest = entry.sha256 as Sha256
  const kept = await readEvidence(mailbox, digest, archive)
  if (kept) return kept
  const at = now()
  const body = await openRaw(rawKey(mailbox, digest), archive)
  if (!body) return 'gone'
  try {
    const { verification, answers, temporary } = await verifyMessage(body, { receivedBy, dns, at, now })
    if (temporary && !final) return 'left'
    const evidence: Evidence = {
      header: {
        type: 'authentication',
        v: 1,
        mailbox,
        sha256: digest,
        verifiedAt: at.toISOString(),
        verifier: VERIFIER,
        ...present({ receivedBy }),
        resolver: { servers: [...dns.servers], dnssec: 'unknown' },
        ...verification,
        answers: answers.length,
      },
      answers,
    }
    const put = await archive.put(
      authenticationKey(mailbox, digest),
      memoryOctets(encodeEvidence(evidence)),
      { contentType: 'application/x-ndjson', writtenFor: { seq, drain } },
    )
    // Somebody else was faster: what is kept counts.
    return put.outcome === 'created' ? evidence : ((await readEvidence(mailbox, digest, archive)) ?? 'left')
  } finally {
    body.destroy()
  }
}

/** Undefined when it is not there: whether it was deleted with a receipt is for the verification of the archive to tell. */
async function openRaw(key: ObjectKey, archive: Archive): Promise<Readable | undefined> {
  try {
    return (await archive.get(key)).body
  } catch (error) {
    const missing = error instanceof IngestError && error.code === 'ARCHIVE_CONFLICT'
    if (!missing || (await archive.find(key))) throw error
    return undefined
  }
}

/** False when a queue refused. */
async function announce(
  { sha256, octets, versionId, retainUntil }: MessageEntry,
  { header }: Evidence,
  queues: readonly string[],
  announcer: Announcer,
  { archive, now }: AuthenticationPorts,
): Promise<boolean> {
  const mailbox = header.mailbox as MailboxId
  const at = (key: ReturnType<typeof rawKey>) => ({
    uri: archive.uri(key),
    ...present({ bucket: archive.bucket }),
    key,
  })
  const event = authenticatedEvent(
    mailbox,
    {
      raw: {
        ...at(rawKey(mailbox, sha256 as Sha256)),
        sha256,
        octets,
        ...present({ versionId, retainUntil }),
      },
      mailbox: { id: mailbox },
      verifiedAt: header.verifiedAt,
      ...verificationSchema.parse(header),
      evidence: at(authenticationKey(mailbox, sha256 as Sha256)),
    },
    now(),
  )
  const outgoing = { id: event.id, group: mailbox, body: encodeEvent(event) }
  const sent = await Promise.all(queues.map((queue) => announcer.announce(queue, outgoing)))
  return sent.every((result) => result.sent)
}
