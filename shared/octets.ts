import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Sha256 } from './contract/ids.ts'
import { IngestError } from './errors.ts'
import { SPOOL } from './limits.ts'
import { OctetArena } from './octet-arena.ts'

export interface Range {
  readonly start: number
  readonly octets: number
}

/**
 * A whole message (or any object), held in memory or in a spool file, with its length and SHA-256 known.
 * It can be opened any number of times, so that a refused PUT can be repeated. Whoever receives one calls `discard`
 * when nobody will open it again; discarding twice is harmless.
 */
export interface Octets {
  readonly length: number
  readonly sha256: Sha256
  /** The octets when they are in memory; undefined when they are spooled. */
  readonly buffer: Buffer | undefined
  /** Path of the spool file; undefined when the octets are in memory. */
  readonly path: string | undefined
  /** All of it, or `range` of it: at most so many octets from a place on. */
  open(range?: Range): Readable
  discard(): Promise<void>
}

export function memoryOctets(buffer: Buffer): Octets {
  return {
    length: buffer.length,
    sha256: createHash('sha256').update(buffer).digest('hex') as Sha256,
    buffer,
    path: undefined,
    open: ({ start, octets } = { start: 0, octets: buffer.length }) =>
      Readable.from([buffer.subarray(start, start + octets)], { objectMode: false }),
    discard: async () => {},
  }
}

/** What a store needs of octets: to know them before it reads them. */
export type OctetsToStore = Pick<Octets, 'length' | 'sha256' | 'open'> & Partial<Pick<Octets, 'buffer'>>

/**
 * The octets in pieces. Those of a spool file are read into two buffers by turns, for who is done with a piece when he asks for the next but
 * one: the buffers of a stream come to tens of megabytes before they are collected.
 */
