import { createHash } from 'node:crypto'
import * as z from 'zod'
import { encodeEvent, resumedEvent, suspendedEvent } from './announcement.ts'
import { type MailboxConfig, portOf } from './contract/config.ts'
import type { Event } from './contract/event.ts'
import type { MailboxId } from './contract/ids.ts'
import { suspensionKey } from './contract/object-key.ts'
import type { Credentials } from './credentials/credentials.ts'
import { ERROR_CODES, type ErrorCode, IngestError } from './errors.ts'
import { pauseMs } from './failed-log-ins.ts'
import type { EventQueues } from './queue/queue.ts'
import { DEFAULT_QUEUE } from './routing.ts'
import type { Revision, StateStore } from './state/state.ts'

// Mailboxes that cannot be entered. Providers lock accounts and addresses for repeated failed log-ins, so whoever signs in (relay, probe,
// drain) asks here first, and they share the pauses through the state store. It is over by itself: when a log-in succeeds, and a log-in is tried
// when the pause is over or as soon as the credential is another one. What is lost with the state store is one log-in too early.

const suspensionSchema = z.strictObject({
  code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
  reason: z.string(),
  /** Of the first attempt that failed. */
  since: z.string(),
  attempts: z.int().min(1),
  nextTryAt: z.string(),
  /** Digest of the settings that did not do, and the version of the secret, where it has one. */
  settings: z.string(),
  version: z.string().optional(),
  announced: z.boolean(),
})

const recordSchema = z.strictObject({ v: z.literal(1), suspension: suspensionSchema.nullable() })

export type Suspension = Readonly<z.infer<typeof suspensionSchema>>

/** Whether a log-in may be tried now. */
export type Admission =
  | {
      readonly admitted: true
      /** Set when the log-in is a try: nobody else is admitted until its outcome is told, or the next pause is over. */
      readonly suspension: Suspension | undefined
    }
  | { readonly admitted: false; readonly suspension: Suspension }

export interface SuspensionPorts {
  readonly state: StateStore
  readonly queues: Pick<EventQueues, 'send'>
  readonly credentials: Pick<Credentials, 'version'>
  /** @default the system's clock */
  readonly now?: (() => Date) | undefined
  /** From 0 to 1. @default Math.random */
  readonly random?: (() => number) | undefined
}

/** Every method rejects with what the state store rejects with. */
export interface Suspensions {
  /** Before a log-in. */
  admit(mailbox: MailboxConfig): Promise<Admission>
  /**
   * After one that failed, for errors that `suspends` names. The first failure is announced on the default queue; when the queue
   * refuses, the next one is.
   */
  failed(mailbox: MailboxConfig, error: IngestError): Promise<Suspension>
  /** After one that succeeded: ends the suspension, if there is one, and announces that. */
  succeeded(mailbox: MailboxConfig): Promise<void>
}

/** For those who only look. Undefined when it is not suspended. */
export async function readSuspension(mailbox: MailboxId, state: StateStore): Promise<Suspension | undefined> {
  return (await readRecord(mailbox, state)).suspension
}

