import { Readable } from 'node:stream'
import type { ObjectKey } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import type { Archive, ObjectFacts } from './archive.ts'
import { octetsToStore } from './exact-octets.ts'
import { assertLegalKey } from './legal-key.ts'

/** An archive that ends with the process: for tests and for trying a configuration without keeping anything. It locks nothing. */
export function openMemoryArchive(): Archive {
  const objects = new Map<ObjectKey, { readonly content: Buffer; readonly facts: ObjectFacts }>()

  return {
    bucket: undefined,
    uri: (key) => `memory:///${key}`,

    async put(key, body, { writtenFor }) {
      assertLegalKey(key)
      const known = objects.get(key)
      if (known) return { outcome: 'exists', facts: known.facts }
      const chunks: Buffer[] = []
      for await (const chunk of octetsToStore(key, body)) chunks.push(chunk)
      const winner = objects.get(key)
      if (winner) return { outcome: 'exists', facts: winner.facts }
      objects.set(key, {
        // A copy, because concat of several buffers is one: who changes his buffer later changes nothing here.
        content: Buffer.concat(chunks),
        facts: {
          key,
          octets: body.length,
          sha256: body.sha256,
          versionId: undefined,
          writtenFor: { ...writtenFor },
          retainUntil: undefined,
        },
      })
      return { outcome: 'created', versionId: undefined, retainUntil: undefined }
    },

    async find(key) {
      return objects.get(key)?.facts
    },

    async get(key) {
      const object = objects.get(key)
      if (!object) throw new IngestError('ARCHIVE_CONFLICT', `memory:///${key}: there is no such object`)
      return {
        body: Readable.from([Buffer.from(object.content)], { objectMode: false }),
        facts: object.facts,
      }
    },

    async *list(prefix, after) {
      // Keys are ASCII, so the order of UTF-16 code units is the order of octets.
      const keys = [...objects.keys()]
        .filter((key) => key.startsWith(prefix) && (!after || key > after))
        .sort()
      for (const key of keys) yield { key, octets: objects.get(key)?.content.length ?? 0 }
    },

    async check() {
      return {
        location: 'memory:',
        versioning: false,
        objectLock: false,
        defaultRetention: undefined,
        warnings: ['The archive is kept in memory and gone when the program ends.'],
      }
    },
  }
}