export async function* piecesOf({ buffer, path }: Pick<Octets, 'buffer' | 'path'>): AsyncGenerator<Buffer> {
  if (buffer) yield buffer
  if (path === undefined) return
  const file = await open(path)
  try {
    const buffers = [Buffer.allocUnsafeSlow(SPOOL.readOctets), Buffer.allocUnsafeSlow(SPOOL.readOctets)]
    for (let turn = 0; ; turn = 1 - turn) {
      const piece = buffers[turn] as Buffer
      const { bytesRead } = await file.read(piece, 0, piece.length)
      if (bytesRead === 0) return
      yield piece.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

/** A folder for messages that are too large for memory. Close it at the end of the drain: it removes what is left. */
export interface Spool {
  /**
   * Takes a stream to its end: to memory while it is at most `memoryOctets`, else to a file.
   * Rejects with what the stream fails with, or with SPOOL_FAILED when the disk does; nothing is left behind then,
   * and the source is closed. The source may overwrite a piece when it is asked for the next one. `announcedOctets`: so many are
   * expected, perhaps; memory is made for them at once.
   */
  collect(source: AsyncIterable<Buffer>, memoryOctets: number, announcedOctets?: number): Promise<Octets>
  /** Octets in memory, of a length that is known: `write` writes all of them. Rejects as it does. */
  fill(octets: number, write: (memory: Buffer) => Promise<void>): Promise<Octets>
  close(): Promise<void>
}

const FOLDER = 'mailsluice-spool-'

/**
 * `parent` defaults to the system's folder for temporary files. The spool's own folder is made on first use. A process that is
 * killed leaves it behind: the first use of a later spool removes it, a day after. `arena`: has the memory for messages, which are given
 * back when they are discarded; whoever still reads one of them then reads another message. Many spools may share it.
 */
export function openSpool(parent: string = tmpdir(), arena: OctetArena = new OctetArena(0)): Spool {
  let folder: Promise<string> | undefined
  let files = 0
  return {
    async collect(source, memoryLimit, announcedOctets = 0) {
      const iterator = source[Symbol.asyncIterator]()
      let held: Buffer | undefined = arena.take(Math.min(announcedOctets, memoryLimit))
      try {
        let length = 0
        let next = await iterator.next()
        for (; !next.done && length + next.value.length <= memoryLimit; next = await iterator.next()) {
          held = withRoom(held, length, next.value.length, arena)
          held.set(next.value, length)
          length += next.value.length
        }
        if (next.done) {
          const octets = lentOctets(arena.shorten(held, length), arena)
          held = undefined
          return octets
        }
        folder ??= makeFolder(parent)
        const made = await folder.catch(async (error: unknown) => {
          await iterator.return?.()
          throw error
        })
        return await toFile(join(made, `${files++}.eml`), held.subarray(0, length), next.value, iterator)
      } finally {
        if (held) arena.giveBack(held)
      }
    },
    async fill(octets, write) {
      const memory = arena.take(octets)
      try {
        await write(memory)
      } catch (error) {
        arena.giveBack(memory)
        throw error
      }
      return lentOctets(memory, arena)
    },
    async close() {
      // Where it could not be made there is nothing to remove.
      const made = await folder?.catch(() => undefined)
      if (made !== undefined) await rm(made, { recursive: true, force: true })
    },
  }
}

/** The same octets in memory that has room for more. */
function withRoom(held: Buffer, length: number, more: number, arena: OctetArena): Buffer {
  if (length + more <= held.length) return held
  const larger = arena.take(length === 0 ? more : 2 * (length + more))
  held.copy(larger, 0, 0, length)
  arena.giveBack(held)
  return larger
}

/** Given back when they are discarded. */
function lentOctets(memory: Buffer, arena: OctetArena): Octets {
  const octets = memoryOctets(memory)
  if (!arena.holds(memory)) return octets
  let discarded = false
  const assertTheirs = (): void => {
    if (discarded) throw new TypeError('octets are read after they were discarded')
  }
  return {
    ...octets,
    get buffer() {
      assertTheirs()
      return octets.buffer
    },
    open(range) {
      assertTheirs()
      return octets.open(range)
    },
    async discard() {
      if (!discarded) arena.giveBack(memory)
      discarded = true
    },
  }
}

/** What came first, one more piece, and the rest of the source. Rejects as `collect` does. */
async function toFile(
  path: string,
  first: Buffer,
  second: Buffer,
  rest: AsyncIterator<Buffer>,
): Promise<Octets> {
  const hash = createHash('sha256')
  let length = 0
  let failure: { readonly cause: unknown } | undefined
  async function* pieces(): AsyncGenerator<Buffer> {
    yield* [first, second]
    try {
      for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
    } catch (cause) {
      failure = { cause }
      throw cause
    }
  }
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      for await (const piece of gathered(pieces())) {
        hash.update(piece)
        length += piece.length
        await file.writeFile(piece)
      }
    } finally {
      await file.close()
    }
  } catch (cause) {
    await rm(path, { force: true }).catch(() => undefined)
    if (failure) throw failure.cause
    await rest.return?.()
    throw new IngestError('SPOOL_FAILED', `cannot write a message to ${path}: ${reason(cause)}`, { cause })
  }
  return {
    length,
    sha256: hash.digest('hex') as Sha256,
    buffer: undefined,
    path,
    open: (range) => createReadStream(path, { highWaterMark: SPOOL.readOctets, ...between(range) }),
    discard: () => rm(path, { force: true }),
  }
}

/** The same octets in pieces of about SPOOL.writeOctets: records of TLS are thousands a second. Each is lent until the next one is asked for. */
async function* gathered(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const block = Buffer.allocUnsafeSlow(SPOOL.writeOctets)
  let filled = 0
  for await (const piece of pieces) {
    if (filled + piece.length > block.length) {
      yield block.subarray(0, filled)
      filled = 0
    }
    if (piece.length > block.length) yield piece
    else filled += piece.copy(block, filled)
  }
  yield block.subarray(0, filled)
}

/** For a stream, whose `end` is the last octet: of no octets there is none. */
function between(range: Range | undefined): { start?: number; end?: number } {
  if (!range) return {}
  return { start: range.start, end: range.start + range.octets - 1 }
}

async function makeFolder(parent: string): Promise<string> {
  try {
    await removeAbandoned(parent)
    return await mkdtemp(join(parent, FOLDER))
  } catch (cause) {
    throw new IngestError('SPOOL_FAILED', `cannot make a spool folder in ${parent}: ${reason(cause)}`, {
      cause,
    })
  }
}

/** A folder is touched whenever a message comes or goes, so one that has been still for a day belongs to nobody. */
async function removeAbandoned(parent: string): Promise<void> {
  const before = Date.now() - SPOOL.abandonedMs
  for (const name of await readdir(parent)) {
    if (!name.startsWith(FOLDER)) continue
    const folder = join(parent, name)
    const facts = await lstat(folder).catch(() => undefined)
    // Never what others made: in a folder that everybody may write to, they could lead the removal astray.
    if (!facts?.isDirectory() || facts.uid !== (process.getuid?.() ?? facts.uid)) continue
    // Another drain may be at it too.
    if (facts.mtimeMs < before) await rm(folder, { recursive: true, force: true }).catch(() => undefined)
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
