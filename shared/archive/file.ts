import { randomUUID } from 'node:crypto'
import { open } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ObjectKey, Sha256 } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { type Octets, piecesOf } from '../octets.ts'
import type { Archive, ObjectFacts, PutOptions, PutResult } from './archive.ts'
import {
  all,
  linkNew,
  readIfThere,
  readStreamOf,
  removeIfThere,
  statIfThere,
  writeDurably,
} from './durable-file.ts'
import { octetsToStore, storedOctets } from './exact-octets.ts'
import { errnoOf, toFileError } from './file-errors.ts'
import { completePuts, endInterruptedPuts } from './file-incoming.ts'
import { fileLayout } from './file-layout.ts'
import { type Step, toError, writeStep } from './file-steps.ts'
import { runSteps } from './file-threads.ts'
import { walk } from './file-walk.ts'
import { openFolderSync } from './folder-sync.ts'
import { assertLegalKey } from './legal-key.ts'
import { type Metadata, NotShared, SharedMetadata } from './shared-metadata.ts'
import { formatSidecar, parseSidecarOf, type Sidecar } from './sidecar.ts'

/**
 * The archive as files of one machine, under the same keys: `<folder>/raw/…`, `<folder>/ledger/…`, with the metadata of each
 * object in `<folder>/.metadata/<key>.json`; those of the messages of one segment are names of one file.
 *
 * A put, each step durable before the next one:
 *   1. octets and metadata (unless others of the group have it) are written to `.incoming`, read-only, under names that nobody else has;
 *   2. the metadata gets its name by link(2): the commit. It fails when the key is taken, so that of all processes one wins;
 *   3. the octets that the metadata speaks of get theirs, also by link(2).
 * Who loses at 2, or looks for a key and finds a put that died between 2 and 3, does step 3 for the winner. So an object never lacks its metadata, and
 * the two always fit each other, whichever processes write and whenever they are killed; no lock can be left behind.
 * What a killed process leaves in `.incoming` is harmless; a later process completes or removes it a day after.
 *
 * Files cannot be locked against their owner: no retention is kept, and `check` warns. The folder must be on one file
 * system with hard links, as all usual ones of Linux and macOS have.
 */
