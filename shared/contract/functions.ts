// The functions: what infra deploys and functions/ has entry points for.

/**
 * By the name of the entry point: functions/<name>.lambda.ts is bundled into dist/<name>/, whose index.mjs exports `handler`.
 * `timeoutSeconds`: what the function counts on. `batchSize`: messages of its queue per invocation.
 */
export const FUNCTIONS = {
  /** Called by EventBridge Scheduler with TICK_INPUT. */
  'schedule-drains': { timeoutSeconds: 60 },
  /** Called by the probe queue (standard), one group of mailboxes at a time; they are waited for together. */
  'probe-mailboxes': { timeoutSeconds: 90, batchSize: 1 },
  /**
   * Called by the drain queue (FIFO), with ReportBatchItemFailures. A slice is two minutes; the rest is for what is under way
   * when it ends, and is never used by a server that keeps pace.
   */
  'drain-mailbox': { timeoutSeconds: 300, batchSize: 1 },
} as const

export type FunctionName = keyof typeof FUNCTIONS

/** Set for every function beside its own environment: stack traces name the sources and not the bundle. */
export const RUNTIME_ENVIRONMENT = { NODE_OPTIONS: '--enable-source-maps' } as const
