import type { Archive } from '../archive/archive.ts'
import { type MailboxId, type ObjectKey, SHA256_PATTERN, type Sha256 } from '../contract/ids.ts'
import { ledgerKey } from '../contract/object-key.ts'
import type { StateStore } from '../state/state.ts'

// How far somebody who follows a ledger has come: a cache in the state store, of which losing costs reading again.

/** The last segment that was done. */
export interface Place {
  readonly seq: number
  readonly sha256: Sha256
}

export interface PlaceStores {
  readonly archive: Pick<Archive, 'find'>
  /** Undefined: it is kept nowhere, and the whole ledger is read each time. */
  readonly state: StateStore | undefined
}

/** Believed only if the archive holds that segment: one of another bucket must not hide mail. */
export async function readPlace(
  key: ObjectKey,
  mailbox: MailboxId,
  { archive, state }: PlaceStores,
): Promise<Place | undefined> {
  const entry = await state?.read(key)
  const place = entry && parse(entry.content)
  const facts = place && (await archive.find(ledgerKey(mailbox, place.seq)))
  return facts?.sha256 === place?.sha256 ? place : undefined
}

/** Of two that are written at the same time either is right: what it stands for was done. */
export async function writePlace(
  key: ObjectKey,
  { seq, sha256 }: Place,
  { state }: Pick<PlaceStores, 'state'>,
): Promise<void> {
  await state?.write(key, Buffer.from(JSON.stringify({ seq, sha256 })), 'any')
}

function parse(content: Buffer): Place | undefined {
  try {
    const { seq, sha256 } = JSON.parse(content.toString('utf8')) as Partial<Place>
    return Number.isInteger(seq) && sha256 !== undefined && SHA256_PATTERN.test(sha256)
      ? ({ seq, sha256 } as Place)
      : undefined
  } catch {
    // Half written or of another program: a cache, so everything is looked at again.
    return undefined
  }
}
