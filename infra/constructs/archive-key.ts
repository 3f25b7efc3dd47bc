import type * as iam from 'aws-cdk-lib/aws-iam'
import * as kms from 'aws-cdk-lib/aws-kms'
import type { Construct } from 'constructs'
import { keepTheKey } from './keep-the-key.ts'

export interface ArchiveKeyProps {
  readonly recordsOfficer: iam.IRole
}

/**
 * The key of the mail. Object Lock keeps octets and not the key without which they are noise, so nobody but the records officer may disable
 * it or schedule its deletion. The key policy itself stays with the account's administrators: a policy that nobody can change is lost with
 * the role that it names, and only AWS support could then help.
 */
export class ArchiveKey extends kms.Key {
  constructor(scope: Construct, id: string, { recordsOfficer }: ArchiveKeyProps) {
    super(scope, id, {
      description: 'Mailsluice: the mail archive, its ledgers and state',
      enableKeyRotation: true,
    })
    this.addToResourcePolicy(keepTheKey(recordsOfficer))
  }
}
