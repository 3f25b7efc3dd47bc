import { openS3Archive, type S3Archive } from '../shared/archive/s3.ts'
import { openS3Audit, type S3Audit } from '../shared/archive/s3-audit.ts'
import { openS3Custody, type S3Custody } from '../shared/archive/s3-custody.ts'
import { openS3Holds, type S3Holds } from '../shared/archive/s3-holds.ts'
import type { Environment } from '../shared/contract/environment.ts'
import { openS3Derived, type S3Derived } from '../shared/derived/s3.ts'
import { openS3State, type S3State } from '../shared/state/s3.ts'

// Apart from compose.ts, for who needs no mailbox.

export function openAwsArchive(bucket: string, environment: Environment): S3Archive {
  return openS3Archive({ bucket, endpoint: s3Endpoint(environment) })
}

export function openAwsAudit(bucket: string, environment: Environment): S3Audit {
  return openS3Audit({ bucket, endpoint: s3Endpoint(environment) })
}

export function openAwsCustody(bucket: string, environment: Environment): S3Custody {
  return openS3Custody({ bucket, endpoint: s3Endpoint(environment) })
}

export function openAwsHolds(bucket: string, environment: Environment): S3Holds {
  return openS3Holds({ bucket, endpoint: s3Endpoint(environment) })
}

export function openAwsState(bucket: string, environment: Environment): S3State {
  return openS3State({ bucket, endpoint: s3Endpoint(environment) })
}

export function openAwsDerived(bucket: string, environment: Environment): S3Derived {
  return openS3Derived({ bucket, endpoint: s3Endpoint(environment) })
}

/** Known to us too, for a loopback endpoint has no bucket names below it. */
function s3Endpoint(environment: Environment): string | undefined {
  return environment.AWS_ENDPOINT_URL_S3 ?? environment.AWS_ENDPOINT_URL
}
