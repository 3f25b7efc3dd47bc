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
