import type { ErrorCode } from '../errors.ts'

/** The `code` that Node's socket, DNS and TLS put on their errors. */
const BY_CODE: Readonly<Record<string, ErrorCode>> = {
  ENOTFOUND: 'CONNECTION_FAILED',
  EAI_AGAIN: 'CONNECTION_FAILED',
  ECONNREFUSED: 'CONNECTION_FAILED',
  EHOSTUNREACH: 'CONNECTION_FAILED',
  EHOSTDOWN: 'CONNECTION_FAILED',
  ENETUNREACH: 'CONNECTION_FAILED',
  ENETDOWN: 'CONNECTION_FAILED',
  EADDRNOTAVAIL: 'CONNECTION_FAILED',
  ECONNRESET: 'CONNECTION_LOST',
  ECONNABORTED: 'CONNECTION_LOST',
  EPIPE: 'CONNECTION_LOST',
  ETIMEDOUT: 'CONNECTION_LOST',
  CERT_HAS_EXPIRED: 'CERTIFICATE_REJECTED',
  CERT_NOT_YET_VALID: 'CERTIFICATE_REJECTED',
  CERT_REVOKED: 'CERTIFICATE_REJECTED',
  CERT_REJECTED: 'CERTIFICATE_REJECTED',
  CERT_UNTRUSTED: 'CERTIFICATE_REJECTED',
  CERT_SIGNATURE_FAILURE: 'CERTIFICATE_REJECTED',
  CERT_CHAIN_TOO_LONG: 'CERTIFICATE_REJECTED',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'CERTIFICATE_REJECTED',
  SELF_SIGNED_CERT_IN_CHAIN: 'CERTIFICATE_REJECTED',
  UNABLE_TO_GET_ISSUER_CERT: 'CERTIFICATE_REJECTED',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'CERTIFICATE_REJECTED',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'CERTIFICATE_REJECTED',
  INVALID_CA: 'CERTIFICATE_REJECTED',
  INVALID_PURPOSE: 'CERTIFICATE_REJECTED',
  HOSTNAME_MISMATCH: 'CERTIFICATE_REJECTED',
  ERR_TLS_CERT_ALTNAME_INVALID: 'CERTIFICATE_REJECTED',

  // A TLS handshake answered by something that is not TLS, or by none of our versions.
  EPROTO: 'TLS_UNAVAILABLE',
}

/** Undefined for a code that is none of a connection. */
export function connectionErrorCode(code: string): ErrorCode | undefined {
  return BY_CODE[code] ?? (/^ERR_(SSL|TLS)_/.test(code) ? 'TLS_UNAVAILABLE' : undefined)
}

/** A log-in in clear is allowed to this machine alone. */
export const LOOPBACK: RegExp = /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i

/** What a server said, bounded and on one line, for it is the server's to choose. */
export function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f]+/g, ' ').slice(0, 300)
}
