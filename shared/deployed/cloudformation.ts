import { clientOptions } from '../credentials/aws-client.ts'
import { IngestError } from '../errors.ts'

/** Outputs of a stack, by their names (CloudFormation, DescribeStacks). */
export type StackOutputs = Readonly<Record<string, string>>

/**
 * What a stack tells of itself, in the region and with the credentials of the AWS SDK's own settings. `name` is a legal stack name. Undefined
 * when there is no such stack there. Rejects with STACK_UNREADABLE.
 */
export async function readStackOutputs(
  name: string,
  endpoint: string | undefined,
): Promise<StackOutputs | undefined> {
  // Loaded by those alone who look for a stack.
  const { CloudFormationClient, DescribeStacksCommand } = await import('@aws-sdk/client-cloudformation')
  const client = new CloudFormationClient(clientOptions(endpoint))
  try {
    const { Stacks: [stack] = [] } = await client.send(new DescribeStacksCommand({ StackName: name }))
    return Object.fromEntries(
      (stack?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
    )
  } catch (error) {
    if (!(error instanceof Error)) throw error
    // CloudFormation has no name of its own for a stack that is not there; of a legal name it complains for that alone.
    if (error.name === 'ValidationError') return undefined
    throw new IngestError('STACK_UNREADABLE', `stack ${name}: ${error.name}: ${error.message}`, {
      cause: error,
    })
  } finally {
    client.destroy()
  }
}
