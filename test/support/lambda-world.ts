import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SQSClient } from '@aws-sdk/client-sqs'
import { type Bundle, bundleFunctions } from '../../functions/bundle.ts'
import { openS3Archive, type S3Archive } from '../../shared/archive/s3.ts'
import { encodeApplied } from '../../shared/contract/applied.ts'
import { type Config, validateConfig } from '../../shared/contract/config.ts'
import type {
  DrainMailboxEnvironment,
  HoldNewMailEnvironment,
  ProbeMailboxesEnvironment,
  ScheduleDrainsEnvironment,
  SealLedgersEnvironment,
  VerifyAuthenticationEnvironment,
} from '../../shared/contract/environment.ts'
import { FUNCTIONS, type FunctionName, RUNTIME_ENVIRONMENT } from '../../shared/contract/functions.ts'
import { MAILBOXES_KEY } from '../../shared/contract/object-key.ts'
import { openLocalQueues } from '../../shared/queue/local.ts'
import { openSqsQueues, type SqsQueues } from '../../shared/queue/sqs.ts'
import { openS3State, type S3State } from '../../shared/state/s3.ts'
import { startKmsServer } from './kms-server.ts'
import { LambdaFunction } from './lambda-function.ts'
import { type Delivery, LambdaQueue } from './lambda-queue.ts'
import { type ParameterStore, startParameterStore } from './parameter-store.ts'
import { type SqsRecorder, startSqsRecorder } from './sqs-recorder.ts'

const QUEUES = { default: 'mail-events', invoices: 'invoice-events' }

/** Any S3 with two buckets: the scripted one of `npm test`, a real engine of the interop suite. */
export interface LambdaS3 {
  readonly endpoint: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  readonly archiveBucket: string
  readonly stateBucket: string
  readonly derivedBucket: string
}

export interface LambdaWorldOptions {
  readonly s3: LambdaS3
  /** What bundleFunctions made. */
  readonly bundles: readonly Bundle[]
  /** Secrets by the name of their parameter. */
  readonly parameters: Readonly<Record<string, string>>
  /** Of an SQS server, which takes any keys. @default one of its own */
  readonly sqsEndpoint?: string | undefined
}

