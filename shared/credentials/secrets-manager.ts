import { missing, refused } from './missing.ts'

/** The current SecretString of AWS Secrets Manager (GetSecretValue). */
export async function secretsManagerPassword(id: string, endpoint: string | undefined): Promise<string> {
  const reference = `secretsmanager:${id}`
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager')
  const client = new SecretsManagerClient(endpoint === undefined ? {} : { endpoint })
  const { SecretString } = await client
    .send(new GetSecretValueCommand({ SecretId: id }))
    .catch((error: unknown) => {
      throw refused(reference, error)
    })
    .finally(() => client.destroy())
  if (!SecretString) throw missing(reference, 'it has no SecretString; expected the password as text')
  return SecretString
}

/** The id of its current version. Undefined when it is not there or may not be read. */
export async function secretsManagerVersion(
  id: string,
  endpoint: string | undefined,
): Promise<string | undefined> {
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager')
  const client = new SecretsManagerClient(endpoint === undefined ? {} : { endpoint })
  // DescribeSecret would do without the secret, and needs a permission that a drain has no other use for.
  const answer = await client
    .send(new GetSecretValueCommand({ SecretId: id }))
    .catch(() => undefined)
    .finally(() => client.destroy())
  return answer?.VersionId
}
