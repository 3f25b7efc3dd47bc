import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as ecs from 'aws-cdk-lib/aws-ecs'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as logs from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import {
  type IdleRelayEnvironment,
  RELAY_HEALTH_PORT,
  RELAY_HEARTBEAT,
  RELAY_STOP_SECONDS,
} from '../../shared/contract/idle-relay.ts'
import { acknowledge, acknowledgePrefixes } from './acknowledged.ts'
import { outwardGroup } from './outward.ts'

export interface RelayOptions {
  /** A container that runs the relay on arm64. */
  readonly image: ecs.ContainerImage
  /** Tasks that share the mailboxes; one holds about 2,000. @default 1 */
  readonly shards?: number | undefined
  /** 256, 512 or 1024; 1024 are one processor. @default 256 */
  readonly cpu?: number | undefined
  /** @default 512 */
  readonly memoryMib?: number | undefined
}

export interface IdleRelayProps extends RelayOptions {
  readonly environment: Omit<
    IdleRelayEnvironment,
    'SHARD_INDEX' | 'SHARD_COUNT' | 'HEALTH_PORT' | 'HEARTBEAT_FILE'
  >
  readonly statements: readonly iam.PolicyStatement[]
  /** TCP ports of the mail servers. */
  readonly mailPorts: readonly number[]
  /** A network whose traffic leaves by a NAT gateway. @default one of its own, where each task has an address of its own */
  readonly vpc?: ec2.IVpc | undefined
  readonly logDays: logs.RetentionDays
  readonly logKey?: kms.IKey | undefined
}

/**
 * Watches mailboxes by IDLE on Fargate and asks for a drain when mail comes. One service of one task for each shard: a task that is replaced
 * stops before the next one starts, for two would hold two connections for each mailbox, and providers count connections.
 */
export class IdleRelay extends Construct {
  readonly cluster: ecs.Cluster
  readonly role: iam.Role
  readonly services: readonly ecs.FargateService[]
  readonly #props: IdleRelayProps
  readonly #vpc: ec2.IVpc

  constructor(scope: Construct, id: string, props: IdleRelayProps) {
    super(scope, id)
    this.#props = props
    this.#vpc = props.vpc ?? this.#publicNetwork()
    this.cluster = new ecs.Cluster(this, 'Cluster', {
      vpc: this.#vpc,
      // Running tasks are a metric with it alone: what the alarm counts.
      containerInsightsV2: ecs.ContainerInsights.ENABLED,
    })
    this.role = new iam.Role(this, 'Role', {
      description: 'Mailsluice: idle-relay',
      assumedBy: new iam.ServicePrincipal('ecs-tasks.amazonaws.com'),
    })
    for (const statement of props.statements) this.role.addToPolicy(statement)
    acknowledge(this.role, 'ownPolicies')
    acknowledgePrefixes(this.role)

    const logGroup = new logs.LogGroup(this, 'Log', {
      retention: props.logDays,
      removalPolicy: RemovalPolicy.RETAIN,
      ...(props.logKey ? { encryptionKey: props.logKey } : {}),
    })
    if (!props.logKey) acknowledge(logGroup, 'logsByCloudWatch')
    const securityGroup = outwardGroup(this, this.#vpc, props.mailPorts)
    const count = props.shards ?? 1
    this.services = Array.from({ length: count }, (_, index) =>
      this.#service(index, count, logGroup, securityGroup),
    )
  }

  #service(
    index: number,
    count: number,
    logGroup: logs.ILogGroup,
    securityGroup: ec2.ISecurityGroup,
  ): ecs.FargateService {
    const { environment, image, cpu = 256, memoryMib = 512, vpc } = this.#props
    const task = new ecs.FargateTaskDefinition(this, `Task${index}`, {
      cpu,
      memoryLimitMiB: memoryMib,
      taskRole: this.role.withoutPolicyUpdates(),
      runtimePlatform: {
        cpuArchitecture: ecs.CpuArchitecture.ARM64,
        operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
      },
      volumes: [{ name: 'tmp' }],
    })
    acknowledge(task, 'environmentWithoutSecrets')
    acknowledge(task.obtainExecutionRole(), 'ownPolicies')
    const container = task.addContainer('relay', {
      image,
      environment: {
        ...environment,
        SHARD_INDEX: String(index),
        SHARD_COUNT: String(count),
        HEALTH_PORT: String(RELAY_HEALTH_PORT),
        HEARTBEAT_FILE: RELAY_HEARTBEAT.file,
      } satisfies IdleRelayEnvironment,
      logging: ecs.LogDrivers.awsLogs({ logGroup, streamPrefix: `shard-${index}` }),
      readonlyRootFilesystem: true,
      // SIGTERM reaches the relay, and not a shell before it.
      linuxParameters: new ecs.LinuxParameters(this, `Linux${index}`, { initProcessEnabled: true }),
      stopTimeout: Duration.seconds(RELAY_STOP_SECONDS),
      healthCheck: {
        command: ['CMD', 'node', '-e', HEALTH, RELAY_HEARTBEAT.file],
        interval: Duration.seconds(30),
        retries: 3,
        startPeriod: Duration.seconds(60),
        timeout: Duration.seconds(10),
      },
    })
    container.addMountPoints({ containerPath: '/tmp', sourceVolume: 'tmp', readOnly: false })
    return new ecs.FargateService(this, `Shard${index}`, {
      cluster: this.cluster as ecs.ICluster,
      taskDefinition: task,
      desiredCount: 1,
      minHealthyPercent: 0,
      maxHealthyPercent: 100,
      circuitBreaker: { rollback: true },
      securityGroups: [securityGroup],
      assignPublicIp: vpc === undefined,
      vpcSubnets: {
        subnetType: vpc === undefined ? ec2.SubnetType.PUBLIC : ec2.SubnetType.PRIVATE_WITH_EGRESS,
      },
    })
  }

  /** No NAT gateway: an address for each task costs 3.65 USD a month in place of 33, and no idle connection is cut after 350 s. */
  #publicNetwork(): ec2.IVpc {
    const vpc = new ec2.Vpc(this, 'Vpc', {
      maxAzs: 2,
      natGateways: 0,
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'relay', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
      ],
    })
    acknowledge(vpc, 'unusedDefaultGroup', 'tasksNeedTheInternet', 'nothingToRefuse', 'noFlowLog')
    return vpc as ec2.IVpc
  }
}

/** Healthy while the file of its argument is young. */
const HEALTH = `process.exit(Date.now() - require('fs').statSync(process.argv[1]).mtimeMs > ${RELAY_HEARTBEAT.staleSeconds}e3 ? 1 : 0)`
