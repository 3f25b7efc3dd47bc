import { crc32 } from 'node:zlib'
import { type Octets, piecesOf } from '../octets.ts'
import { openFileWriter } from './file-writer.ts'

// ZIP as PKWARE's APPNOTE 6.3.10 has it, nothing compressed, everything in the form of ZIP64: one form whatever the size. Sizes and CRC of an entry stand
// before it, so that it can be read from a pipe, and the same content is the same file.

export interface ZipWriter {
  /** Reads the octets twice: what stands before an entry is known at its end. No more of them is in memory than they are themselves. */
  add(name: string, octets: Pick<Octets, 'length' | 'buffer' | 'path'>): Promise<void>
  /** On the disk now; resolves to the SHA-256. */
  end(): Promise<string>
  abort(): Promise<void>
}

interface Entry {
  readonly name: Buffer
  readonly crc: number
  readonly octets: number
  readonly offset: number
}

/** Rejects with EXPORT_FAILED, as all of it does. Keeps name and place of each entry in memory. */
export async function openZip(file: string): Promise<ZipWriter> {
  const writer = await openFileWriter(file)
  const entries: Entry[] = []
  return {
    async add(name, octets) {
      let crc = 0
      for await (const piece of piecesOf(octets)) crc = crc32(piece, crc)
      const entry = { name: Buffer.from(name), crc, octets: octets.length, offset: writer.octets }
      entries.push(entry)
      await writer.write(localHeader(entry))
      for await (const piece of piecesOf(octets)) await writer.write(piece)
    },
    async end() {
      const directory = writer.octets
      for (const entry of entries) await writer.write(directoryHeader(entry))
      await writer.write(endRecords(entries.length, directory, writer.octets - directory))
      return writer.end()
    },
    abort: () => writer.abort(),
  }
}

/** 4.5: the first version with ZIP64. */
const VERSION = 45
/** 3 is Unix: the attributes of entries are those of its files. */
const MADE_BY = (3 << 8) | VERSION
const REGULAR_FILE = 0o100644
/** Names are UTF-8. */
const FLAGS = 1 << 11
const STORED = 0
/** 1980-01-01: times of entries have no zone and tell nothing. */
const DATE = 0x21
/** What stands in place of a number that is in the ZIP64 field. */
const ELSEWHERE = 0xffffffff
const ZIP64_FIELD = 1

/** APPNOTE 4.3.7. */
function localHeader(entry: Entry): Buffer {
  const { name, octets } = entry
  const header = Buffer.alloc(50)
  header.writeUInt32LE(0x04034b50, 0)
  writeCommon(header, 4, entry, 20)
  header.writeUInt16LE(ZIP64_FIELD, 30)
  header.writeUInt16LE(16, 32)
  header.writeBigUInt64LE(BigInt(octets), 34)
  header.writeBigUInt64LE(BigInt(octets), 42)
  return Buffer.concat([header.subarray(0, 30), name, header.subarray(30)])
}

/** APPNOTE 4.3.12. */
function directoryHeader(entry: Entry): Buffer {
  const { name, octets, offset } = entry
  const header = Buffer.alloc(74)
  header.writeUInt32LE(0x02014b50, 0)
  header.writeUInt16LE(MADE_BY, 4)
  writeCommon(header, 6, entry, 28)
  // No comment, first disk, no internal attributes: 0.
  header.writeUInt32LE((REGULAR_FILE << 16) >>> 0, 38)
  header.writeUInt32LE(ELSEWHERE, 42)
  header.writeUInt16LE(ZIP64_FIELD, 46)
  header.writeUInt16LE(24, 48)
  header.writeBigUInt64LE(BigInt(octets), 50)
  header.writeBigUInt64LE(BigInt(octets), 58)
  header.writeBigUInt64LE(BigInt(offset), 66)
  return Buffer.concat([header.subarray(0, 46), name, header.subarray(46)])
}

/** What both headers say, in this order. */
function writeCommon(header: Buffer, at: number, { name, crc }: Entry, extraOctets: number): void {
  header.writeUInt16LE(VERSION, at)
  header.writeUInt16LE(FLAGS, at + 2)
  header.writeUInt16LE(STORED, at + 4)
  header.writeUInt16LE(DATE, at + 8)
  header.writeUInt32LE(crc, at + 10)
  header.writeUInt32LE(ELSEWHERE, at + 14)
  header.writeUInt32LE(ELSEWHERE, at + 18)
  header.writeUInt16LE(name.length, at + 22)
  header.writeUInt16LE(extraOctets, at + 24)
}

/** APPNOTE 4.3.14 to 4.3.16. */
function endRecords(entries: number, directory: number, octets: number): Buffer {
  const records = Buffer.alloc(98)
  records.writeUInt32LE(0x06064b50, 0)
  records.writeBigUInt64LE(44n, 4)
  records.writeUInt16LE(MADE_BY, 12)
  records.writeUInt16LE(VERSION, 14)
  records.writeBigUInt64LE(BigInt(entries), 24)
  records.writeBigUInt64LE(BigInt(entries), 32)
  records.writeBigUInt64LE(BigInt(octets), 40)
  records.writeBigUInt64LE(BigInt(directory), 48)
  records.writeUInt32LE(0x07064b50, 56)
  records.writeBigUInt64LE(BigInt(directory + octets), 64)
  records.writeUInt32LE(1, 72)
  records.writeUInt32LE(0x06054b50, 76)
  records.writeUInt16LE(0xffff, 84)
  records.writeUInt16LE(0xffff, 86)
  records.writeUInt32LE(ELSEWHERE, 88)
  records.writeUInt32LE(ELSEWHERE, 92)
  return records
}
