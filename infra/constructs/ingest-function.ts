import { Duration, RemovalPolicy, Size, Stack } from 'aws-cdk-lib'
import type * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import * as logs from 'aws-cdk-lib/aws-logs'
import type * as sqs from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { FUNCTIONS, type FunctionName, RUNTIME_ENVIRONMENT } from '../../shared/contract/functions.ts'
import { acknowledge, acknowledgePrefixes } from './acknowledged.ts'

export interface IngestFunctionProps {
  readonly name: FunctionName
  readonly code: lambda.Code
  /** @default as FUNCTIONS has it */
  readonly memoryMib?: number | undefined
  /** Of /tmp. @default 512, which costs nothing */
  readonly spoolMib?: number | undefined
  readonly environment: Readonly<Record<string, string>>
  readonly statements: readonly iam.PolicyStatement[]
  readonly logDays: logs.RetentionDays
  /** Encrypts the logs. @default a key that CloudWatch owns */
  readonly logKey?: kms.IKey | undefined
  readonly vpc?: { readonly vpc: ec2.IVpc; readonly securityGroup: ec2.ISecurityGroup } | undefined
  readonly reservedConcurrency?: number | undefined
  /** Where an asynchronous invocation ends that failed for good. */
  readonly deadLetters?: sqs.IQueue | undefined
}

/**
 * One of the functions, from the bundle that the tests run, with a role and a log of its own. The role has what is listed and not one action more:
 * AWS's managed policy would let it write to every log of the account.
 */
export class IngestFunction extends Construct {
  readonly function: lambda.Function
  readonly role: iam.Role
  readonly logGroup: logs.LogGroup
  readonly timeout: Duration
  readonly memoryMib: number

  constructor(scope: Construct, id: string, props: IngestFunctionProps) {
    super(scope, id)
    const { timeoutSeconds, memoryMib } = FUNCTIONS[props.name]
    this.timeout = Duration.seconds(timeoutSeconds)
    this.memoryMib = props.memoryMib ?? memoryMib
    this.logGroup = new logs.LogGroup(this, 'Log', {
      retention: props.logDays,
      // Whoever deletes the stack wants to know afterwards what happened; the logs end by themselves.
      removalPolicy: RemovalPolicy.RETAIN,
      ...(props.logKey ? { encryptionKey: props.logKey } : {}),
    })
    this.role = new iam.Role(this, 'Role', {
      description: `Mailsluice: ${props.name}`,
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
    })
    for (const statement of props.statements) this.role.addToPolicy(statement)
    this.role.addToPolicy(
      new iam.PolicyStatement({
        sid: 'WriteItsLog',
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [this.logGroup.logGroupArn],
      }),
    )
    if (props.deadLetters)
      this.role.addToPolicy(
        new iam.PolicyStatement({
          sid: 'ReportFailures',
          actions: ['sqs:SendMessage'],
          resources: [props.deadLetters.queueArn],
        }),
      )
    if (props.vpc) this.role.addToPolicy(networkInterfaces())

    this.function = new lambda.Function(this, 'Function', {
      description: `Mailsluice: ${props.name} (${Stack.of(this).stackName})`,
      // arm64 costs a fifth less for the same time, and nothing in the bundle is compiled.
      architecture: lambda.Architecture.ARM_64,
      runtime: lambda.Runtime.NODEJS_24_X,
      handler: 'index.handler',
      code: props.code,
      role: this.role.withoutPolicyUpdates(),
      timeout: this.timeout,
      memorySize: this.memoryMib,
      ...(props.spoolMib === undefined ? {} : { ephemeralStorageSize: Size.mebibytes(props.spoolMib) }),
      environment: { ...RUNTIME_ENVIRONMENT, ...props.environment },
      logGroup: this.logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      // The runtime's own start and report lines: what the metrics say already.
      systemLogLevelV2: lambda.SystemLogLevel.WARN,
      ...(props.reservedConcurrency === undefined
        ? {}
        : { reservedConcurrentExecutions: props.reservedConcurrency }),
      ...(props.vpc ? { vpc: props.vpc.vpc, securityGroups: [props.vpc.securityGroup] } : {}),
      ...(props.deadLetters ? { deadLetterQueue: props.deadLetters, ...asynchronous } : {}),
    })
    acknowledge(this.role, 'ownPolicies', ...(props.vpc ? (['networkInterfaces'] as const) : []))
    acknowledgePrefixes(this.role)
    if (!props.logKey) acknowledge(this.logGroup, 'logsByCloudWatch')
    if (!props.vpc) acknowledge(this.function, 'noNetwork')
    if (props.deadLetters) acknowledge(this.function, 'oneTickAtATime')
    else acknowledge(this.function, 'deadLettersOfTheQueue')
    // A function that starts before its role may read answers its first requests with AccessDenied.
    this.function.node.addDependency(this.role)
  }

  /** Takes requests from `queue`, `atOnce` at the same time at most; a request that fails comes back alone. */
  takesFrom(queue: sqs.IQueue, batchSize: number, atOnce: number): void {
    this.role.addToPolicy(
      new iam.PolicyStatement({
        sid: 'TakeRequests',
        actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
        resources: [queue.queueArn],
      }),
    )
    acknowledge(this.function, 'noReservedConcurrency')
    const mapping = new lambda.EventSourceMapping(this, 'Requests', {
      target: this.function,
      eventSourceArn: queue.queueArn,
      batchSize,
      maxConcurrency: atOnce,
      reportBatchItemFailures: true,
    })
    mapping.node.addDependency(this.role)
  }
}

/** An invocation without a caller who waits: tried again at once or not at all, for the next one does the same. */
const asynchronous = {
  maxEventAge: Duration.minutes(5),
  retryAttempts: 1,
} as const satisfies lambda.EventInvokeConfigOptions

/** Lambda attaches a function to a network in its name. EC2 knows no resources for most of these, and Lambda asks for all of them without. */
function networkInterfaces(): iam.PolicyStatement {
  return new iam.PolicyStatement({
    sid: 'JoinTheNetwork',
    actions: [
      'ec2:CreateNetworkInterface',
      'ec2:DescribeNetworkInterfaces',
      'ec2:DescribeSubnets',
      'ec2:DeleteNetworkInterface',
      'ec2:AssignPrivateIpAddresses',
      'ec2:UnassignPrivateIpAddresses',
    ],
    resources: ['*'],
  })
}