export function openFileArchive(folder: string): Archive {
  const root = resolve(folder)
  const layout = fileLayout(root)
  const folders = openFolderSync(root, makeInThread)
  const shared = new SharedMetadata(layout)
  let prepared: Promise<void> | undefined

  /** Done once; tried again after a failure. */
  function prepare(): Promise<void> {
    if (prepared) return prepared
    const preparing = folders.ensure(layout.incoming).then(() => endInterruptedPuts(layout, complete))
    preparing.catch(() => {
      prepared = undefined
    })
    prepared = preparing
    return preparing
  }

  async function sidecarOf(key: ObjectKey): Promise<Sidecar | undefined> {
    const path = layout.sidecar(key)
    const octets = await readIfThere(path)
    const sidecar = octets && parseSidecarOf(key, octets)
    if (octets && !sidecar)
      throw new IngestError('ARCHIVE_CONFLICT', `${path}: not the metadata of an object`)
    return sidecar
  }

  async function factsOf(key: ObjectKey, octets: number): Promise<ObjectFacts> {
    const sidecar = await sidecarOf(key)
    return {
      key,
      octets,
      sha256: sidecar?.sha256,
      versionId: undefined,
      writtenFor: sidecar?.writtenFor,
      retainUntil: undefined,
    }
  }

  async function find(key: ObjectKey): Promise<ObjectFacts | undefined> {
    let found = await statIfThere(layout.object(key))
    if (!found) {
      const sidecar = await sidecarOf(key)
      // Without them the object was removed by hand.
      if (!sidecar || !(await statIfThere(layout.incomingData(sidecar.put)))) return undefined
      await complete(sidecar)
      found = await statIfThere(layout.object(key))
    }
    return found && factsOf(key, found.size)
  }

  /** Step 3, for our own put or for somebody else's. `lost`: the same octets elsewhere, for an object that is gone. */
  async function complete({ key, put }: Pick<Sidecar, 'key' | 'put'>, lost?: string): Promise<void> {
    const object = layout.object(key)
    const data = layout.incomingData(put)
    await folders.ensure(dirname(object))
    const linked = await linkNew(data, object).catch((error: unknown) => {
      // The put has ended and removed them, or the object is lost.
      if (errnoOf(error) !== 'ENOENT') throw error
      return lost !== undefined && linkNew(lost, object)
    })
    if (!linked) {
      const [there, ours] = await Promise.all([statIfThere(object), statIfThere(data)])
      if (!there)
        throw new IngestError('ARCHIVE_CONFLICT', `${object}: its metadata is there, the object is gone`)
      if (ours && ours.ino !== there.ino)
        throw new IngestError('ARCHIVE_CONFLICT', `${object}: its metadata is of other octets`)
    }
    await folders.sync(dirname(object))
  }

  /**
   * The object that has the key, durable as if we had stored it: who did may have died before his fsync. `ours` has the octets of this put: an
   * object that somebody removed, and whose metadata stayed, gets them back.
   */
  async function taken(
    key: ObjectKey,
    ours?: { readonly path: string; readonly sha256: Sha256 },
  ): Promise<{ outcome: 'exists'; facts: ObjectFacts }> {
    const sidecar = await sidecarOf(key)
    if (sidecar) await folders.sync(dirname(layout.sidecar(key)))
    if (sidecar && !(await statIfThere(layout.object(key))))
      await complete(sidecar, ours?.sha256 === sidecar.sha256 ? ours.path : undefined)
    else await folders.sync(dirname(layout.object(key)))
    const facts = await find(key)
    if (!facts) throw new IngestError('ARCHIVE_CONFLICT', `${layout.object(key)}: it was removed just now`)
    return { outcome: 'exists', facts }
  }

  function ownMetadata(key: ObjectKey, body: Octets, { contentType, writtenFor }: PutOptions): Metadata {
    const put = randomUUID()
    const path = layout.incomingSidecar(put)
    const { length: octets, sha256 } = body
    const storedAt = new Date().toISOString()
    const sidecar = { key, octets, sha256, contentType, writtenFor, storedAt, put }
    return {
      put,
      name: path,
      write: () => writeDurably(path, [formatSidecar(sidecar)]),
      committed: () => {},
      refused: (_, error) => {
        throw error
      },
      end: () => removeIfThere(path),
    }
  }

  async function putWith(metadata: Metadata, key: ObjectKey, body: Octets): Promise<PutResult> {
    const { put } = metadata
    const { buffer, sha256 } = body
    const data = layout.incomingData(put)
    const object = layout.object(key)
    const name = layout.sidecar(key)
    let isDataThere = true
    try {
      await all([
        // What is spooled is too large to be handed over in one piece.
        buffer
          ? Promise.resolve()
          : writeDurably(
              data,
              octetsToStore(key, body, () => piecesOf(body)),
            ),
        metadata.write(),
        folders.ensure(dirname(name)),
        folders.ensure(dirname(object)),
      ])
      let before: Step[] = [
        { do: 'assert-absent', path: object },
        ...(buffer ? [writeStep(data, buffer)] : []),
        { do: 'sync', folder: layout.incoming },
      ]
      while (true) {
        const known = metadata.name
        const failure = await runSteps([
          ...before,
          { do: 'link', path: known, name },
          { do: 'sync', folder: dirname(name) },
          { do: 'link', path: data, name: object },
          { do: 'sync', folder: dirname(object) },
          { do: 'unlink', path: data },
        ])
        const commit = before.length
        if (!failure || failure.at > commit) {
          metadata.committed(name)
          // From the commit to the end others may complete it, and need the octets even if we fail.
          isDataThere = false
          if (failure) await finish(put, key)
          return { outcome: 'created', versionId: undefined, retainUntil: undefined }
        }
        const isTaken = failure.errno === 'EEXIST'
        if (isTaken && failure.at === commit) return await taken(key, { path: data, sha256 })
        if (isTaken && failure.at === 0) return await taken(key)
        if (failure.at < commit) throw toError(failure)
        metadata.refused(known, toError(failure))
        before = []
      }
    } finally {
      await all([isDataThere ? removeIfThere(data) : Promise.resolve(), metadata.end()])
    }
  }

  /** What is left of our own put after its commit. */
  async function finish(put: string, key: ObjectKey): Promise<void> {
    await folders.sync(dirname(layout.sidecar(key)))
    await complete({ key, put })
    await removeIfThere(layout.incomingData(put))
  }

  const archive: Archive = {
    bucket: undefined,
    uri: (key) => pathToFileURL(layout.object(key)).href,

    async put(key, body, options) {
      assertLegalKey(key)
      await prepare()
      // What need not be written is not; the others are looked for where they are written.
      if (!body.buffer && (await statIfThere(layout.object(key)))) return taken(key)
      const metadata = shared.join(key, body.sha256, options)
      try {
        if (metadata) return await putWith(metadata, key, body)
      } catch (error) {
        if (!(error instanceof NotShared)) throw error
      }
      return putWith(ownMetadata(key, body, options), key, body)
    },

    async find(key) {
      assertLegalKey(key)
      return find(key)
    },

    async get(key) {
      assertLegalKey(key)
      const path = layout.object(key)
      const handle = await open(path, 'r').catch((cause: unknown) => {
        if (errnoOf(cause) !== 'ENOENT') throw cause
        throw new IngestError('ARCHIVE_CONFLICT', `${path}: there is no such object`, { cause })
      })
      try {
        const facts = await factsOf(key, (await handle.stat()).size)
        return { body: storedOctets(path, readStreamOf(handle, facts.octets), facts), facts }
      } catch (error) {
        await handle.close()
        throw error
      }
    },

    async *list(prefix, after) {
      // What a process committed just before it was killed is an object already.
      await completePuts(layout, prefix, complete)
      yield* walk(root, prefix, after)
    },

    async check() {
      await prepare()
      const probe = join(layout.incoming, randomUUID())
      try {
        await writeDurably(probe, [Buffer.from('probe\n')])
        await linkNew(probe, `${probe}.link`)
        await folders.sync(layout.incoming)
      } finally {
        await all([removeIfThere(probe), removeIfThere(`${probe}.link`)])
      }
      return {
        location: pathToFileURL(root).href,
        versioning: false,
        objectLock: false,
        defaultRetention: undefined,
        warnings: ['Files have no Object Lock: who may write to the folder can delete what is archived.'],
      }
    },
  }
  return inWordsOfTheArchive(`archive ${root}`, archive)
}

/** Messages lie in 256 folders, and so does their metadata. */
async function makeInThread(folder: string, parent: string): Promise<void> {
  const failure = await runSteps([
    { do: 'make-folder', folder },
    { do: 'sync', folder: parent },
  ])
  if (failure) throw toError(failure)
}

/** Translates what the file system fails with, once, for every method. */
function inWordsOfTheArchive(where: string, archive: Archive): Archive {
  async function translated<T>(work: Promise<T>): Promise<T> {
    return work.catch((error: unknown) => {
      throw toFileError(error, where)
    })
  }
  return {
    ...archive,
    put: (key, body, options) => translated(archive.put(key, body, options)),
    find: (key) => translated(archive.find(key)),
    get: (key) => translated(archive.get(key)),
    check: () => translated(archive.check()),
    async *list(prefix, after) {
      try {
        yield* archive.list(prefix, after)
      } catch (error) {
        throw toFileError(error, where)
      }
    },
  }
}
