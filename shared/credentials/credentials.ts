/** The credentials port: secrets by their reference in the configuration (`env:NAME`, `file:PATH`, `ssm:NAME`, `secretsmanager:ID`). */
export interface Credentials {
  /**
   * Read anew at each call, so that a rotated secret counts at the next sign-in.
   * Rejects with CREDENTIAL_MISSING, which names the reference and never the secret.
   */
  password(reference: string): Promise<string>
}
