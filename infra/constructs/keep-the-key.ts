import * as iam from 'aws-cdk-lib/aws-iam'

/** Of a key's policy: nobody but the records officer may disable the key or schedule its deletion. */
export function keepTheKey(recordsOfficer: iam.IRole): iam.PolicyStatement {
  return new iam.PolicyStatement({
    sid: 'KeepTheKey',
    effect: iam.Effect.DENY,
    principals: [new iam.AnyPrincipal()],
    actions: ['kms:ScheduleKeyDeletion', 'kms:DisableKey'],
    resources: ['*'],
    conditions: { ArnNotEquals: { 'aws:PrincipalArn': recordsOfficer.roleArn } },
  })
}
