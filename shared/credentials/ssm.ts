import { missing, refused } from './missing.ts'

/** A SecureString parameter of AWS Systems Manager, decrypted (GetParameter). */
export async function ssmPassword(name: string, endpoint: string | undefined): Promise<string> {
  const reference = `ssm:${name}`
  // Loaded when the first such reference is read: most configurations have none, and it costs a cold start.
  const { GetParameterCommand, SSMClient } = await import('@aws-sdk/client-ssm')
  const client = new SSMClient(endpoint === undefined ? {} : { endpoint })
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
  const client = new SSMClient(endpoint === undefined ? {} : { endpoint })
  const answer = await client
    .send(new GetParameterCommand({ Name: name, WithDecryption: false }))
    .catch(() => undefined)
    .finally(() => client.destroy())
  return answer?.Parameter?.Version?.toString()
}
