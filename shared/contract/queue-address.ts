// A queue in the configuration: a name, a URL or an ARN.

export interface SqsAddress {
  /** Queue name, with the `.fifo` of a FIFO queue. */
  readonly name: string
  readonly fifo: boolean
  /** Known at once for a URL; asked for (GetQueueUrl) otherwise. */
  readonly url: string | undefined
  /** Owner's account id, when it is named. */
  readonly account: string | undefined
  /** Region that the queue is in, when the address tells; else the SDK's own setting counts. */
  readonly region: string | undefined
  /** Where to send requests to, for a URL that is not of a public AWS endpoint: a VPC endpoint, an emulator. */
  readonly endpoint: string | undefined
}

const ARN = /^arn:[a-z-]+:sqs:([a-z0-9-]+):(\d{12}):([A-Za-z0-9_-]+(?:\.fifo)?)$/
/** At most 80 characters, `.fifo` included (CreateQueue). */
const NAME = /^(?=.{1,80}$)[A-Za-z0-9_-]+(\.fifo)?$/
const AWS_HOST =
  /^(?:sqs(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.(?:aws|amazonwebservices\.com\.cn))|([a-z0-9-]+)\.queue\.amazonaws\.com)$/
const REGION = /(?:^|\.)([a-z]{2,4}(?:-[a-z]+)+-\d)(?:\.|$)/

/** Undefined for what is none of the three. */
export function parseSqsAddress(text: string): SqsAddress | undefined {
  if (/^https?:\/\//i.test(text)) return fromUrl(text)
  const [, region, account, name] = ARN.exec(text) ?? []
  if (name && NAME.test(name))
    return { name, fifo: isFifo(name), url: undefined, account, region, endpoint: undefined }
  if (!NAME.test(text)) return undefined
  return {
    name: text,
    fifo: isFifo(text),
    url: undefined,
    account: undefined,
    region: undefined,
    endpoint: undefined,
  }
}

function fromUrl(text: string): SqsAddress | undefined {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  const [account, name] = url.pathname.split('/').filter(Boolean).slice(-2)
  if (!account || !name || !NAME.test(name)) return undefined
  const [aws, current, legacy] = AWS_HOST.exec(url.hostname) ?? []
  const region = current ?? legacy ?? REGION.exec(url.hostname)?.[1]
  return { name, fifo: isFifo(name), url: text, account, region, endpoint: aws ? undefined : url.origin }
}

function isFifo(name: string): boolean {
  return name.endsWith('.fifo')
}
