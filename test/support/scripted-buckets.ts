import type { OpenedS3 } from '../contract/lambda-chain.ts'
import { type Fault, type ScriptedRequest, startScriptedS3 } from './scripted-s3.ts'

/** Archive and state in the scripted S3. */
export async function openScriptedBuckets(
  fault?: (request: ScriptedRequest, nth: number) => Fault | undefined,
): Promise<OpenedS3> {
  const s3 = await startScriptedS3(
    {
      'mail-archive': { versioning: 'Enabled', objectLock: { mode: 'GOVERNANCE', days: 1 } },
      'mail-state': {},
      'mail-derived': {},
    },
    fault,
  )
  return {
    endpoint: s3.endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test-secret-of-the-role' },
    archiveBucket: 'mail-archive',
    stateBucket: 'mail-state',
    derivedBucket: 'mail-derived',
    close: () => s3.close(),
  }
}
