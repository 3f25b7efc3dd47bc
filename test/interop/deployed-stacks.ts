import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation'
import {
  CreateBucketCommand,
  type ObjectLockConfiguration,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
  type VersioningConfiguration,
} from '@aws-sdk/client-s3'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { App } from 'aws-cdk-lib'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { bundleFunctions } from '../../functions/bundle.ts'
import { mailsluiceStacks } from '../../infra/stacks.ts'
import type { Config } from '../../shared/contract/config.ts'
import type { FunctionName } from '../../shared/contract/functions.ts'
import { CONTEXT } from '../support/stacks.ts'
import { MOTO_ACCOUNT, type RunningAws } from './engines/aws-engine.ts'

// What `cdk bootstrap` and `cdk deploy` do, on moto: the templates as the app synthesizes them, less what moto has not.

/** What moto does not make, and refuses to see referred to. */
const LACKING = new Set([
  'AWS::Scheduler::ScheduleGroup',
  'AWS::Scheduler::Schedule',
  'AWS::CloudWatch::Dashboard',
])

interface Template {
  readonly Resources: Record<string, { readonly Type: string; readonly Properties?: Record<string, unknown> }>
  readonly Outputs?: Record<string, unknown>
}

export interface DeployedStack {
  readonly name: string
  readonly status: string
  readonly outputs: Readonly<Record<string, string>>
  /** Physical by logical id. */
  readonly resources: Readonly<Record<string, string>>
}

export interface Deployment {
  readonly archive: DeployedStack
  readonly ingest: DeployedStack
  /** Logical ids of what was left out. */
  readonly leftOut: readonly string[]
  /** The environment with which a function is deployed. */
  environmentOf(name: FunctionName): Promise<Readonly<Record<string, string>>>
}

/** `folder`: for bundles (`bundles/`) and the app's output. */
export async function deploy(config: Config, folder: string, aws: RunningAws): Promise<Deployment> {
  const bundles = await bundleFunctions(`${folder}/bundles`)
  const app = new App({ outdir: `${folder}/cdk.out`, context: CONTEXT })
  mailsluiceStacks(app, config, {
    code: (name) => lambda.Code.fromAsset(bundles.find((each) => each.name === name)?.folder ?? ''),
    relay: undefined,
  })
  const [first, second] = app.synth().stacks
  if (!first || !second) throw new TypeError('two stacks are expected')
  const keys = [first, second].flatMap((stack) =>
    Object.values((stack.template as Template).Resources).flatMap(({ Properties }) => {
      const { S3Key } = (Properties?.Code ?? {}) as { S3Key?: string }
      return S3Key === undefined ? [] : [S3Key]
    }),
  )
  await bootstrap(aws, keys)
  const client = new CloudFormationClient(aws)
  try {
    const leftOut: string[] = []
    const create = async (name: string, whole: Template): Promise<DeployedStack> => {
      const { template, without } = withoutLacking(whole)
      leftOut.push(...without)
      await client.send(
        new CreateStackCommand({
          StackName: name,
          TemplateBody: JSON.stringify(template),
          Capabilities: ['CAPABILITY_IAM'],
        }),
      )
      return describe(client, name)
    }
    const archive = await create(first.stackName, first.template as Template)
    await finishBuckets(archive, first.template as Template, aws)
    const ingest = await create(second.stackName, second.template as Template)
    return { archive, ingest, leftOut, environmentOf: (name) => environmentOf(ingest, name, aws) }
  } finally {
    client.destroy()
  }
}

/** The bucket of assets and the version that the templates ask for. What is in an asset is run from its folder. */
async function bootstrap(aws: RunningAws, keys: readonly string[]): Promise<void> {
  const s3 = new S3Client({ ...aws, forcePathStyle: true })
  const Bucket = `cdk-hnb659fds-assets-${MOTO_ACCOUNT}-${aws.region}`
  await s3.send(
    new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }),
  )
  for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'a bundle' }))
  s3.destroy()
  const ssm = new SSMClient(aws)
  await ssm.send(
    new PutParameterCommand({ Name: '/cdk-bootstrap/hnb659fds/version', Value: '30', Type: 'String' }),
  )
  ssm.destroy()
}

function withoutLacking({ Resources, Outputs = {}, ...rest }: Template): {
  readonly template: object
  readonly without: readonly string[]
} {
  const without = new Set(Object.keys(Resources).filter((id) => LACKING.has(Resources[id]?.Type ?? '')))
  const refers = (value: unknown): boolean => {
    const text = JSON.stringify(value)
    return [...without].some((id) => text.includes(`"${id}"`))
  }
  let before: number
  do {
    before = without.size
    for (const [id, resource] of Object.entries(Resources)) if (refers(resource)) without.add(id)
  } while (without.size > before)
  const kept = <T>(all: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(all).filter(([id, value]) => !without.has(id) && !refers(value)))
  return {
    template: { ...rest, Resources: kept(Resources), Outputs: kept(Outputs) },
    without: [...without],
  }
}

async function describe(client: CloudFormationClient, name: string): Promise<DeployedStack> {
  const { Stacks: [stack] = [] } = await client.send(new DescribeStacksCommand({ StackName: name }))
  const { StackResources = [] } = await client.send(new DescribeStackResourcesCommand({ StackName: name }))
  return {
    name,
    status: stack?.StackStatus ?? '',
    outputs: Object.fromEntries(
      (stack?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
    ),
    resources: Object.fromEntries(
      StackResources.map(({ LogicalResourceId = '', PhysicalResourceId = '' }) => [
        LogicalResourceId,
        PhysicalResourceId,
      ]),
    ),
  }
}

/** Of a bucket moto's CloudFormation sets the encryption alone. What drains ask for is set here, as the template has it. */
async function finishBuckets(stack: DeployedStack, template: Template, aws: RunningAws): Promise<void> {
  const s3 = new S3Client({ ...aws, forcePathStyle: true })
  for (const [id, { Type, Properties = {} }] of Object.entries(template.Resources)) {
    if (Type !== 'AWS::S3::Bucket') continue
    const Bucket = stack.resources[id]
    const { VersioningConfiguration, ObjectLockConfiguration } = Properties as {
      VersioningConfiguration?: VersioningConfiguration
      ObjectLockConfiguration?: ObjectLockConfiguration
    }
    if (VersioningConfiguration)
      await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }))
    if (ObjectLockConfiguration)
      await s3.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration }))
  }
  s3.destroy()
}

/** Lambda's API, for which this is no reason to have its client. moto looks at no signature. */
async function environmentOf(
  { resources }: DeployedStack,
  name: FunctionName,
  { endpoint, region, credentials }: RunningAws,
): Promise<Readonly<Record<string, string>>> {
  const [, physical] =
    Object.entries(resources).find(([id]) =>
      new RegExp(`^MailIngest${name.replaceAll('-', '')}Function[0-9A-F]{8}$`).test(id),
    ) ?? []
  const response = await fetch(`${endpoint}/2015-03-31/functions/${physical}/configuration`, {
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/20261101/${region}/lambda/aws4_request`,
    },
  })
  if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`)
  const { Environment } = (await response.json()) as { Environment: { Variables: Record<string, string> } }
  return Environment.Variables
}
