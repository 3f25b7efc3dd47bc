import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { IngestError } from '../errors.ts'

/** A file that is written once from its start to its end, with its SHA-256 on the way. */
export interface FileWriter {
  readonly octets: number
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
  let octets = 0
  const handle: FileHandle = await open(path, 'w', 0o600).catch((cause: unknown) => {
    throw failed(cause)
  })
  return {
    get octets() {
      return octets
    },
    async write(chunk) {
      const content = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      hash.update(content)
      octets += content.length
      await handle.writeFile(content).catch((cause: unknown) => {
        throw failed(cause)
      })
    },
    async end() {
      try {
        await handle.sync()
      } catch (cause) {
        throw failed(cause)
      } finally {
        await handle.close()
      }
      return hash.digest('hex')
    },
    abort: () => handle.close(),
  }
}