export function openSuspensions(ports: SuspensionPorts): Suspensions {
  const { state, now = () => new Date(), random = Math.random } = ports

  /** Later by up to a quarter, so that mailboxes that failed together are not tried together. */
  const nextTry = (code: ErrorCode, attempts: number): string =>
    new Date(now().getTime() + pauseMs(code, attempts) * (1 + random() / 4)).toISOString()

  /** False when somebody else was faster. */
  const write = (
    mailbox: MailboxId,
    suspension: Suspension | null,
    revision: Revision | undefined,
  ): Promise<boolean> =>
    state.write(suspensionKey(mailbox), Buffer.from(JSON.stringify({ v: 1, suspension })), revision)

  /** A version that cannot be read for the moment is the one that was known: a trouble of the store of secrets is no new secret. */
  async function accessOf(
    mailbox: MailboxConfig,
    before: Suspension | undefined,
  ): Promise<{ readonly settings: string; readonly version?: string }> {
    const version = (await ports.credentials.version(mailbox.credential)) ?? before?.version
    return { settings: settingsDigest(mailbox), ...(version === undefined ? {} : { version }) }
  }

  async function send({ id: group }: MailboxConfig, event: Event): Promise<boolean> {
    const outgoing = { id: event.id, group, body: encodeEvent(event) }
    try {
      const [result] = await ports.queues.send(DEFAULT_QUEUE, [outgoing])
      return result?.sent === true
    } catch (error) {
      if (!(error instanceof IngestError)) throw error
      return false
    }
  }

  async function announce(mailbox: MailboxConfig, suspension: Suspension): Promise<void> {
    const { code, reason, since, nextTryAt } = suspension
    const event = suspendedEvent(
      { mailbox: named(mailbox), code, reason, remedy: ERROR_CODES[code].remedy, since, nextTryAt },
      now(),
    )
    if (!(await send(mailbox, event))) return
    const { suspension: there, revision } = await readRecord(mailbox.id, state)
    // Whoever changed it meanwhile announces it once more, under the same id.
    if (there?.since === since) await write(mailbox.id, { ...there, announced: true }, revision)
  }

  return {
    async admit(mailbox) {
      while (true) {
        const { suspension, revision } = await readRecord(mailbox.id, state)
        if (!suspension) return { admitted: true, suspension: undefined }
        const access = await accessOf(mailbox, suspension)
        const changed = access.settings !== suspension.settings || access.version !== suspension.version
        if (now() < new Date(suspension.nextTryAt) && !changed) return { admitted: false, suspension }
        // The try belongs to whoever writes first; everybody else finds the next one in the future.
        const tried = {
          ...suspension,
          ...access,
          nextTryAt: nextTry(suspension.code, suspension.attempts + 1),
        }
        if (await write(mailbox.id, tried, revision)) return { admitted: true, suspension: tried }
      }
    },

    async failed(mailbox, error) {
      while (true) {
        const { suspension: before, revision } = await readRecord(mailbox.id, state)
        const attempts = (before?.attempts ?? 0) + 1
        const suspension: Suspension = {
          code: error.code,
          reason: error.message,
          since: before?.since ?? now().toISOString(),
          attempts,
          nextTryAt: nextTry(error.code, attempts),
          ...(await accessOf(mailbox, before)),
          announced: before?.announced ?? false,
        }
        if (!(await write(mailbox.id, suspension, revision))) continue
        if (!suspension.announced) await announce(mailbox, suspension)
        return suspension
      }
    },

    async succeeded(mailbox) {
      while (true) {
        const { suspension, revision } = await readRecord(mailbox.id, state)
        if (!suspension) return
        const { code, since, attempts } = suspension
        // Announced first: when we die in between, the next log-in that succeeds announces it again, under the same id.
        await send(mailbox, resumedEvent({ mailbox: named(mailbox), code, since, attempts }, now()))
        if (await write(mailbox.id, null, revision)) return
      }
    },
  }
}

function named({ id, protocol }: MailboxConfig): { id: MailboxId; protocol: 'imap' | 'pop3' } {
  return { id, protocol }
}

async function readRecord(
  mailbox: MailboxId,
  state: StateStore,
): Promise<{ suspension: Suspension | undefined; revision: Revision | undefined }> {
  const entry = await state.read(suspensionKey(mailbox))
  if (!entry) return { suspension: undefined, revision: undefined }
  const { revision } = entry
  return { suspension: parseRecord(entry.content), revision }
}

/** What is not ours or damaged is no suspension: the next failed log-in writes it anew. */
function parseRecord(content: Buffer): Suspension | undefined {
  try {
    return recordSchema.parse(JSON.parse(content.toString('utf8'))).suspension ?? undefined
  } catch {
    return undefined
  }
}

function settingsDigest(mailbox: MailboxConfig): string {
  const { protocol, host, tls, ca, user, credential, auth, oauth2, folders } = mailbox
  const settings = [protocol, host, portOf(mailbox), tls, ca, user, credential, auth, oauth2, folders]
  return createHash('sha256').update(JSON.stringify(settings)).digest('hex').slice(0, 16)
}
