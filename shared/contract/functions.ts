// The functions: what infra deploys and functions/ has entry points for.

/**
 * By the name of the entry point: functions/<name>.lambda.ts is bundled into dist/<name>/, whose index.mjs exports `handler`.
 * `timeoutSeconds`: what the function counts on. `memoryMib`: and its part of a processor, of which 1,769 MiB are one. `batchSize`: messages of its
 * queue per invocation. `optional`: there only when the configuration asks for it.
 */
export const FUNCTIONS = {
  /** Called by EventBridge Scheduler with TICK_INPUT. Reads a list of up to 10,000 mailboxes, 5 MB of JSON, and sends a few requests. */
  'schedule-drains': { timeoutSeconds: 60, memoryMib: 256 },
  /**
   * Called by the probe queue (standard), one group of mailboxes at a time; they are waited for together. A snapshot of a mailbox with a million
   * messages takes tens of MiB.
   */
  'probe-mailboxes': { timeoutSeconds: 90, memoryMib: 512, batchSize: 1 },
  /**
   * Called by the drain queue (FIFO), with ReportBatchItemFailures. A slice is two minutes; the rest is for what is under way
   * when it ends, and is never used by a server that keeps pace. 64 MiB of mail in flight, a parser with a heap of 192 MiB, and half a processor for
   * TLS and SHA-256.
   */
  'drain-mailbox': { timeoutSeconds: 300, memoryMib: 1024, batchSize: 1 },
  /**
   * Called by its queue, with what S3 tells of new segments of ledgers, with ReportBatchItemFailures. It reads those segments and the last step of each
   * open case, and holds what matches: a second for 500 messages.
   */
  'hold-new-mail': { timeoutSeconds: 60, memoryMib: 256, batchSize: 10 },
  /**
   * Called by EventBridge Scheduler once a day. It reads what the ledgers gained, 300 segments a second, and has a tree of 262,144 lines in memory; what does
   * not fit into its time is sealed a day later.
   */
  'seal-ledgers': { timeoutSeconds: 900, memoryMib: 512 },
  /**
   * Called by a queue of its own, with what S3 tells of new segments, with ReportBatchItemFailures. It reads the mail of one segment and asks DNS: 500
   * messages take some twenty seconds; one of 150 MiB takes six, at this part of a processor. What DNS did not answer comes back after half an hour.
   */
  'verify-authentication': { timeoutSeconds: 300, memoryMib: 512, batchSize: 1, optional: true },
} as const satisfies Record<
  string,
  { timeoutSeconds: number; memoryMib: number; batchSize?: number; optional?: true }
>

export type FunctionName = keyof typeof FUNCTIONS

export type OptionalFunctionName = {
  [Name in FunctionName]: (typeof FUNCTIONS)[Name] extends { optional: true } ? Name : never
}[FunctionName]

/** Something of each function that is there. */
export type OfFunctions<T> = Readonly<
  Record<Exclude<FunctionName, OptionalFunctionName>, T> & Partial<Record<OptionalFunctionName, T>>
>

/** Set for every function beside its own environment: stack traces name the sources and not the bundle. */
export const RUNTIME_ENVIRONMENT = { NODE_OPTIONS: '--enable-source-maps' } as const
