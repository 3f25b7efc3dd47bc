// What Lambda hands to a handler, as far as ours look at it.

export interface LambdaContext {
  readonly awsRequestId: string
  readonly functionName: string
  readonly functionVersion: string
  readonly invokedFunctionArn: string
  readonly memoryLimitInMB: string
  getRemainingTimeInMillis(): number
}

export interface SqsRecord {
  readonly messageId: string
  readonly receiptHandle: string
  readonly body: string
  readonly attributes: {
    readonly ApproximateReceiveCount: string
    /** Milliseconds since the epoch. */
    readonly SentTimestamp: string
    /** Of a FIFO queue: the message group. */
    readonly MessageGroupId?: string
  }
}

export interface SqsEvent {
  readonly Records: readonly SqsRecord[]
}

/** The messages that come back; all others are deleted from the queue. */
export interface SqsBatchResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[]
}
