import { readIdleRelayEnvironment } from '../shared/contract/environment.ts'
import { runRelay } from './relay/run.ts'

// One shard of the relay, a container on Fargate: holds IDLE connections to the mailboxes of its share, and asks for a drain when mail comes.
// ECS sends SIGTERM and waits for RELAY_STOP_SECONDS.

const ended = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ended.abort())

await runRelay(readIdleRelayEnvironment(process.env), process.env, ended.signal)
