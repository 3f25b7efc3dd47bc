import { randomUUID } from 'node:crypto'
import { clientOptions } from './aws-client.ts'
import { missing, refused, unsaved } from './missing.ts'

/** The current SecretString of AWS Secrets Manager (GetSecretValue). */
export async function secretsManagerPassword(id: string, endpoint: string | undefined): Promise<string> {
  const reference = `secretsmanager:${id}`
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager')
  const client = new SecretsManagerClient(clientOptions(endpoint))
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
  const client = new SecretsManagerClient(clientOptions(endpoint))
  // DescribeSecret would do without the secret, and needs a permission that a drain has no other use for.
  const answer = await client
    .send(new GetSecretValueCommand({ SecretId: id }))
    .catch(() => undefined)
    .finally(() => client.destroy())
  return answer?.VersionId
}

/** The label of a version that is written and not yet the current one. */
const PENDING = 'MAILSLUICE_PENDING'

/**
 * Puts `secret` in the place of `expected`; false when there is another one by now: the label AWSCURRENT is moved from the version that was read,
 * which Secrets Manager refuses when it is on another one.
 */
export async function replaceSecretsManagerPassword(
  id: string,
  endpoint: string | undefined,
  expected: string,
  secret: string,
): Promise<boolean> {
  const reference = `secretsmanager:${id}`
  const {
    GetSecretValueCommand,
    PutSecretValueCommand,
    SecretsManagerClient,
    UpdateSecretVersionStageCommand,
  } = await import('@aws-sdk/client-secrets-manager')
  const client = new SecretsManagerClient(clientOptions(endpoint))
  try {
    const { SecretString, VersionId: before } = await client.send(new GetSecretValueCommand({ SecretId: id }))
    if (SecretString !== expected) return false
    const { VersionId: after } = await client.send(
      new PutSecretValueCommand({
        SecretId: id,
        SecretString: secret,
        ClientRequestToken: randomUUID(),
        VersionStages: [PENDING],
      }),
    )
    const move = {
      SecretId: id,
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: after,
      RemoveFromVersionId: before,
    }
    await client.send(new UpdateSecretVersionStageCommand(move))
    return true
  } catch (error) {
    // What it answers when the label is on another version by now.
    if (error instanceof Error && /^Invalid(Parameter|Request)Exception$/.test(error.name)) return false
    throw refused(reference, error, unsaved)
  } finally {
    client.destroy()
  }
}
