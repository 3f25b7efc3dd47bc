import type { Config } from '../../shared/contract/config.ts'
import { archiveStackName, deploymentSchema, OUTPUTS } from '../../shared/contract/deployment.ts'
import type { Environment } from '../../shared/contract/environment.ts'
import { readStackOutputs, type StackOutputs } from '../../shared/deployed/cloudformation.ts'
import { ConfigurationError } from '../../shared/errors.ts'

/** Where the archive, the state and what is derived are in AWS. */
export interface Buckets {
  readonly archive: string
  readonly state: string | undefined
  readonly derived: string | undefined
  /** The deployment that told them, by its name under `aws.stack`; undefined when the configuration names the buckets. */
  readonly stack: string | undefined
  /** ARN of the key that signs seals; of a deployment alone. */
  readonly sealKey: string | undefined
  /** Where Athena searches; undefined where the stack was deployed before it had that. */
  readonly search: { readonly workgroup: string; readonly database: string } | undefined
}

/**
 * The buckets that `config` names. Those of the deployment `stack` when it is given, and of `aws.stack` when the configuration has a section `aws`
 * and no bucket, are asked of CloudFormation. Rejects with a ConfigurationError when nobody tells them, and as readStackOutputs.
 */
export async function findBuckets(
  file: string,
  { archive: { bucket }, state, derived, aws }: Pick<Config, 'archive' | 'state' | 'derived' | 'aws'>,
  stack: string | undefined,
  environment: Environment,
): Promise<Buckets> {
  const deployed = stack ?? (bucket === undefined ? aws?.stack : undefined)
  if (deployed === undefined) {
    if (bucket !== undefined)
      return {
        archive: bucket,
        state: state?.bucket,
        derived: derived?.bucket,
        stack: undefined,
        sealKey: undefined,
        search: undefined,
      }
    throw new ConfigurationError(file, [
      'archive.bucket: missing; expected the name of the archive bucket, or run with --stack NAME (what was deployed) or --local',
    ])
  }
  if (!deploymentSchema.shape.stack.safeParse(deployed).success)
    throw new ConfigurationError('--stack', [
      `${deployed} is no name of a deployment; expected that under aws.stack, such as mailsluice`,
    ])
  const name = archiveStackName({ stack: deployed })
  const endpoint = environment.AWS_ENDPOINT_URL_CLOUDFORMATION ?? environment.AWS_ENDPOINT_URL
  const outputs = await readStackOutputs(name, endpoint)
  const { archiveBucket, stateBucket, derivedBucket } = OUTPUTS.archive
  const buckets = { archive: archiveBucket, state: stateBucket, derived: derivedBucket }
  const problems = [
    ...missingOutputs(name, outputs, Object.values(buckets)),
    ...otherBucket(file, 'archive.bucket', bucket, name, outputs?.[buckets.archive]),
    ...otherBucket(file, 'state.bucket', state?.bucket, name, outputs?.[buckets.state]),
    ...otherBucket(file, 'derived.bucket', derived?.bucket, name, outputs?.[buckets.derived]),
  ]
  if (problems.length > 0 || !outputs) throw new ConfigurationError(`stack ${name}`, problems)
  return {
    archive: outputs[buckets.archive] as string,
    state: outputs[buckets.state] as string,
    derived: outputs[buckets.derived] as string,
    stack: deployed,
    sealKey: outputs[OUTPUTS.archive.sealKey],
    search: searchOf(outputs),
  }
}

function searchOf(outputs: StackOutputs): Buckets['search'] {
  const workgroup = outputs[OUTPUTS.archive.searchWorkgroup]
  const database = outputs[OUTPUTS.archive.searchDatabase]
  return workgroup && database ? { workgroup, database } : undefined
}

function missingOutputs(
  name: string,
  outputs: StackOutputs | undefined,
  expected: readonly string[],
): string[] {
  if (!outputs)
    return [
      `there is no stack ${name} in this account and region; expected one that is deployed: check AWS_REGION, the credentials and the name under aws.stack`,
    ]
  return expected
    .filter((output) => !outputs[output])
    .map((output) => `it has no output ${output}; expected a stack of infra/ whose deployment is complete`)
}

/** Two archives have two ledgers, and every message would be archived and announced by both; what one writes, readers of the other miss. */
function otherBucket(
  file: string,
  path: string,
  named: string | undefined,
  name: string,
  deployed: string | undefined,
): string[] {
  if (named === undefined || deployed === undefined || named === deployed) return []
  return [`${path} of ${file} is ${named}, and ${name} has ${deployed}; expected the same, or no name there`]
}
