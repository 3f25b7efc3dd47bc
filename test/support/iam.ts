import { type EvaluationResult, runSimulation } from '@cloud-copilot/iam-simulate'
import { ACCOUNT, type Policy, REGION, type Templates } from './templates.ts'

// Who may do what, as IAM evaluates it: identity policies, bucket and key policies, conditions.

export interface Call {
  readonly action: string
  readonly resource: string
  /** Condition keys that the request carries. SecureTransport is true unless said otherwise. */
  readonly context?: Readonly<Record<string, string | string[]>>
  /** @default the templates' account */
  readonly owner?: string
}

export interface Caller {
  /** Role ARN. */
  readonly role: string
  readonly policies: readonly Policy[]
  readonly account: string
}

/** A role of the templates with the policies that they give it. */
export function roleOf(templates: Templates, id: string): Caller {
  return { role: templates.arnOf(id), policies: templates.policiesOf(id), account: ACCOUNT }
}

/** Somebody of the account who may do everything that nobody denies. */
export function administrator(role: string = `arn:aws:iam::${ACCOUNT}:role/Administrator`): Caller {
  const everything: Policy = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }],
  }
  return { role, policies: [everything], account: /::(\d{12}):/.exec(role)?.[1] ?? ACCOUNT }
}

/** The simulator knows no condition keys that end in a name of the caller's own; a tag of the caller stands for this one, in policies and calls. */
function withStandIn<T>(value: T): T {
  const text = JSON.stringify(value).replaceAll('kms:EncryptionContext:aws:s3:arn', 'aws:PrincipalTag/s3-arn')
  return JSON.parse(text) as T
}

/** Throws when the simulator does not know the action, or a condition key of the call does not belong to it. */
export async function evaluate(
  caller: Caller,
  call: Call,
  resourcePolicy?: Policy,
): Promise<EvaluationResult> {
  const session = caller.role.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')
  const result = await runSimulation(
    {
      request: {
        principal: `${session}/session`,
        action: call.action,
        resource: { resource: call.resource, accountId: call.owner ?? ACCOUNT },
        contextVariables: {
          'aws:PrincipalArn': caller.role,
          'aws:PrincipalAccount': caller.account,
          'aws:SecureTransport': 'true',
          'aws:RequestedRegion': REGION,
          ...withStandIn(call.context ?? {}),
        },
      },
      identityPolicies: caller.policies.map((policy, index) => ({
        name: `policy-${index}`,
        policy: withStandIn(policy),
      })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(resourcePolicy && { resourcePolicy: withStandIn(resourcePolicy) }),
    },
    {},
  )
  if (result.resultType === 'error')
    throw new Error(`${call.action}: ${JSON.stringify(result.errors, undefined, 1)}`)
  if (result.resultType !== 'single') throw new Error(`${call.resource} is not one resource`)
  const ignored = result.result.ignoredContextKeys ?? []
  if (ignored.length > 0) throw new Error(`${call.action} has no condition keys ${ignored.join(', ')}`)
  return result.overallResult
}

export async function isAllowed(caller: Caller, call: Call, resourcePolicy?: Policy): Promise<boolean> {
  return (await evaluate(caller, call, resourcePolicy)) === 'Allowed'
}
