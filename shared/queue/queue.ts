// The queue port.

/** One event on its way: already encoded (ASCII JSON), with what FIFO and fair queues need. */
export interface OutgoingEvent {
  /** CloudEvents id; the MessageDeduplicationId of a FIFO queue. */
  readonly id: string
  /** MessageGroupId: the mailbox id; orders FIFO queues, keeps standard ones fair. */
  readonly group: string
  /** JSON without characters above U+007E: SQS refuses some, and emulators more. */
  readonly body: string
}

/** `refused` says why; the caller leaves the event pending. */
export type SendResult = { readonly sent: true } | { readonly sent: false; readonly refused: string }

export interface QueueFacts {
  readonly name: string
  readonly url: string
  readonly fifo: boolean
  readonly approximateMessages: number
}

/** A received event. It comes again after the visibility timeout unless `remove` is called. */
export interface ReceivedEvent {
  readonly body: string
  readonly receiveCount: number
  /** Deletes it from the queue; may be called twice. After its visibility timeout it may be too late, and the event comes again. */
  remove(): Promise<void>
}

/**
 * Queues by their name in the configuration (`default`, `invoices` …).
 * Rejects with QUEUE_MISSING or QUEUE_DENIED; whatever concerns single messages or passes by itself is a SendResult.
 */
export interface EventQueues {
  /**
   * Sends at least once, in batches, repeating what the queue refused for the moment. Resolves to one result per event, in order.
   * After a lost answer a standard queue may hold an event twice.
   */
  send(queue: string, events: readonly OutgoingEvent[]): Promise<readonly SendResult[]>
  /** Something will be sent soon: what that needs is made ready meanwhile. A failure is met by `send`. */
  prepare?(): void
  /** Long-polls once, up to `waitSeconds` (0 to 20); at most `maxEvents` (1 to 10, default 10). */
  receive(
    queue: string,
    options: { waitSeconds: number; visibilitySeconds: number; maxEvents?: number },
  ): Promise<readonly ReceivedEvent[]>
  check(queue: string): Promise<QueueFacts>
}
