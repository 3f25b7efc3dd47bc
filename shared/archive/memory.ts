import { Readable } from 'node:stream'
import type { ObjectKey } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import type { Archive, ObjectFacts } from './archive.ts'
import type { VersionFacts } from './audit.ts'
import { octetsToStore } from './exact-octets.ts'
import { assertLegalKey } from './legal-key.ts'
import { retainUntil } from './retain-until.ts'

/** A version in memory; undefined content is a delete marker. */
export interface MemoryVersion {
  readonly content: Buffer | undefined
  readonly facts: VersionFacts
  /** ISO 8601. */
  readonly storedAt: string
}

/** By key its versions, the newest first. Whoever has them may do what no port allows. */
export type MemoryObjects = Map<ObjectKey, MemoryVersion[]>

/** An archive that ends with the process: for tests and for trying a configuration without keeping anything. */
export function openMemoryArchive(objects: MemoryObjects = new Map()): Archive {
  function latest(key: ObjectKey): (MemoryVersion & { readonly content: Buffer }) | undefined {
    const [version] = objects.get(key) ?? []
    return version?.content && { ...version, content: version.content }
  }

  return {
    bucket: undefined,
    uri: (key) => `memory:///${key}`,

    async put(key, body, { writtenFor, retention }) {
      assertLegalKey(key)
      const known = latest(key)
      if (known) return { outcome: 'exists', facts: archiveFacts(known) }
      const chunks: Buffer[] = []
      for await (const chunk of octetsToStore(key, body)) chunks.push(chunk)
      const winner = latest(key)
      if (winner) return { outcome: 'exists', facts: archiveFacts(winner) }
      const now = Date.now()
      const older = objects.get(key) ?? []
      const facts: VersionFacts = {
        key,
        octets: body.length,
        sha256: body.sha256,
        versionId: String(older.length + 1),
        writtenFor: { ...writtenFor },
        retainUntil: retention && retainUntil(now, retention).toISOString(),
        lockMode: retention?.mode,
        legalHold: false,
      }
      // A copy, because concat of several buffers is one: who changes his buffer later changes nothing here.
      const version = { content: Buffer.concat(chunks), facts, storedAt: new Date(now).toISOString() }
      objects.set(key, [version, ...older])
      return { outcome: 'created', versionId: facts.versionId, retainUntil: facts.retainUntil }
    },

    async find(key) {
      const object = latest(key)
      return object && archiveFacts(object)
    },

    async get(key) {
      const object = latest(key)
      if (!object) throw new IngestError('ARCHIVE_CONFLICT', `memory:///${key}: there is no such object`)
      return {
        body: Readable.from([Buffer.from(object.content)], { objectMode: false }),
        facts: archiveFacts(object),
      }
    },

    async *list(prefix, after) {
      // Keys are ASCII, so the order of UTF-16 code units is the order of octets.
      const keys = [...objects.keys()]
        .filter((key) => key.startsWith(prefix) && (!after || key > after))
        .sort()
      for (const key of keys) {
        const object = latest(key)
        if (object) yield { key, octets: object.content.length }
      }
    },

    async check() {
      return {
        location: 'memory:',
        versioning: true,
        objectLock: true,
        defaultRetention: undefined,
        warnings: ['The archive is kept in memory and gone when the program ends.'],
      }
    },
  }
}

function archiveFacts({ facts }: MemoryVersion): ObjectFacts {
  const { lockMode, legalHold, ...known } = facts
  return known
}
