import { Stack, Validations } from 'aws-cdk-lib'
import type * as iam from 'aws-cdk-lib/aws-iam'
import type { IConstruct } from 'constructs'

/**
 * Rules of cdk-nag (AwsSolutions, NIST 800-53 revision 5) that are not followed, each with the reason that a reviewer is given. Said where the
 * resource is made, so that whoever uses the constructs need not say it again; without cdk-nag it does nothing.
 */
const REASONS = {
  networkInterfaces: {
    id: 'AwsSolutions-IAM5[Resource::*]',
    reason:
      'Lambda manages network interfaces in the name of the role and asks for these six actions without a resource. No other statement has *: test/infra/roles.test.ts.',
  },
  ownPolicies: {
    id: 'NIST.800.53.R5-IAMNoInlinePolicy',
    reason:
      'The policy belongs to this one role, names its resources and goes with it. As a managed policy it could be attached to others.',
  },
  noReservedConcurrency: {
    id: 'NIST.800.53.R5-LambdaConcurrency',
    reason:
      'Its queue mapping bounds how many run at once (MaximumConcurrency), which takes nothing from the account. aws.drains.reserved reserves it.',
  },
  oneTickAtATime: {
    id: 'NIST.800.53.R5-LambdaConcurrency',
    reason: 'Only the schedule calls it, once a minute, for less than a second.',
  },
  deadLettersOfTheQueue: {
    id: 'NIST.800.53.R5-LambdaDLQ',
    reason:
      'It is called by its queue, which keeps what fails in a dead-letter queue with an alarm; the setting of the function counts for asynchronous calls alone.',
  },
  noNetwork: {
    id: 'NIST.800.53.R5-LambdaInsideVPC',
    reason:
      'It listens nowhere and speaks TLS to mail servers in the internet and to AWS. A network would add a NAT gateway and guard nothing; aws.network.staticAddress makes one.',
  },
  noCopyUnlessWanted: {
    id: 'NIST.800.53.R5-S3BucketReplicationEnabled',
    reason:
      'A copy in another region doubles the storage and may not be lawful there; aws.replication makes one, with the same locks.',
  },
  noCopyOfWhatCanBeMadeAgain: {
    id: 'NIST.800.53.R5-S3BucketReplicationEnabled',
    reason: 'What is in it is rebuilt from the archive, or applied again.',
  },
  noCopyOfAccessLogs: {
    id: 'NIST.800.53.R5-S3BucketReplicationEnabled',
    reason: 'Access logs tell of this bucket’s region; who needs them elsewhere reads them there.',
  },
  noVersionsOfCaches: {
    id: 'NIST.800.53.R5-S3BucketVersioningEnabled',
    reason:
      'Snapshots are overwritten after every drain by compare-and-swap; each old one would be kept. They are rebuilt from the archive, or applied again.',
  },
  noVersionsOfDerived: {
    id: 'NIST.800.53.R5-S3BucketVersioningEnabled',
    reason:
      'Its objects are named by the SHA-256 of what they are derived from and made again with the same octets.',
  },
  noVersionsOfAccessLogs: {
    id: 'NIST.800.53.R5-S3BucketVersioningEnabled',
    reason: 'Only S3 writes here, under new names; nothing is overwritten.',
  },
  accessLogsByS3: {
    id: 'NIST.800.53.R5-S3DefaultEncryptionKMS',
    reason: 'S3 delivers access logs only into a bucket that it encrypts itself.',
  },
  encryptedByS3: {
    id: 'NIST.800.53.R5-S3DefaultEncryptionKMS',
    reason: 'Chosen: aws.encryption: s3.',
  },
  logsByCloudWatch: {
    id: 'NIST.800.53.R5-CloudWatchLogGroupEncrypted',
    reason: 'Chosen: without a key of its own for operations. CloudWatch encrypts with its own.',
  },
  alarmsInClear: {
    id: 'NIST.800.53.R5-SNSEncryptedKMS',
    reason:
      'Chosen: without a key of its own for operations. An alarm names a mailbox, and leaves as a mail.',
  },
  unusedDefaultGroup: {
    id: 'NIST.800.53.R5-VPCDefaultSecurityGroupClosed',
    reason:
      'Nothing joins the default security group. Closing it takes a function that may change every security group of the account.',
  },
  tasksNeedTheInternet: {
    id: 'NIST.800.53.R5-VPCNoUnrestrictedRouteToIGW',
    reason: 'The relay speaks to mail servers in the internet; its security group lets nothing in.',
  },
  nothingToRefuse: {
    id: 'AwsSolutions-VPC7',
    reason:
      'Nothing but the relay is in this network, which lists its connections by itself; its security group lets nothing in.',
  },
  noFlowLog: {
    id: 'NIST.800.53.R5-VPCFlowLogsEnabled',
    reason:
      'Nothing but the relay is in this network, which lists its connections by itself; its security group lets nothing in.',
  },
  environmentWithoutSecrets: {
    id: 'AwsSolutions-ECS2',
    reason: 'Names of what is deployed; secrets are read by the task when it signs in.',
  },
  natNeedsTheInternet: {
    id: 'NIST.800.53.R5-VPCNoUnrestrictedRouteToIGW',
    reason: 'The way of the NAT gateway to mail servers in the internet; nothing else is in these subnets.',
  },
} as const satisfies Record<string, { readonly id: string; readonly reason: string }>

const PREFIXES =
  'Objects and parameters are named by the prefix of their names, with the few actions that the code calls. No action and no whole resource is *: test/infra/roles.test.ts holds the complete list.'

export function acknowledge(scope: IConstruct, ...rules: (keyof typeof REASONS)[]): void {
  Validations.of(scope).acknowledge(...rules.map((rule) => REASONS[rule]))
}

/**
 * Resources of a role that end in `*`, each by itself: cdk-nag names them as they stand in the template, where buckets of another stack are
 * imports, so it is done when the app validates itself. Neither `*` alone nor an action is ever among them.
 */
export function acknowledgePrefixes(role: iam.Role): void {
  acknowledgePrefixesOf(role, () => {
    const policy = role.node.tryFindChild('DefaultPolicy') as iam.Policy | undefined
    return policy?.document
  })
}

/** The same of a policy that is attached to nobody yet. */
export function acknowledgePrefixesOf(
  scope: IConstruct,
  documentOf: () => iam.PolicyDocument | undefined,
): void {
  scope.node.addValidation({
    validate() {
      const { Statement = [] } = Stack.of(scope).resolve(documentOf() ?? {}) as PolicyJson
      const resources = Statement.flatMap(({ Resource = [] }) => Resource).map(spelled)
      for (const resource of new Set(resources))
        if (resource.endsWith('*') && resource !== '*')
          Validations.of(scope).acknowledge({
            id: `AwsSolutions-IAM5[Resource::${resource}]`,
            reason: PREFIXES,
          })
      return []
    },
  })
}

interface PolicyJson {
  readonly Statement?: readonly { readonly Resource?: unknown }[]
}

/** As cdk-nag spells a reference: `<LogicalId.Arn>/raw/*`. */
function spelled(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  const [[name, argument] = ['', undefined]] = Object.entries(value)
  if (name === 'Fn::Join') {
    const [separator, parts] = argument as [string, unknown[]]
    return parts.map(spelled).join(separator)
  }
  if (name === 'Fn::GetAtt') return `<${(argument as string[]).join('.')}>`
  return name === 'Ref' ? `<${String(argument)}>` : String(argument)
}
