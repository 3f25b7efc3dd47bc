import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { OUTPUTS } from '../shared/contract/deployment.ts'
import { LedgerSearch, type LedgerSearchProps } from './constructs/ledger-search.ts'
import { MailArchive, type MailArchiveProps } from './constructs/mail-archive.ts'

export interface ArchiveStackProps extends StackProps {
  readonly archive: Omit<MailArchiveProps, 'recordsOfficer'>
  /** ARN of a role that exists. @default a role of the stack */
  readonly recordsOfficer?: string | undefined
  readonly search: Pick<LedgerSearchProps, 'deployment' | 'gigabytes' | 'answerDays'>
}

/**
 * What must never be lost: everything with data in it stays when it is deleted, and it is not deleted before its protection is taken off. Beside it what
 * finds something in it.
 */
export class ArchiveStack extends Stack {
  readonly archive: MailArchive

  constructor(
    scope: Construct,
    id: string,
    { archive, recordsOfficer: arn, search, ...props }: ArchiveStackProps,
  ) {
    super(scope, id, {
      description: 'Mailsluice: the mail archive under Object Lock, state and derived data',
      terminationProtection: true,
      ...props,
    })
    this.archive = new MailArchive(this, 'MailArchive', {
      ...archive,
      ...(arn === undefined
        ? {}
        : { recordsOfficer: iam.Role.fromRoleArn(this, 'RecordsOfficer', arn, { mutable: false }) }),
    })
    const {
      archiveBucket,
      stateBucket,
      derivedBucket,
      recordsOfficer,
      encryptionKey,
      sealKey,
      replicationRole,
    } = this.archive
    const { workgroup, database, searcherPolicy } = new LedgerSearch(this, 'LedgerSearch', {
      ...search,
      archiveBucket,
      derivedBucket,
      encryptionKey,
    })
    const names = OUTPUTS.archive
    new CfnOutput(this, names.archiveBucket, { value: archiveBucket.bucketName })
    new CfnOutput(this, names.stateBucket, { value: stateBucket.bucketName })
    new CfnOutput(this, names.derivedBucket, { value: derivedBucket.bucketName })
    new CfnOutput(this, names.recordsOfficer, { value: recordsOfficer.roleArn })
    new CfnOutput(this, names.sealKey, { value: sealKey.keyArn })
    new CfnOutput(this, names.searchWorkgroup, { value: workgroup })
    new CfnOutput(this, names.searchDatabase, { value: database })
    new CfnOutput(this, names.searcherPolicy, { value: searcherPolicy.managedPolicyArn })
    if (replicationRole) new CfnOutput(this, names.replicationRole, { value: replicationRole.roleArn })
    if (encryptionKey) new CfnOutput(this, names.archiveKey, { value: encryptionKey.keyArn })
  }
}
