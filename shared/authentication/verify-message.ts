import { Readable } from 'node:stream'
import { domainToASCII } from 'node:url'
import type { ARCData } from 'mailauth'
import { arc } from 'mailauth/lib/arc/index.js'
import { dkimVerify } from 'mailauth/lib/dkim/verify.js'
import { evaluateDmarc } from 'mailauth/lib/dmarc/index.js'
import { spf } from 'mailauth/lib/spf/index.js'
import type { DnsEvidence, Verification } from '../contract/authentication.ts'
import { deadlineIn } from '../deadline.ts'
import { AUTHENTICATION } from '../limits.ts'
import { fieldsInOrder } from '../mail/header-fields.ts'
import { present } from '../present.ts'
import type { Dns } from './dns.ts'
import { DnsRecord } from './dns-record.ts'
import { type OpenedMessage, openMessage, Unverifiable } from './header-section.ts'
import { type TakenFrom, takenFrom } from './received.ts'

export interface VerifyOptions {
  /** A glob: the server whose Received field tells whom the message was taken from. Undefined: SPF is not evaluated. */
  readonly receivedBy: string | undefined
  readonly dns: Dns
  /** When it is verified; for what expires the date that `receivedBy` wrote counts instead (RFC 6376, 3.5). */
  readonly at: Date
  /** For the answers of DNS. @default `at` */
  readonly now?: () => Date
}

export interface Verified {
  readonly verification: Verification
  /** Everything that was asked of DNS: with it and `receivedBy` the same message gives the same result again. */
  readonly answers: readonly DnsEvidence[]
  /** Some answers did not come in time: later the result may be another. */
  readonly temporary: boolean
}

type Dkim = Verification['dkim']
type DkimResult = Awaited<ReturnType<typeof dkimVerify>>
type ArcResult = Awaited<ReturnType<typeof arc>>
type SpfResult = Awaited<ReturnType<typeof spf>>
type Tools = { readonly resolver: DnsRecord['resolver']; readonly strict: true }

/**
 * Verifies DKIM, SPF, DMARC and ARC of a message as its RFCs say, without what receivers let pass (RFC 6376, 8301, 8463, 7208, 9989, 8617). It reads
 * `body` once and keeps no more of it than its header section. What a message may cost is bounded; a message that passes a bound is told `policy`.
 * Rejects as `body` does.
 */
export async function verifyMessage(
  body: AsyncIterable<Buffer>,
  { receivedBy, dns, at, now = () => at }: VerifyOptions,
): Promise<Verified> {
  const deadline = deadlineIn(AUTHENTICATION.messageMs)
  const record = new DnsRecord(dns, deadline, now)
  let verification: Verification
  try {
    const message = await openMessage(body, deadline)
    const taken = receivedBy === undefined ? noServer : takenFrom(message.header, receivedBy)
    const takenAt = 'reason' in taken ? undefined : taken.at
    verification = await verifyOpened(message, taken, takenAt === undefined ? at : new Date(takenAt), record)
  } catch (error) {
    if (!(error instanceof Unverifiable)) throw error
    verification = unverified(error.message)
  }
  return { verification, answers: record.answers, temporary: record.temporary }
}

const noServer = { reason: 'no receivedBy is configured' }

async function verifyOpened(
  message: OpenedMessage,
  taken: TakenFrom | { readonly reason: string },
  curTime: Date,
  record: DnsRecord,
): Promise<Verification> {
  const tools: Tools = { resolver: record.resolver, strict: true }
  const { signed, refused } = await verifySignatures(message, curTime, tools)
  const sender = 'reason' in taken ? undefined : await verifySender(taken, tools)
  const chain = refused === undefined && signed.arc ? await arc(signed.arc as ARCData, tools) : undefined
  const { response, dkimAligned, reason } = await evaluateDmarc({
    headerFrom: signed.headerFrom,
    fromFields: signed.fromFields,
    spfDomains: sender?.status.result === 'pass' ? [sender.domain] : [],
    dkimDomains: passing(signed),
    ...tools,
  })
  return {
    dkim:
      refused === undefined
        ? signatures(signed, response ? dkimAligned : undefined)
        : [{ result: 'policy', reason: refused }],
    spf: sender && !('reason' in taken) ? spfData(sender, taken) : { result: 'none', ...reasonOf(taken) },
    dmarc: response
      ? {
          result: response.status.result,
          ...present({
            domain: text(response.status.header?.from),
            policyDomain: text(response.policyDomain),
            policy: text(response.policy),
            reason: text(response.error),
          }),
        }
      : { result: 'none', ...present({ reason: text(reason) }) },
    arc: chain ? chainData(chain, record.keyTemporary) : { result: 'none', ...present({ reason: refused }) },
  }
}

