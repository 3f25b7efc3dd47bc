import type { RecordType } from '../contract/authentication.ts'

// The DNS port.

/**
 * `records`: in presentation form, the strings of one TXT record in one piece. `failure`: as c-ares names it (ENOTFOUND: no such name, ENODATA: no such
 * record, ESERVFAIL, ETIMEOUT, …).
 */
export type DnsAnswer =
  | { readonly records: readonly string[]; readonly failure?: undefined }
  | { readonly records?: undefined; readonly failure: string }

export interface Dns {
  /** Whom it asks: address, with a port that is not 53. */
  readonly servers: readonly string[]
  /** Never rejects, and always answers: after a while with ETIMEOUT. */
  resolve(name: string, type: RecordType): Promise<DnsAnswer>
}
