import { join } from 'node:path'
import { CACHE, firstExecutable, type RunningEngine, startEngine } from './engine-process.ts'

// A server for the services around S3 and SQS, CloudFormation first of all: moto, fetched by test/interop/install-aws-engine.sh.

/** As in install-aws-engine.sh. */
const VERSION = '5.2.5'
const SERVER = firstExecutable(
  process.env.MAILSLUICE_MOTO,
  join(CACHE, `moto-${VERSION}`, 'bin', 'moto_server'),
)

/** The account that everybody is in. */
export const MOTO_ACCOUNT = '123456789012'

export interface RunningAws extends RunningEngine {
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

/** Why its tests are left out, and what to do about it; undefined when they can run. */
export function motoMissing(): string | undefined {
  return SERVER
    ? undefined
    : 'moto is not found at MAILSLUICE_MOTO or in the cache: run test/interop/install-aws-engine.sh'
}

/** Everything in memory; nobody's rights are looked at. */
export async function startMoto(): Promise<RunningAws> {
  if (!SERVER) throw new TypeError('moto is not installed')
  const engine = await startEngine('aws', async (port) => ({
    command: SERVER,
    args: ['-H', '127.0.0.1', '-p', String(port)],
  }))
  return {
    ...engine,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'interop', secretAccessKey: 'interop' },
  }
}
