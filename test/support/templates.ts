import { createHash } from 'node:crypto'

// CloudFormation templates as CloudFormation would read them, as far as policies need it: references become the ARNs and names that
// resources would get in one account and region.

export const ACCOUNT = '111122223333'
export const REGION = 'eu-central-1'

export interface Resource {
  readonly Type: string
  readonly Properties: Readonly<Record<string, unknown>>
  readonly DependsOn?: readonly string[]
  readonly DeletionPolicy?: string
  readonly UpdateReplacePolicy?: string
  readonly Metadata?: Readonly<Record<string, unknown>>
}

export interface TemplateJson {
  readonly Resources: Readonly<Record<string, Omit<Resource, 'Properties'> & Partial<Resource>>>
  readonly Outputs?: Readonly<
    Record<string, { readonly Value: unknown; readonly Export?: { readonly Name: unknown } }>
  >
}

export interface Statement {
  readonly Sid?: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Principal?: unknown
  readonly Action?: string | readonly string[]
  readonly NotAction?: string | readonly string[]
  readonly Resource?: string | readonly string[]
  readonly NotResource?: string | readonly string[]
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface Policy {
  readonly Version: string
  readonly Statement: readonly Statement[]
}

/** Several stacks of one app. */
export class Templates {
  readonly templates: readonly TemplateJson[]
  readonly #exports = new Map<string, unknown>()
  readonly #resources = new Map<string, Resource>()

