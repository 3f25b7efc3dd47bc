import type * as iam from 'aws-cdk-lib/aws-iam'
import * as kms from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { keepTheKey } from './keep-the-key.ts'

export interface SealKeyProps {
  readonly recordsOfficer: iam.IRole
}

/**
 * Signs the seals over the ledgers. It never leaves KMS, and every signature is in CloudTrail. Seals stay good without it, by its public key: what its loss would end is
 * the making of new ones under the same key. KMS does not rotate asymmetric keys.
 */
export class SealKey extends kms.Key {
  constructor(scope: Construct, id: string, { recordsOfficer }: SealKeyProps) {
    super(scope, id, {
      description: 'Mailsluice: signs the seals over the ledgers',
      keySpec: kms.KeySpec.ECC_NIST_P256,
      keyUsage: kms.KeyUsage.SIGN_VERIFY,
    })
    this.addToResourcePolicy(keepTheKey(recordsOfficer))
  }
}