/** `refused`: why the signatures were not looked at; `signed` has the From of the message all the same. */
async function verifySignatures(
  message: OpenedMessage,
  curTime: Date,
  tools: Tools,
): Promise<{ readonly signed: DkimResult; readonly refused: string | undefined }> {
  const unsigned = (): Promise<DkimResult> => dkimVerify(fromAlone(message.header), tools)
  const fields = message.header.toString('latin1').match(/(?:^|\n)dkim-signature[ \t\r\n]*:/gi)?.length ?? 0
  if (fields > AUTHENTICATION.signatures)
    return { signed: await unsigned(), refused: `it has ${fields} signatures` }
  const source = Readable.from(message.octets(), { objectMode: false })
  try {
    return { signed: await dkimVerify(source, { ...tools, curTime }), refused: undefined }
  } catch (error) {
    if (!(error instanceof Unverifiable)) throw error
    return { signed: await unsigned(), refused: error.message }
  } finally {
    source.destroy()
  }
}

/** A message of nothing but its authors: whatever signatures there are have no part in it. */
function fromAlone(header: Buffer): Buffer {
  return Buffer.from(
    fieldsInOrder(header, 'from')
      .map(({ value }) => `From: ${value}\r\n`)
      .join(''),
  )
}

function verifySender({ clientAddress, helo, mailFrom, by }: TakenFrom, tools: Tools): Promise<SpfResult> {
  return spf({
    sender: mailFrom,
    ip: clientAddress,
    helo,
    mta: by,
    maxElapsedTime: AUTHENTICATION.spfMs,
    ...tools,
  })
}

function passing({ results }: DkimResult) {
  return results.flatMap(({ id = '', signingDomain, status }) =>
    status.result === 'pass' && signingDomain !== undefined
      ? [
          {
            id,
            domain: signingDomain,
            ...present({ aligned: status.aligned, underSized: status.underSized }),
          },
        ]
      : [],
  )
}

/** `aligned`: the domains that DMARC found to be; undefined when it found no record. */
function signatures({ results }: DkimResult, aligned: ReadonlySet<string> | undefined): Dkim {
  return results.map(({ status, signingDomain, selector, algo, signTime, expiresAfter }) => ({
    result: status.result,
    ...present({
      domain: text(signingDomain),
      selector: text(selector),
      algorithm: text(algo),
      aligned:
        status.result === 'pass' && aligned
          ? aligned.has(domainToASCII(signingDomain ?? '').replace(/\.$/, ''))
          : undefined,
      signedAt: signTime ?? undefined,
      expiresAt: expiresAfter ?? undefined,
      unsignedOctets: status.underSized || undefined,
      reason: text(status.comment || status.policy?.['dkim-rules']),
    }),
  }))
}

function spfData({ status, domain }: SpfResult, taken: TakenFrom): Verification['spf'] {
  return {
    result: status.result,
    clientAddress: taken.clientAddress,
    helo: text(taken.helo) ?? '',
    mailFrom: text(taken.mailFrom) ?? '',
    ...present({ domain: text(domain), reason: text(status.comment) }),
  }
}

/** To mailauth a key that cannot be had is a failure (RFC 8617 has no other word); here it is none while it may still come. */
function chainData({ status, i }: ArcResult, keyTemporary: boolean): Verification['arc'] {
  return {
    result: status.result === 'fail' && keyTemporary ? 'temperror' : status.result,
    ...present({ instance: i || undefined, reason: text(status.comment) }),
  }
}

function unverified(reason: string): Verification {
  return {
    dkim: [{ result: 'policy', reason }],
    spf: { result: 'none', reason },
    dmarc: { result: 'none', reason },
    arc: { result: 'none', reason },
  }
}

function reasonOf(taken: TakenFrom | { readonly reason: string }) {
  return 'reason' in taken ? { reason: text(taken.reason) ?? '' } : {}
}

/** What strangers wrote, short and on one line. */
function text(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined
  return value
    .slice(0, AUTHENTICATION.characters)
    .replace(/[\p{C}]/gu, ' ')
    .toWellFormed()
}
