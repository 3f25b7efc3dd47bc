import * as ec2 from 'aws-cdk-lib/aws-ec2'
import type { Construct } from 'constructs'

/** To AWS and to the ports of the mail servers; nothing comes in. */
export function outwardGroup(
  scope: Construct,
  vpc: ec2.IVpc,
  mailPorts: readonly number[],
): ec2.SecurityGroup {
  const group = new ec2.SecurityGroup(scope, 'Outward', {
    vpc,
    description: 'Mailsluice: to mail servers and to AWS; nothing comes in',
    allowAllOutbound: false,
  })
  for (const port of new Set([443, ...mailPorts]))
    group.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(port), port === 443 ? 'AWS' : 'mail')
  return group
}
