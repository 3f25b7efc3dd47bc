import { randomUUID } from 'node:crypto'
import type { Archive } from '../../shared/archive/archive.ts'
import type { ArchiveAudit, VersionFacts, VersionName } from '../../shared/archive/audit.ts'
import { type MemoryObjects, type MemoryVersion, openMemoryArchive } from '../../shared/archive/memory.ts'
import { openMemoryAudit } from '../../shared/archive/memory-audit.ts'
import type { ObjectKey } from '../../shared/contract/ids.ts'
import { digestOf } from './stores.ts'

/** An archive in memory, its audit, and what somebody could do to it who has every right. */
export class MemoryStore {
  readonly objects: MemoryObjects = new Map()
  readonly archive: Archive = openMemoryArchive(this.objects)
  readonly audit: ArchiveAudit = openMemoryAudit(this.objects)

  readonly putOver = async (key: ObjectKey, octets: Buffer): Promise<void> => {
    this.#push(key, octets)
  }

  readonly hide = async (key: ObjectKey): Promise<void> => {
    this.#push(key, undefined)
  }

  readonly setHold = async (version: VersionName): Promise<void> => {
    this.change(version.key, { legalHold: true })
  }

  /** What is recorded of the latest version is something else now; its octets stay. */
  change(key: ObjectKey, facts: Partial<VersionFacts>): void {
    const [latest, ...older] = this.objects.get(key) ?? []
    if (!latest) throw new Error(`no such object: ${key}`)
    this.objects.set(key, [{ ...latest, facts: { ...latest.facts, ...facts } }, ...older])
  }

  #push(key: ObjectKey, content: Buffer | undefined): void {
    const version: MemoryVersion = {
      content,
      storedAt: new Date().toISOString(),
      facts: {
        key,
        octets: content?.length ?? 0,
        sha256: content && digestOf(content),
        versionId: randomUUID(),
        writtenFor: undefined,
        retainUntil: undefined,
        lockMode: undefined,
        legalHold: false,
      },
    }
    this.objects.set(key, [version, ...(this.objects.get(key) ?? [])])
  }
}
