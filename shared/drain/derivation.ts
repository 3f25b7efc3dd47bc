import { Readable } from 'node:stream'
import { boundedEvent } from '../bounded-event.ts'
import type { ArchivedEvent, Attachment } from '../contract/event.ts'
import { wantsAttachment } from '../contract/extract.ts'
import type { MailboxId, Sha256 } from '../contract/ids.ts'
import { attachmentKey, metadataKey } from '../contract/object-key.ts'
import type { RouteConfig } from '../contract/routes.ts'
import type { DerivedStore } from '../derived/derived.ts'
import { QUEUE } from '../limits.ts'
import { decodedPart } from '../mail/decoded-part.ts'
import type { EncodedPart, ParsedMessage } from '../mail/parsed-message.ts'
import { memoryOctets, type Octets, type OctetsToStore } from '../octets.ts'

// What is made of a message besides its event, and stored before the event speaks of it. A drain that dies in between does it again.

/**
 * Stores the attachments that a route wants, each read from its place in the message, one after the other: no more than a piece of each is in
 * memory. Returns all attachments, with key and URI of those that are stored. Rejects as DerivedStore.put.
 */
export async function extractAttachments(
  mailbox: MailboxId,
  octets: Octets,
  { attachments, encoded }: ParsedMessage,
  routes: readonly RouteConfig[],
  derived: DerivedStore | undefined,
): Promise<Attachment[]> {
  const rules = routes.flatMap(({ extract }) => extract ?? [])
  const told: Attachment[] = []
  for (const attachment of attachments) {
    const part = encoded[attachment.partPath]
    const wanted = derived && part && rules.some((rule) => wantsAttachment(rule, attachment))
    if (!wanted) {
      told.push(attachment)
      continue
    }
    const key = attachmentKey(mailbox, attachment.sha256 as Sha256)
    await derived.put(key, decodedBody(octets, attachment, part))
    told.push({ ...attachment, key, uri: derived.uri(key) })
  }
  return told
}

/**
 * Stores the whole `data` of an event that will be cut to fit a queue, and returns the event with `metadata` that names the object. Without a
 * derived store the message alone has it all. Rejects as DerivedStore.put.
 */
export async function keepWhole(
  mailbox: MailboxId,
  event: ArchivedEvent,
  derived: DerivedStore | undefined,
): Promise<ArchivedEvent> {
  if (!derived || boundedEvent(event, QUEUE.eventOctets) === event) return event
  const whole = memoryOctets(Buffer.from(JSON.stringify(event.data)))
  const { sha256, length: octets } = whole
  const key = metadataKey(mailbox, sha256)
  await derived.put(key, whole)
  const { bucket } = derived
  const metadata = { uri: derived.uri(key), ...(bucket !== undefined && { bucket }), key, sha256, octets }
  return { ...event, data: { ...event.data, metadata } }
}

function decodedBody(
  octets: Octets,
  { octets: length, sha256 }: Attachment,
  part: EncodedPart,
): OctetsToStore {
  return {
    length,
    sha256: sha256 as Sha256,
    open: () => Readable.from(decodedPart(octets.open(part), part), { objectMode: false }),
  }
}