  constructor(templates: readonly TemplateJson[]) {
    this.templates = templates
    for (const template of templates) {
      for (const [id, resource] of Object.entries(template.Resources)) {
        if (this.#resources.has(id)) throw new Error(`two resources are called ${id}`)
        this.#resources.set(id, { Properties: {}, ...resource })
      }
      for (const { Value, Export } of Object.values(template.Outputs ?? {}))
        if (Export) this.#exports.set(Export.Name as string, Value)
    }
  }

  /** Resources of a type, with every reference resolved, by logical id. */
  ofType(type: string): readonly (readonly [string, Resource])[] {
    return [...this.#resources]
      .filter(([, resource]) => resource.Type === type)
      .map(([id, resource]) => [id, this.resolve(resource) as Resource] as const)
  }

  /** The one resource of a type whose logical id begins like that. */
  one(type: string, prefix: string): readonly [string, Resource] {
    const found = this.ofType(type).filter(([id]) => id.startsWith(prefix))
    const [only] = found
    if (!only || found.length > 1)
      throw new Error(
        `${found.length} resources of type ${type} begin with ${prefix}: ${found.map(([id]) => id)}`,
      )
    return only
  }

  get all(): readonly (readonly [string, Resource])[] {
    return [...this.#resources].map(([id, resource]) => [id, this.resolve(resource) as Resource] as const)
  }

  arnOf(id: string): string {
    return this.#attribute(id, 'Arn')
  }

  nameOf(id: string): string {
    return this.#reference(id)
  }

  /** Policies attached to a role: inline, and by AWS::IAM::Policy. Managed policies are an error, for nobody here may have one. */
  policiesOf(role: string): readonly Policy[] {
    const { Properties } = this.#resource(role)
    if (Properties.ManagedPolicyArns) throw new Error(`${role} has managed policies`)
    const inline = (this.resolve(Properties.Policies ?? []) as { PolicyDocument: Policy }[]).map(
      ({ PolicyDocument }) => PolicyDocument,
    )
    const attached = this.ofType('AWS::IAM::Policy')
      .filter(([, policy]) => (policy.Properties.Roles as string[]).includes(this.nameOf(role)))
      .map(([, policy]) => policy.Properties.PolicyDocument as Policy)
    return [...inline, ...attached]
  }

  /** Undefined when there is none. */
  bucketPolicyOf(bucket: string): Policy | undefined {
    const found = this.ofType('AWS::S3::BucketPolicy').find(
      ([, policy]) => policy.Properties.Bucket === this.nameOf(bucket),
    )
    return found?.[1].Properties.PolicyDocument as Policy | undefined
  }

  resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.resolve(item))
    if (typeof value !== 'object' || value === null) return value
    const [[name, argument] = ['', undefined], ...others] = Object.entries(value)
    if (others.length === 0) {
      if (name === 'Ref') return this.#reference(argument as string)
      if (name === 'Fn::GetAtt') return this.#attribute(...(argument as [string, string]))
      if (name === 'Fn::ImportValue') return this.#import(argument as string)
      if (name === 'Fn::Join') {
        const [separator, parts] = argument as [string, unknown[]]
        return (this.resolve(parts) as string[]).join(separator)
      }
      if (name === 'Fn::Sub' && typeof argument === 'string')
        return argument.replace(/\$\{([^}]+)\}/g, (_, reference: string) => this.#reference(reference))
      if (name === 'Fn::Select') {
        const [index, list] = argument as [number, unknown]
        return (this.resolve(list) as unknown[])[index]
      }
      if (name === 'Fn::Split') {
        const [separator, text] = argument as [string, unknown]
        return (this.resolve(text) as string).split(separator)
      }
      if (name === 'Fn::GetAZs') return [`${REGION}a`, `${REGION}b`]
      if (name.startsWith('Fn::')) throw new Error(`${name} is not known here`)
    }
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.resolve(item)]))
  }

  #import(name: string): unknown {
    if (!this.#exports.has(name)) throw new Error(`nothing exports ${name}`)
    return this.resolve(this.#exports.get(name))
  }

  #resource(id: string): Resource {
    const resource = this.#resources.get(id)
    if (!resource) throw new Error(`there is no resource ${id}`)
    return resource
  }

  #reference(name: string): string {
    const pseudo = PSEUDO_PARAMETERS[name]
    if (pseudo !== undefined) return pseudo
    const { Type, Properties } = this.#resource(name)
    const physical = (property: string): string =>
      (this.resolve(Properties[property]) as string) ?? name.toLowerCase()
    switch (Type) {
      case 'AWS::S3::Bucket':
        return physical('BucketName')
      case 'AWS::SQS::Queue':
        return `https://sqs.${REGION}.amazonaws.com/${ACCOUNT}/${this.#queueName(name)}`
      case 'AWS::SNS::Topic':
        return this.#attribute(name, 'Arn')
      default:
        return name
    }
  }

  #queueName(id: string): string {
    const { QueueName, FifoQueue } = this.#resource(id).Properties
    return (this.resolve(QueueName) as string | undefined) ?? `${id}${FifoQueue ? '.fifo' : ''}`
  }

  #attribute(id: string, attribute: string): string {
    const { Type } = this.#resource(id)
    const arn = (service: string, rest: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`
    const known: Record<string, () => string> = {
      'AWS::S3::Bucket Arn': () => `arn:aws:s3:::${this.#reference(id)}`,
      'AWS::SQS::Queue Arn': () => arn('sqs', this.#queueName(id)),
      'AWS::SQS::Queue QueueName': () => this.#queueName(id),
      'AWS::IAM::Role Arn': () => `arn:aws:iam::${ACCOUNT}:role/${id}`,
      'AWS::Events::EventBus Arn': () => arn('events', `event-bus/${id}`),
      'AWS::Events::Rule Arn': () => arn('events', `rule/${id}`),
      'AWS::KMS::Key Arn': () => arn('kms', `key/${uuid(id)}`),
      'AWS::Scheduler::ScheduleGroup Arn': () => arn('scheduler', `schedule-group/${id}`),
      'AWS::Lambda::Function Arn': () => arn('lambda', `function:${id}`),
      'AWS::Logs::LogGroup Arn': () => arn('logs', `log-group:${id}:*`),
      'AWS::SNS::Topic Arn': () => arn('sns', id),
      'AWS::SNS::Topic TopicName': () => id,
      'AWS::CloudWatch::Alarm Arn': () => arn('cloudwatch', `alarm:${id}`),
      'AWS::ECS::Cluster Arn': () => arn('ecs', `cluster/${id}`),
      'AWS::ECS::Service Name': () => id,
      'AWS::EC2::EIP PublicIp': () => '203.0.113.7',
      'AWS::EC2::EIP AllocationId': () => id,
      'AWS::EC2::SecurityGroup GroupId': () => id,
      'AWS::EC2::VPC CidrBlock': () => '10.0.0.0/16',
    }
    const found = known[`${Type} ${attribute}`]
    if (!found) throw new Error(`${Type} ${attribute} is not known here`)
    return found()
  }
}

const PSEUDO_PARAMETERS: Readonly<Record<string, string>> = {
  'AWS::AccountId': ACCOUNT,
  'AWS::Region': REGION,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
  'AWS::StackName': 'stack',
  'AWS::NoValue': '',
}

function uuid(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  )
}

export function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}
