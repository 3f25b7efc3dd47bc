import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  type DefaultRetention,
  PutObjectLockConfigurationCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { CACHE, firstExecutable, onPath, type RunningEngine, startEngine } from './engine-process.ts'

// S3 servers with real Object Lock, conditional writes and checksums. test/interop/install-s3-engine.sh builds the first one.

export interface S3Engine {
  readonly name: string
  /** Undefined when it is not installed. */
  readonly binary: string | undefined
  /** Why its tests are left out, and what to do about it. */
  readonly missing: string
  start(): Promise<RunningS3>
}

export interface RunningS3 extends RunningEngine {
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

const KEYS = { accessKeyId: 'interop', secretAccessKey: 'interop-interop-interop' }
const REGION = 'us-east-1'

/** As in install-s3-engine.sh. */
const VERSITY_VERSION = 'v1.8.0'

export const versity: S3Engine = {
  name: 'Versity S3 Gateway',
  binary: firstExecutable(
    process.env.MAILSLUICE_VERSITYGW,
    join(CACHE, `versitygw-${VERSITY_VERSION}`),
    onPath('versitygw'),
  ),
  missing:
    'not found at MAILSLUICE_VERSITYGW, in the cache or on PATH: run test/interop/install-s3-engine.sh',
  start: () =>
    start(versity.binary, (port, folder) => ({
      // Objects, their versions, and the rest in extended attributes: needs a file system that has them.
      args: [
        '--quiet',
        '--keep-alive',
        '--port',
        `127.0.0.1:${port}`,
        '--region',
        REGION,
        'posix',
        '--versioning-dir',
        join(folder, 'versions'),
        join(folder, 'objects'),
      ],
      environment: { ROOT_ACCESS_KEY: KEYS.accessKeyId, ROOT_SECRET_KEY: KEYS.secretAccessKey },
    })),
}

export const minio: S3Engine = {
  name: 'MinIO',
  binary: firstExecutable(process.env.MAILSLUICE_MINIO, onPath('minio')),
  missing: 'not found at MAILSLUICE_MINIO or on PATH',
  start: () =>
    start(minio.binary, (port, folder) => ({
      args: ['server', '--quiet', '--address', `127.0.0.1:${port}`, join(folder, 'objects')],
      environment: {
        MINIO_ROOT_USER: KEYS.accessKeyId,
        MINIO_ROOT_PASSWORD: KEYS.secretAccessKey,
        MINIO_BROWSER: 'off',
      },
    })),
}

async function start(
  binary: string | undefined,
  options: (
    port: number,
    folder: string,
  ) => { readonly args: readonly string[]; readonly environment: Readonly<Record<string, string>> },
): Promise<RunningS3> {
  if (!binary) throw new TypeError('the engine is not installed')
  const engine = await startEngine('s3', async (port, folder) => {
    await mkdir(join(folder, 'objects'))
    await mkdir(join(folder, 'versions'))
    return { command: binary, ...options(port, folder) }
  })
  return { ...engine, region: REGION, credentials: KEYS }
}

/** A bucket with versions and locks, and a default retention. */
export async function createArchiveBucket(
  client: S3Client,
  Bucket: string,
  retention: DefaultRetention,
): Promise<void> {
  await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }))
  await client.send(
    new PutObjectLockConfigurationCommand({
      Bucket,
      ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: retention } },
    }),
  )
}
