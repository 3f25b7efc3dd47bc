import { RemovalPolicy } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as kms from 'aws-cdk-lib/aws-kms'
import * as logs from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { acknowledge } from './acknowledged.ts'
import { outwardGroup } from './outward.ts'

export interface StaticNetworkProps {
  /** TCP ports of the mail servers. */
  readonly mailPorts: readonly number[]
  readonly logDays: logs.RetentionDays
  readonly logKey?: kms.IKey | undefined
}

/**
 * A network whose traffic leaves by one IPv4 address, for mail providers that admit known addresses only. One NAT gateway, not one for each
 * zone: its zone failing delays mail, and a second one costs a second address to be made known and 33 USD a month.
 */
export class StaticNetwork extends Construct {
  readonly vpc: ec2.IVpc
  readonly securityGroup: ec2.SecurityGroup
  readonly address: string

  constructor(scope: Construct, id: string, { mailPorts, logDays, logKey }: StaticNetworkProps) {
    super(scope, id)
    // Providers were told it: it stays when the stack goes.
    const address = new ec2.CfnEIP(this, 'Address', { domain: 'vpc' })
    address.applyRemovalPolicy(RemovalPolicy.RETAIN)
    this.address = address.attrPublicIp
    const vpc = new ec2.Vpc(this, 'Vpc', {
      maxAzs: 2,
      natGateways: 1,
      natGatewayProvider: ec2.NatProvider.gateway({ eipAllocationIds: [address.attrAllocationId] }),
      // Or the CDK adds a function of its own with rights over every security group.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'nat', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 28, mapPublicIpOnLaunch: false },
        { name: 'functions', subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 20 },
      ],
      // Free, and mail goes to S3 without the NAT gateway's price for each octet.
      gatewayEndpoints: { s3: { service: ec2.GatewayVpcEndpointAwsService.S3 } },
    })
    acknowledge(vpc, 'unusedDefaultGroup', 'natNeedsTheInternet')
    // The CDK's classes and interfaces disagree about undefined.
    this.vpc = vpc as ec2.IVpc
    this.securityGroup = outwardGroup(this, this.vpc, mailPorts)
    this.logRefusals(logDays, logKey)
  }

  /** What the network refused: a server on an unexpected port, or somebody who looks around. */
  private logRefusals(retention: logs.RetentionDays, encryptionKey: kms.IKey | undefined): void {
    const logGroup = new logs.LogGroup(this, 'Refusals', {
      retention,
      removalPolicy: RemovalPolicy.RETAIN,
      ...(encryptionKey ? { encryptionKey } : {}),
    })
    const role = new iam.Role(this, 'RefusalsRole', {
      description: 'Mailsluice: VPC flow logs',
      assumedBy: new iam.ServicePrincipal('vpc-flow-logs.amazonaws.com'),
    })
    acknowledge(role, 'ownPolicies')
    if (!encryptionKey) acknowledge(logGroup, 'logsByCloudWatch')
    role.addToPolicy(
      new iam.PolicyStatement({
        sid: 'WriteItsLog',
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams'],
        resources: [logGroup.logGroupArn],
      }),
    )
    new ec2.CfnFlowLog(this, 'FlowLog', {
      resourceType: 'VPC',
      resourceId: this.vpc.vpcId,
      trafficType: 'REJECT',
      logGroupName: logGroup.logGroupName,
      deliverLogsPermissionArn: role.roleArn,
    })
  }
}
