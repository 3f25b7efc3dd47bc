import { IngestError } from '../errors.ts'
import { clientOptions } from './aws-client.ts'
import { missing, refused, unsaved } from './missing.ts'

/** A SecureString parameter of AWS Systems Manager, decrypted (GetParameter). */
export async function ssmPassword(name: string, endpoint: string | undefined): Promise<string> {
  const reference = `ssm:${name}`
  // Loaded when the first such reference is read: most configurations have none, and it costs a cold start.
  const { GetParameterCommand, SSMClient } = await import('@aws-sdk/client-ssm')
  const client = new SSMClient(clientOptions(endpoint))
  const { Parameter } = await client
    .send(new GetParameterCommand({ Name: name, WithDecryption: true }))
    .catch((error: unknown) => {
      throw refused(reference, error)
    })
    .finally(() => client.destroy())
  if (Parameter?.Type !== 'SecureString')
    throw missing(
      reference,
      `it is a ${Parameter?.Type ?? 'parameter without type'}; expected a SecureString`,
    )
  if (!Parameter.Value) throw missing(reference, 'it is empty')
  return Parameter.Value
}

/** The number of its version. Undefined when it is not there or may not be read. */
export async function ssmVersion(name: string, endpoint: string | undefined): Promise<string | undefined> {
  const { GetParameterCommand, SSMClient } = await import('@aws-sdk/client-ssm')
  const client = new SSMClient(clientOptions(endpoint))
  const answer = await client
    .send(new GetParameterCommand({ Name: name, WithDecryption: false }))
    .catch(() => undefined)
    .finally(() => client.destroy())
  return answer?.Parameter?.Version?.toString()
}

/**
 * Puts `secret` in the place of `expected`; false when there is another one by now. Parameter Store has no conditional write: it is looked at just
 * before, and whoever writes in the same instant is overwritten (its history keeps what was there).
 */
export async function replaceSsmPassword(
  name: string,
  endpoint: string | undefined,
  expected: string,
  secret: string,
): Promise<boolean> {
  const reference = `ssm:${name}`
  const { DescribeParametersCommand, PutParameterCommand, SSMClient } = await import('@aws-sdk/client-ssm')
  const client = new SSMClient(clientOptions(endpoint))
  try {
    // Without the key that it has, it would be encrypted with the default one from then on.
    const filter = { Key: 'Name', Option: 'Equals', Values: [name] }
    const { Parameters: [facts] = [] } = await client.send(
      new DescribeParametersCommand({ ParameterFilters: [filter] }),
    )
    if ((await ssmPassword(name, endpoint)) !== expected) return false
    await client.send(
      new PutParameterCommand({
        Name: name,
        Value: secret,
        Type: 'SecureString',
        Overwrite: true,
        ...(facts?.KeyId === undefined ? {} : { KeyId: facts.KeyId }),
      }),
    )
    return true
  } catch (error) {
    throw error instanceof IngestError ? error : refused(reference, error, unsaved)
  } finally {
    client.destroy()
  }
}