/** Bundles the functions into a folder of its own, apart from every node_modules, as Lambda has them. */
export async function bundleForTest(): Promise<{
  readonly bundles: readonly Bundle[]
  remove(): void
}> {
  const folder = mkdtempSync(join(tmpdir(), 'mailsluice-functions-'))
  return {
    bundles: await bundleFunctions(folder),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/**
 * The deployed pipeline on this machine: each function a process of its bundle, an SQS server, a parameter store, and an S3. What AWS does
 * in between is done step by step, as a test asks for it.
 */
export class LambdaWorld {
  readonly archive: S3Archive
  readonly state: S3State
  readonly queues: SqsQueues
  readonly functions: Readonly<Record<FunctionName, LambdaFunction>>
  readonly probeRequests: LambdaQueue
  readonly drainRequests: LambdaQueue
  readonly parameters: ParameterStore
  readonly sqs: SqsRecorder
  /** Of a drain, in place of the one it is deployed with. */
  drainTimeoutMs: number | undefined
  readonly #archiveBucket: string
  readonly #close: () => Promise<void>

  private constructor(
    opened: Pick<
      LambdaWorld,
      'archive' | 'state' | 'queues' | 'functions' | 'probeRequests' | 'drainRequests' | 'parameters' | 'sqs'
    >,
    archiveBucket: string,
    close: () => Promise<void>,
  ) {
    this.archive = opened.archive
    this.state = opened.state
    this.queues = opened.queues
    this.functions = opened.functions
    this.probeRequests = opened.probeRequests
    this.drainRequests = opened.drainRequests
    this.parameters = opened.parameters
    this.sqs = opened.sqs
    this.#archiveBucket = archiveBucket
    this.#close = close
  }

  static async open({
    s3,
    bundles,
    parameters: secrets,
    sqsEndpoint,
  }: LambdaWorldOptions): Promise<LambdaWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'mailsluice-sqs-'))
    const server = sqsEndpoint === undefined ? await openLocalQueues({ folder, queues: {} }) : undefined
    const sqs = await startSqsRecorder(sqsEndpoint ?? (server?.endpoint as string))
    const parameters = await startParameterStore(secrets)
    const kms = await startKmsServer()
    const client = new SQSClient({ endpoint: sqs.endpoint, region: s3.region, credentials: s3.credentials })
    const probeRequests = await LambdaQueue.create(client, 'probe-requests', sqs.endpoint)
    const drainRequests = await LambdaQueue.create(client, 'drain-requests.fifo', sqs.endpoint)
    for (const name of Object.values(QUEUES)) await LambdaQueue.create(client, name, sqs.endpoint)

    const common = { DEPLOYMENT: 'mailsluice', STATE_BUCKET: s3.stateBucket }
    const mailboxFunction = {
      ...common,
      ARCHIVE_BUCKET: s3.archiveBucket,
      DRAIN_QUEUE_URL: drainRequests.url,
    }
    const environments = {
      'schedule-drains': {
        ...common,
        PROBE_QUEUE_URL: probeRequests.url,
        TICK_SECONDS: '60',
      } satisfies ScheduleDrainsEnvironment,
      'probe-mailboxes': mailboxFunction satisfies ProbeMailboxesEnvironment,
      'drain-mailbox': {
        ...mailboxFunction,
        DERIVED_BUCKET: s3.derivedBucket,
      } satisfies DrainMailboxEnvironment,
      'hold-new-mail': { ...common, ARCHIVE_BUCKET: s3.archiveBucket } satisfies HoldNewMailEnvironment,
      'seal-ledgers': {
        ...common,
        ARCHIVE_BUCKET: s3.archiveBucket,
        SEAL_KEY: 'arn:aws:kms:eu-central-1:111122223333:key/seal',
      } satisfies SealLedgersEnvironment,
      'verify-authentication': {
        ...common,
        ARCHIVE_BUCKET: s3.archiveBucket,
      } satisfies VerifyAuthenticationEnvironment,
    }
    // The SDK's own: in AWS the region, the role and no endpoints.
    const aws = {
      AWS_REGION: s3.region,
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      AWS_ENDPOINT_URL_SQS: sqs.endpoint,
      AWS_ENDPOINT_URL_SSM: parameters.endpoint,
      AWS_ENDPOINT_URL_KMS: kms.endpoint,
    }
    const start = async (name: FunctionName): Promise<LambdaFunction> => {
      const bundle = bundles.find((each) => each.name === name)
      if (!bundle) throw new TypeError(`no bundle of ${name}`)
      return LambdaFunction.open({
        name,
        folder: bundle.folder,
        environment: { ...RUNTIME_ENVIRONMENT, ...aws, ...environments[name] },
        timeoutMs: FUNCTIONS[name].timeoutSeconds * 1000,
      })
    }
    const functions = {
      'schedule-drains': await start('schedule-drains'),
      'probe-mailboxes': await start('probe-mailboxes'),
      'drain-mailbox': await start('drain-mailbox'),
      'hold-new-mail': await start('hold-new-mail'),
      'seal-ledgers': await start('seal-ledgers'),
      'verify-authentication': await start('verify-authentication'),
    }
    const archive = openS3Archive({ ...s3, bucket: s3.archiveBucket })
    const state = openS3State({ ...s3, bucket: s3.stateBucket })
    const queues = openSqsQueues({
      queues: QUEUES,
      region: s3.region,
      credentials: s3.credentials,
      endpoint: async () => sqs.endpoint,
    })
    const opened = { archive, state, queues, functions, probeRequests, drainRequests, parameters, sqs }
    return new LambdaWorld(opened, s3.archiveBucket, async () => {
      await Promise.all(Object.values(functions).map((each) => each.stop()))
      for (const each of [archive, state, queues]) each.close()
      client.destroy()
      await kms.close()
      await parameters.close()
      await sqs.close()
      await server?.close()
      rmSync(folder, { recursive: true, force: true })
    })
  }

  /** Stores a configuration as `mailsluice apply` does. */
  async apply(
    mailboxes: readonly object[],
    more: { readonly authorities?: Record<string, string>; readonly [setting: string]: unknown } = {},
  ): Promise<Config> {
    const { authorities = {}, ...settings } = more
    const { config, problems } = validateConfig({
      archive: { bucket: this.#archiveBucket },
      queues: QUEUES,
      mailboxes,
      ...settings,
    })
    if (!config) throw new TypeError(problems.join('\n'))
    await this.state.write(MAILBOXES_KEY, Buffer.from(encodeApplied({ v: 1, config, authorities })), 'any')
    return config
  }

  /** A tick of the schedule at its time, and everything that comes of it. */
  async tick(scheduledAt: Date): Promise<readonly Delivery[]> {
    const tick = { v: 1, scheduledAt: scheduledAt.toISOString() }
    const invocation = await this.functions['schedule-drains'].invoke(tick)
    if (!invocation.ok) throw new Error(`${invocation.errorType}: ${invocation.errorMessage}`)
    return this.settle()
  }

  /** Delivers requests until none can be seen; a request that stays in its queue is not seen again by itself. */
  async settle(): Promise<readonly Delivery[]> {
    const deliveries: Delivery[] = []
    while (true) {
      const delivery =
        (await this.probeRequests.deliver(this.functions['probe-mailboxes'])) ?? (await this.deliverDrain())
      if (!delivery) return deliveries
      deliveries.push(delivery)
    }
  }

  /** Hands the next request to a drain. */
  deliverDrain(): Promise<Delivery | undefined> {
    return this.drainRequests.deliver(this.functions['drain-mailbox'], this.drainTimeoutMs)
  }

  /** The wide lines of the drains so far. */
  get drains(): readonly Readonly<Record<string, unknown>>[] {
    return this.functions['drain-mailbox'].records.filter(({ message }) => message === 'drain')
  }

  close(): Promise<void> {
    return this.#close()
  }
}
