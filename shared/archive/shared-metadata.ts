import { randomUUID } from 'node:crypto'
import type { ObjectKey, Sha256 } from '../contract/ids.ts'
import type { PutOptions } from './archive.ts'
import { removeIfThere, writeDurably } from './durable-file.ts'
import { errnoOf } from './file-errors.ts'
import type { FileLayout } from './file-layout.ts'
import { digestIn, formatSharedSidecar, sharedPut } from './sidecar.ts'

// Messages of one segment differ in nothing that their metadata says and their keys do not. So it is written once, and has a name for each of them:
// a link instead of a file that is made, written, brought to the disk and renamed.

/** Groups that are remembered: two segments of each drain that a process may run at the same time. */
const GROUPS = 256

/** The metadata of one put: its own, or that of a group. */
export interface Metadata {
  /** Name of the put. */
  readonly put: string
  /** Resolves when it is on the disk, under a name in `.incoming` or another one. */
  write(): Promise<void>
  /** A name that it has once it is written. The commit gives it another one, that of its key. */
  readonly name: string
  /** It was committed under this name, which no other put of the process can be. */
  committed(name: string): void
  /** It was not: link(2) failed with the error for `known`. Returns when the name has changed meanwhile, else throws: NotShared, or the error. */
  refused(known: string, error: Error): void
  /** Removes what is only needed until the commit. */
  end(): Promise<void>
}

/** The group cannot have this name: there are too many, or somebody removed the one that is known. */
export class NotShared extends Error {}

export class SharedMetadata {
  readonly #layout: FileLayout
  readonly #groups = new Map<string, Group>()

  constructor(layout: FileLayout) {
    this.#layout = layout
  }

  /** Undefined for an object that needs metadata of its own: its key does not say its SHA-256, or it was put in this group before. */
  join(key: ObjectKey, sha256: Sha256, options: PutOptions): Metadata | undefined {
    if (digestIn(key) !== sha256) return undefined
    const { contentType, writtenFor } = options
    const name = `${writtenFor.drain} ${writtenFor.seq} ${contentType}`
    let group = this.#groups.get(name)
    if (!group?.usable) {
      group = new Group(this.#layout, options)
      this.#groups.delete(name)
      this.#groups.set(name, group)
      for (const oldest of [...this.#groups.keys()].slice(0, -GROUPS)) this.#groups.delete(oldest)
    }
    return group.join(key)
  }
}

class Group {
  readonly #id = randomUUID()
  readonly #incoming: string
  readonly #text: Buffer
  readonly #keys = new Set<ObjectKey>()
  #written: Promise<void> | undefined
  #isIncoming = true
  #users = 0
  /** A name that it has. */
  name: string
  usable = true

  constructor(layout: FileLayout, { contentType, writtenFor }: PutOptions) {
    this.#incoming = layout.incomingSidecar(this.#id)
    this.name = this.#incoming
    this.#text = formatSharedSidecar({
      contentType,
      writtenFor,
      storedAt: new Date().toISOString(),
      group: this.#id,
    })
  }

  join(key: ObjectKey): Metadata | undefined {
    const put = sharedPut(this.#id, key)
    if (put === undefined || this.#keys.has(key)) return undefined
    this.#keys.add(key)
    this.#users++
    return new Share(this, put)
  }

  write(): Promise<void> {
    this.#written ??= this.#write()
    return this.#written
  }

  committed(name: string): void {
    // That of an object will do from now on.
    if (this.name === this.#incoming) this.name = name
  }

  refused(known: string, error: Error): void {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' && known !== this.name) return
    if (errno !== 'ENOENT' && errno !== 'EMLINK') throw error
    this.usable = false
    throw new NotShared('no further name', { cause: error })
  }

  /** Nothing is left in `.incoming` while no put is at it. */
  async leave(): Promise<void> {
    if (--this.#users > 0 || !this.#isIncoming) return
    this.#isIncoming = false
    // Nothing came of any of its puts.
    if (this.name === this.#incoming) this.usable = false
    await this.#written?.catch(() => undefined)
    await removeIfThere(this.#incoming)
  }

  async #write(): Promise<void> {
    try {
      await writeDurably(this.#incoming, [this.#text])
    } catch (error) {
      // A full disk may have room later.
      this.usable = false
      throw error
    }
  }
}

/** A group's metadata for one of its puts. */
class Share implements Metadata {
  readonly #group: Group
  readonly put: string

  constructor(group: Group, put: string) {
    this.#group = group
    this.put = put
  }

  get name(): string {
    return this.#group.name
  }

  write(): Promise<void> {
    return this.#group.write()
  }

  committed(name: string): void {
    this.#group.committed(name)
  }

  refused(known: string, error: Error): void {
    this.#group.refused(known, error)
  }

  end(): Promise<void> {
    return this.#group.leave()
  }
}
