import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { IngestError } from '../errors.ts'
import { EXPORT } from '../limits.ts'

/** A file that is written once from its start to its end, with its SHA-256 on the way. */
export interface FileWriter {
  /** Written by now. */
  readonly octets: number
  /** One at a time; small chunks are gathered. What it was given may change when it resolves. */
  write(chunk: Uint8Array | string): Promise<void>
  /** On the disk now; resolves to the SHA-256. */
  end(): Promise<string>
  abort(): Promise<void>
}

/** Rejects with EXPORT_FAILED, as all of it does. */
export async function openFileWriter(path: string): Promise<FileWriter> {
  const failed = (cause: unknown): IngestError =>
    new IngestError('EXPORT_FAILED', `${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  const hash = createHash('sha256')
  const gathered = Buffer.allocUnsafeSlow(EXPORT.writeOctets)
  let filled = 0
  let octets = 0
  const handle: FileHandle = await open(path, 'w', 0o600).catch((cause: unknown) => {
    throw failed(cause)
  })
  const put = async (content: Uint8Array): Promise<void> => {
    hash.update(content)
    await handle.writeFile(content).catch((cause: unknown) => {
      throw failed(cause)
    })
  }
  const flush = async (): Promise<void> => {
    if (filled === 0) return
    const content = gathered.subarray(0, filled)
    filled = 0
    await put(content)
  }
  return {
    get octets() {
      return octets
    },
    async write(chunk) {
      const content = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      octets += content.length
      if (filled + content.length > gathered.length) await flush()
      if (content.length > gathered.length) return put(content)
      gathered.set(content, filled)
      filled += content.length
    },
    async end() {
      try {
        await flush()
        await handle.sync().catch((cause: unknown) => {
          throw failed(cause)
        })
      } finally {
        await handle.close()
      }
      return hash.digest('hex')
    },
    abort: () => handle.close(),
  }
}
