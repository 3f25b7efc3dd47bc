/** The credentials port: secrets by their reference in the configuration (`env:NAME`, `file:PATH`, `ssm:NAME`, `secretsmanager:ID`). */
export interface Credentials {
  /**
   * Read anew at each call, so that a rotated secret counts at the next sign-in.
   * Rejects with CREDENTIAL_MISSING, which names the reference and never the secret.
   */
  password(reference: string): Promise<string>
  /**
   * A mark that is another one after the secret was changed, and tells nothing of the secret. Undefined where there is none: for what is not
   * there, and for the environment, which lasts as long as the process.
   */
  version(reference: string): Promise<string | undefined>
}
