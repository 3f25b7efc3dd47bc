// The signer port: a key that signs seals and never leaves its place.

export interface Signer {
  /** PEM (SubjectPublicKeyInfo) of an Ed25519 or P-256 key. Rejects with SIGNING_UNAVAILABLE, SIGNING_KEY_UNUSABLE. */
  publicKey(): Promise<string>
  /** Ed25519 (RFC 8032), or ECDSA with SHA-256 as DER (RFC 3279, 2.2.3): what `openssl` takes. Rejects as `publicKey`. */
  sign(octets: Buffer): Promise<Buffer>
}

/** Authorities that say when something was there already (RFC 3161). */
export interface TimestampAuthority {
  readonly url: string
  /** The whole answer (TimeStampResp, DER) for the SHA-256 of the octets. Rejects with TIMESTAMP_UNAVAILABLE. */
  stamp(octets: Buffer): Promise<Buffer>
}
