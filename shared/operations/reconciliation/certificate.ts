import type { MailboxId, Sha256 } from '../../contract/ids.ts'
import type { IdList } from '../../ledger/id-days.ts'

/**
 * Why a message is on one side alone. Explained:
 *   arrived-since          after the last drain
 *   not-yet-drained        no drain has come to the end of the folder under today's settings
 *   filtered               left out by the mailbox's search
 *   quarantined            could not be fetched, given up until somebody acts
 *   dismissed              out of quarantine by somebody's decision: it is not archived
 *   failing                could not be fetched, or is to be fetched again, and the next drain tries
 *   expunged-before-fetch  it was on the server, and left it before it was archived
 * Unexplained:
 *   passed-over            a drain has come to the folder's end since it arrived, and nothing is recorded of it
 *   recorded-as-gone       recorded as gone before it was fetched, and the server lists it
 *   object-missing         recorded as archived, and the archive does not have it
 *   no-lasting-id          the server gives no id that could be compared with those of earlier sessions
 */
export type DifferenceReason =
  | 'arrived-since'
  | 'not-yet-drained'
  | 'filtered'
  | 'quarantined'
  | 'dismissed'
  | 'failing'
  | 'expunged-before-fetch'
  | UnexplainedReason

export type UnexplainedReason = (typeof UNEXPLAINED)[number]

export const UNEXPLAINED = ['passed-over', 'recorded-as-gone', 'object-missing', 'no-lasting-id'] as const

export interface Difference {
  readonly reason: DifferenceReason
  readonly explained: boolean
  readonly messages: number
  /** UIDs as a sequence set, UIDLs as a list. */
  readonly ids: IdList
}

/** One folder under one epoch (UIDVALIDITY), or a maildrop's UIDLs. */
export interface FolderCertificate {
  readonly folder: string
  readonly epoch: string
  /** What the server has; undefined for an epoch that is over and for a folder that is not drained any more. */
  readonly server:
    | {
        readonly messages: number
        readonly uidNext: number | undefined
        /** Over the ids in their order, one a line: what the certificate is about. */
        readonly idsSha256: Sha256
      }
    | undefined
  readonly archive: {
    /** Messages of this folder and epoch that are archived. */
    readonly messages: number
    /** Of them, on the server still. */
    readonly onServer: number
    /** Of them, moved or deleted by a drain as configured. */
    readonly removedAsConfigured: number
    /** Of them, removed from the server by others. */
    readonly removedByOthers: number
  }
  readonly differences: readonly Difference[]
}

/** What a mailbox has on its server and in the archive at one time, and a reason for every difference. */
export interface Certificate {
  readonly type: 'certificate'
  readonly v: 1
  readonly mailbox: MailboxId
  /** ISO 8601; when the server was listed. */
  readonly at: string
  /** Every message of the server is archived, or a reason is recorded why not; nothing that is archived is missing. */
  readonly complete: boolean
  readonly server: {
    readonly protocol: 'imap' | 'pop3'
    readonly host: string
    readonly port: number
    readonly user: string
    readonly tls: string
    readonly certificateSha256?: string | undefined
  }
  /** The last segment of the ledger that it was compared with; its SHA-256 stands for all before. Undefined when there is none. */
  readonly ledger: { readonly seq: number; readonly sha256: Sha256 } | undefined
  readonly folders: readonly FolderCertificate[]
  /** Objects that the ledger names and the archive lacks or has otherwise, also of messages that left the server. */
  readonly problems: readonly { readonly kind: string; readonly key: string; readonly reason: string }[]
}
