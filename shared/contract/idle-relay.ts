// What infra and the relay (functions/idle-relay.task.ts, a container on Fargate) agree on.

/**
 * SHARD_INDEX: from 0. A task watches its share of the mailboxes. ARCHIVE_BUCKET: where canaries are looked for. HEALTH_PORT: of the health endpoint
 * on loopback; 0 is any that is free, and the log says which. HEARTBEAT_FILE: absolute path.
 */
export type IdleRelayEnvironment = Readonly<
  Record<
    | 'DEPLOYMENT'
    | 'STATE_BUCKET'
    | 'ARCHIVE_BUCKET'
    | 'DRAIN_QUEUE_URL'
    | 'SHARD_INDEX'
    | 'SHARD_COUNT'
    | 'HEALTH_PORT'
    | 'HEARTBEAT_FILE',
    string
  >
>

/**
 * The relay touches this file while its event loop and its timers run. `staleSeconds` later the container counts as unhealthy and is replaced.
 * Under /tmp, the one place where the container may write.
 */
export const RELAY_HEARTBEAT = { file: '/tmp/alive', staleSeconds: 120 } as const

/** Of the health endpoint, on loopback: what each mailbox is at, for whoever looks from inside the container. */
export const RELAY_HEALTH_PORT = 8790

/** From SIGTERM to SIGKILL: time to send what waits, and to sign out everywhere. */
export const RELAY_STOP_SECONDS = 30
