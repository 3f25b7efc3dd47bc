// Every size, count and time limit, with its reason. Values that an operator may change are in the configuration;
// these are the bounds within which the program keeps its promises about memory and time.

const KIB = 1024
const MIB = 1024 * KIB
const SECOND = 1000
const MINUTE = 60 * SECOND

/** A drain: segments, concurrency, memory. */
export const DRAIN = {
  /** Messages at which a segment is closed: what a crash repeats is at most what one sends, and a commit (a PUT) per 100 adds 1 % to their PUTs. */
  segmentMessages: 100,
  /** While the segment before is still being announced and written, this one grows up to so many: a commit of 100 ms costs no fetching. */
  segmentMessagesMost: 500,
  /** A slow mailbox still commits this often: no event waits longer for its segment to close. */
  segmentMs: 5 * SECOND,
  /** Events that wait for their segment to close, in octets: 500 have about 2 MB, and hostile ones must not have 32. */
  segmentEventOctets: 8 * MIB,
  /** On one machine: drains under way at the same time. Each waits for its server most of the time, and what they hold is bounded together. */
  atOnce: 16,
  /** Messages between fetch and record at the same time: enough to hide a PUT of 50 ms behind 1,000 messages a second. */
  messagesInFlight: 64,
  /** Octets of messages held in memory at the same time; with parser and SDK it stays within a 512 MB Lambda. */
  octetsInFlight: 64 * MIB,
  /** Above this a message goes to the spool on disk instead of memory. */
  memoryMessageOctets: 8 * MIB,
  /** Memory that messages in flight share and use again. What finds no room there is made for it alone. */
  arenaOctets: 64 * MIB,
  /** Fetches that failed before a message is quarantined: one per drain, so a passing trouble of the server does not count. */
  fetchAttempts: 5,
  /** Messages that could not be fetched and are named in the report; the ledger has all of them. */
  failuresReported: 100,
  /** Messages due for deletion that are looked at in one go: a request for each; the rest is the next drain's. */
  removalsAtOnce: 2_000,
  /** Time kept for record, acknowledge and sign-out when the deadline nears. */
  closingMs: 10 * SECOND,
  /** Announcements of earlier drains that are tried again in one go, before anything new is fetched. */
  pendingPerDrain: 1_000,
  /** Messages waiting for their announcement at which fetching stops: the fold keeps them in memory, and the queue has to come back first. */
  pendingMost: 2_000,
} as const

/** Defaults of `limits` in the configuration. */
export const MAILBOX_DEFAULTS = {
  /** 150 MiB: Microsoft 365 accepts messages up to this size; nobody larger is known. */
  messageOctets: 150 * MIB,
} as const

/** POP3 (RFC 1939, RFC 2449). */
export const POP3 = {
  /** Status line: RFC 2449, 4 allows 512 octets; servers with long texts exist. */
  lineOctets: 8 * KIB,
  /** Rows of UIDL and LIST: above it the maildrop is refused, not the memory. */
  listRows: 2_000_000,
  /** Octets of a UIDL or LIST answer: 2,000,000 rows of 70 + 10 octets. */
  listOctets: 192 * MIB,
  /** RETR commands in flight: 512 costs 1.2 times the raw limit at 80 ms, 64 four times (measured on small mail). */
  pipelineCommands: 512,
  /** Octets asked for and not yet read: at first, and at most. In between it is what `pipelineMs` carried; 16 MiB alone are 200 MB a second at 80 ms. */
  pipelineOctets: 16 * MIB,
  pipelineOctetsMost: 64 * MIB,
  /** A drain that wants to stop waits for what is under way, so that should not take longer. */
  pipelineMs: 3 * SECOND,
  /** Nothing received for this long: the session is dead. */
  idleMs: 60 * SECOND,
  connectMs: 15 * SECOND,
  /** All waiting for one answer: a server that drips an octet now and then must not hold a drain. */
  commandMs: 120 * SECOND,
  /** What the octets of an answer are allowed on top, in octets per second. */
  slowestOctetsPerSecond: 16 * KIB,
} as const

/** IMAP (RFC 9051), given to imapflow. */
export const IMAP = {
  /** imapflow's default of 1 GB lets one hostile line take 1.9 GB of memory. */
  lineOctets: 16 * MIB,
  /** Messages up to this size are fetched in batches and held in memory; larger ones go to the disk, one by one. */
  wholeMessageOctets: 8 * MIB,
  /** Octets asked for and not yet read: at first, and at most. In between it is what `windowMs` carried. */
  windowOctets: 16 * MIB,
  windowOctetsMost: 64 * MIB,
  /** A drain that wants to stop waits for what is under way, so that should not take longer. */
  windowMs: 3 * SECOND,
  /** The window is asked for in so many FETCHes, so that the server always has one more to go on with. */
  windowBatches: 4,
  /** Messages of one FETCH: a third of a second of small mail at what a server sends at best, four times what 80 ms of distance take. */
  batchMessages: 500,
  /** Received and not yet looked at: what a socket holds twice over. Beyond it nothing is read, which slows the server down. */
  readAheadOctets: 512 * KIB,
  /** What one answer to a FETCH may hold besides the message: flags and labels are a few KiB. */
  rowOctets: 1 * MIB,
  /** Chunk of a large message that did not come well in one piece: 64 KiB (the default) costs a round trip each, 129 s for 150 MB at 50 ms; 4 MiB 3 s. */
  chunkOctets: 4 * MIB,
  /**
   * One literal that imapflow reads: above chunk and whole message, for servers that ignore the window of a partial FETCH or lie about sizes. A message that
   * goes to the disk may have what a message may have.
   */
  literalOctets: 64 * MIB,
  responseTokens: 200_000,
  connectMs: 15 * SECOND,
  greetingMs: 15 * SECOND,
  /** From the first packet to a signed-in session: eight round trips at most, where most servers need four. */
  signInMs: 45 * SECOND,
  /** Nothing received for this long: the session is dead. */
  idleMs: 60 * SECOND,
  /** One command without message octets, by the wall clock: a server that drips an octet now and then must not hold a drain. */
  commandMs: 120 * SECOND,
  /** What a FETCH of message octets is allowed on top, in octets per second. */
  slowestOctetsPerSecond: 16 * KIB,
  /** LOGOUT is a courtesy. */
  logoutMs: 5 * SECOND,
  /** UIDs whose sizes are asked for in one FETCH and remembered, so that not every segment costs a round trip. */
  sizeWindowMessages: 10_000,
  /** Messages whose sizes are asked for together with what there is, the first that may be new: 22 KiB, and no round trip before they are fetched. */
  sizesWithSearch: 500,
  /** Characters of the UID set in one command: RFC 7162, 4 advises lines of at most 8192 octets. */
  uidSetCharacters: 6_000,
  /** UIDs in one SEARCH: servers cap results (1,000 at Yahoo), so ranges are walked and halved when a page is full. */
  searchWindowUids: 100_000,
  /** UIDs that imapflow may get in one answer to SEARCH: at up to 11 characters each they stay below `lineOctets`. */
  searchAnswerUids: 1_000_000,
  /** UIDs of one folder: 80 MB, and more than servers are known to keep in one. */
  listedUids: 10_000_000,
} as const

/** The parser: hostile mail must not cost more than this. */
export const PARSER = {
  /** Wall clock for one message; the worker is killed and replaced then. */
  messageMs: 20 * SECOND,
  heapMib: 192,
  /** Header block read: above it the rest is dropped and the message is `partial`. mailsplit's default is 1 MiB. */
  headerOctets: 1 * MIB,
  /** Header block of one body part: it describes the part, and 500 of them may be open to attack. */
  partHeaderOctets: 64 * KIB,
  /** A boundary has at most 70 octets (RFC 2046, 5.1.1); longer ones are in use, and a longer line than this is never a delimiter. */
  delimiterOctets: 4 * KIB,
  mimeNodes: 500,
  mimeDepth: 50,
  /** Octets of one text part that are decoded for the preview. */
  textOctets: 256 * KIB,
  previewCharacters: 500,
  /** What a ticket shows of an answer: two screens. */
  replyCharacters: 2_000,
  /** Some 100 octets each in the event, which is cut to fit its queue. */
  attachments: 400,
  /** 255 is what file systems take; the rest is for whoever puts a number before or behind it. */
  fileNameOctets: 200,
  /** Octets at the start of an attachment that tell its type: the entries of an Office document's ZIP stand in them. */
  sniffOctets: 4 * KIB,
  /** Of a bounce's report, a calendar, or an invoice in XML, whose signatures may stand before what is looked for. */
  reportOctets: 64 * KIB,
  /** Files embedded in one PDF that are looked at, and octets of each, compressed; an invoice with hundreds of lines has as many. */
  embeddedFiles: 8,
  embeddedFileOctets: 32 * KIB,
  /** What these may grow to. */
  inflatedOctets: 1 * MIB,
  /** Of one field; the event is cut to fit its queue, and the whole kept beside it. */
  addresses: 5_000,
  references: 1_000,
  /** Characters of one header value in the event. */
  headerCharacters: 1_000,
  /** Of one Authentication-Results: Microsoft 365 writes 500, with several signatures 2,000. */
  authenticationCharacters: 4_000,
  /** Values of one field name in the event, also of Authentication-Results. */
  headerValues: 50,
  /** Messages and octets given to one worker ahead of its answers, so that it never waits for the next small one. */
  pipelineMessages: 32,
  pipelineOctets: 8 * MIB,
  /** Characters of one field that are looked at: 5,000 addresses with encoded names. */
  fieldCharacters: 1 * MIB,
} as const

/** Own verification of DKIM, SPF, DMARC and ARC: what a hostile message and hostile name servers may cost. */
export const AUTHENTICATION = {
  /** What is verified of one message, reading it included: 150 MiB are hashed in two seconds of a processor. */
  messageMs: 60 * SECOND,
  /** Header section: the field names that signatures list are looked for among all fields, time by their product. */
  headerOctets: 512 * KIB,
  headerLines: 5_000,
  /** A line of the body is kept until its end is there; RFC 5322, 2.1.1 allows 998. */
  lineOctets: 1 * MIB,
  /** Each may ask for another hash of the body. Senders use two, forwarders add one each. */
  signatures: 16,
  /** DNS questions for one message: 16 keys, 50 ARC sets, SPF's 10 and the hosts behind them (RFC 7208, 4.6.4), DMARC's walks. */
  lookups: 200,
  /** One answer: a key of 4,096 bits has 800 characters, an SPF record 2,000 at the very most. */
  answerCharacters: 16 * KIB,
  /** One question to one server. RFC 7208, 4.6.4 wants 20 s or more for all of SPF. */
  dnsMs: 5 * SECOND,
  dnsTries: 2,
  spfMs: 20 * SECOND,
  /** Of what a message or DNS says, in the event and in the evidence: 16 signatures have to fit into an event. */
  characters: 128,
  /** Evidence of one message that is read: 200 answers of 16 KiB. */
  evidenceOctets: 4 * MIB,
  /** Messages of one segment at the same time: they wait for DNS. */
  messagesAtOnce: 8,
  /**
   * While DNS gives no answer a message is looked at again; when it is older, it is `temperror` for good. Its function is called three times, half an hour
   * apart, and the last of them is beyond it.
   */
  retryMs: 50 * MINUTE,
  /** What was archived longer ago, before this was switched on, is not verified: keys change. */
  freshMs: 14 * 24 * 60 * MINUTE,
} as const

/** SQS (AWS, "Amazon SQS message quotas"). */
export const QUEUE = {
  batchMessages: 10,
  messageOctets: 1 * MIB,
  /** A whole batch: 1 MiB; 16 KiB are kept for attributes. */
  batchOctets: 1 * MIB - 16 * KIB,
  /** Our bound for one event: far below 1 MiB; long lists are cut and marked. */
  eventOctets: 64 * KIB,
  /** Times one entry is sent before it is left pending in the ledger. */
  attempts: 4,
  /** Pause before the second try, doubled before each further one, of which a random part is taken. */
  backOffMs: 200,
  /** A batch that is not full is sent after this. */
  lingerMs: 20,
  batchesInFlight: 8,
  connectMs: 5 * SECOND,
  /** One request without the time that it may wait for messages. */
  requestMs: 20 * SECOND,
  /** Finding or starting the local queue server. */
  localStartMs: 15 * SECOND,
  /** The local queue server listens after this, or when it is asked for: what it takes to be spoken to takes as long to load as a short drain. */
  localListenMs: 1 * SECOND,
} as const

/** Messages on disk. */
export const SPOOL = {
  /** Gathered for one write. */
  writeOctets: 256 * KIB,
  /** What a killed process left behind is removed after this; no drain keeps a message as long. */
  abandonedMs: 24 * 60 * MINUTE,
  /** Read back in pieces of this: larger ones are not faster, and leave more memory behind before it is collected. */
  readOctets: 256 * KIB,
} as const

/** S3. */
export const ARCHIVE = {
  /** 409, 503 and lost answers: tries of one PUT, with back-off and jitter between them. */
  attempts: 5,
  /** Pause before the second try, doubled before each further one, of which a random part is taken. */
  backOffMs: 100,
  connectMs: 5 * SECOND,
  /** Nothing sent or received for this long: the request is dead. */
  requestMs: 60 * SECOND,
  /** A whole PUT may take requestMs and, for its octets, as long as they need at this rate. */
  slowestOctetsPerSecond: 128 * KIB,
  /** Connections of one client: as many as messages are in flight. */
  sockets: 64,
  /** A check that found all well holds for so long: it is four requests, and drains of a busy process follow each other in seconds. */
  checkedMs: 5 * MINUTE,
  /** Puts that wait for the thread that writes files when a second one is started: 2,000 small messages take 1.5 s in place of 1.7. */
  fileThreadJobs: 24,
  /** Threads at most, and for how long none may be heard of before another one is started: at a fast disk more than two stand in each other's way. */
  fileThreads: 4,
  fileThreadBehindMs: 200,
  /** Files: what a killed process left behind is removed after this; no put takes as long. */
  incomingMs: 24 * 60 * MINUTE,
} as const

/** The ledger. */
export const LEDGER = {
  /** 500 entries of about 1 KB, and a filtered set of a huge mailbox; more than this is not ours. */
  segmentOctets: 64 * MIB,
  /** Segments read at once when a ledger is folded: hides 50 ms of latency behind 300 segments a second. */
  segmentsReadAhead: 16,
  /** Segments whose digests are kept while duplicates are told: 64 bytes for each of up to 500 messages, twice that in memory. */
  segmentsRemembered: 128,
  /** Recipients and attachment names in an entry, each: a message to more is rare, and is looked up in the archive when it matters. */
  catalogueValues: 50,
  /** Characters of each: an address has 254 at most (RFC 5321, 4.5.3.1), a file name 255 octets where it can be saved. */
  catalogueCharacters: 255,
  /** Tries to record a decision while drains of the mailbox record mail. */
  recordAttempts: 10,
} as const

/** Cases of legal hold. */
export const CASES = {
  /** Messages in a step: what an interrupted run does again at most. */
  stepMessages: 500,
  /** 500 messages of 300 octets, and the queries; a query may list thousands of ids. */
  stepOctets: 8 * MIB,
  /** Steps that are listed to find the last one: what S3 lists with one request. */
  stepsListed: 1_000,
  /** Holds on their way: S3 takes one message a request, at some 30 ms each. */
  holdsAtOnce: 32,
  /** Tries to write a step while others write to the same case. */
  attempts: 20,
  /** A run that has named messages and not confirmed that they are held is dead by then: the function that holds new mail has 5 minutes. */
  holdingMs: 15 * MINUTE,
} as const

/** What the records officer looks at and changes. */
export const CUSTODY = {
  /** Messages that are looked at, recorded and changed together; a segment of the ledger has as many. */
  groupMessages: 500,
  /** Requests on their way: one for each message, at some 30 ms each. */
  requestsAtOnce: 32,
} as const

/** Comparing an archive with what is recorded of it. */
export const VERIFY = {
  /** Messages of one mailbox whose records are in memory at the same time, about 500 octets each; a longer ledger is read once for each part of them. */
  messagesInMemory: 250_000,
  /** Keys between two checkpoints: a page of ListObjectVersions. */
  keysPerStep: 1_000,
  /** HeadObject requests at the same time: what the connections of one client allow, less some for the listing. */
  inspectedAtOnce: 48,
  /** A lock under the bucket's default is reckoned by our clock and by S3's. */
  clockSkewMs: 60 * MINUTE,
  /** A drain names in the ledger what it has stored within a slice and its reserves; what is older and has no record is nobody's. */
  underWayMs: 15 * MINUTE,
  /** A certificate: ids of messages that differ, which are few or, as UIDs, short. */
  certificateOctets: 64 * MIB,
  /** A group of messages whose retention was lengthened, and the query, which may have the ids of a case. */
  extensionOctets: 64 * MIB,
} as const

/** Searching ledgers. */
export const SEARCH = {
  /** Of the search engine, which goes to disk above it. */
  memoryMib: 512,
  threads: 4,
  /** Segments copied from a bucket at the same time. */
  segmentsAtOnce: 16,

  /** Of Athena. One request. */
  requestConnectMs: 5 * SECOND,
  requestMs: 30 * SECOND,
  /** Whether a query has ended is asked first after so long, then after twice that, and so on: most take one to three seconds. */
  pollMs: 300,
  pollMostMs: 3 * SECOND,
  /** One query, waiting for its turn included: 100 GB take a minute or two, and Athena itself gives up after 30. */
  queryMs: 10 * MINUTE,
  /** What GetQueryResults gives at most. */
  rowsInAPage: 1_000,
  /** Ids that are part of a query: 67 KB of the 256 that its text may have, with what else is asked for. */
  idsInAQuery: 1_000,
  /** Where the first query has not found enough for certain, the next one may answer with so many times as much. */
  growth: 10,
} as const

/** Exporting messages. */
export const EXPORT = {
  /** Of one ZIP or mbox: what an interrupted export does again, and what the directory of a ZIP takes in memory, a KB for each. */
  partMessages: 10_000,
  partOctets: 4 * 1024 * MIB,
  /** Messages fetched ahead of the one that is written: hides 50 ms of latency behind 600 messages a second. */
  fetchedAhead: 32,
  /** Above this a message waits on disk. */
  memoryMessageOctets: 1 * MIB,
  /** Files of messages that are written, and in the end synced, at the same time: more than the system has threads for them. */
  filesAtOnce: 16,
  /** Gathered for one write: small messages are thousands in a part. */
  writeOctets: 256 * KIB,
} as const

/** Announcing again. */
export const REPLAY = {
  /** Messages read and parsed ahead: of DRAIN.memoryMessageOctets each, the larger ones on disk. */
  parsedAhead: 8,
  /** Events handed to the queues and not answered yet: some batches, so that a slow queue holds up the reading. */
  eventsUnderWay: 40,
  failuresTold: 100,
} as const

/** Seals over the ledgers. */
export const SEAL = {
  /** Lines in one tree: 16 MiB of hashes while it is made or a proof is cut from it. A longer backlog becomes several seals. */
  treeLines: 262_144,
  /** Ledgers that are begun to be read before it is their turn: five requests for each, one after the other, are 15 minutes for 10,000 of them. */
  ledgersAtOnce: 8,
  /** Trees kept while proofs are cut from them: of a thousand days with a thousand lines each. */
  treesOctets: 64 * MIB,
  /** A list of 100,000 ledgers has 14 MB; a seal, with timestamps of a few KB, much less. */
  objectOctets: 64 * MIB,
  /** Seals read at the same time: of ten years, every day, there are 3,650. */
  readAhead: 16,
  /** One timestamp, answer included. */
  timestampMs: 20 * SECOND,
  timestampOctets: 64 * KIB,
  /** One request to KMS. */
  signConnectMs: 5 * SECOND,
  signMs: 15 * SECOND,
} as const

/** The Lambdas. */
export const LAMBDA = {
  /** A drain works in slices and asks for its continuation, so that no mailbox starves the others. */
  sliceMs: 2 * MINUTE,
  /** Of an invocation's time, kept for what comes after the drain: the continuation, the log. */
  reserveMs: 5 * SECOND,
  /** A drain with less time than this would sign in for nothing: DRAIN.closingMs of it are kept for closing. */
  leastMs: 12 * SECOND,
  /** A drain whose session failed comes back after this, then after four times as long; queues move what came three times to the dead letters. */
  comeBackMs: 1 * MINUTE,
  comeBackMostMs: 15 * MINUTE,
  /** Between the clocks of SQS and of a function. */
  clockSkewMs: 1 * SECOND,
  /** Mailboxes probed by one invocation, at the same time: they wait, and do not work. */
  mailboxesPerProbe: 25,
  /** A seal is not begun with less: reading and hashing its lines, its timestamps and its signature. */
  sealMs: 3 * MINUTE,
  /** One probe: a log-in of at most IMAP.signInMs, and a STATUS for each folder. */
  probeMs: 60 * SECOND,
} as const

/** Secrets and access tokens. */
export const CREDENTIALS = {
  /** One request to Parameter Store or Secrets Manager; the SDK repeats it twice. */
  storeConnectMs: 5 * SECOND,
  storeRequestMs: 10 * SECOND,
  /** A secret is kept this long; after a refused log-in it is read again at once. */
  secretMs: 5 * MINUTE,
  /** An access token with less left is replaced: a drain's slice and a batch of it end before it does. */
  tokenMarginMs: 5 * MINUTE,
  /** With the token endpoint out of reach, a kept token is good for one more log-in while it has this left. */
  tokenLeastMs: 30 * SECOND,
  /** Lifetime of a token whose endpoint does not say (RFC 6749, 5.1 only recommends it). */
  tokenUnsaidMs: 5 * MINUTE,
  /** One request to a token endpoint, answer included. */
  tokenRequestMs: 15 * SECOND,
  /** An answer of a token endpoint has a few KB; more is not one. */
  tokenAnswerOctets: 64 * KIB,
  /** A failure stands for all who share the credential this long: a thousand mailboxes of one application ask once. */
  tokenFailureMs: 10 * SECOND,
  /** Lifetime of an assertion (RFC 7523): Microsoft advises 5 to 10 minutes, Google allows an hour. */
  assertionMs: 5 * MINUTE,
  /** Clocks differ: an assertion is dated back by this, and a clock that is further off is corrected by what the endpoint says. */
  clockSkewMs: 60 * SECOND,
  /** Replacing a file takes milliseconds: a successor that waits longer was left by a process that died. */
  fileLeftMs: 10 * SECOND,
  /** Times that a refresh token is read anew because somebody else replaced it at the same moment. */
  rotationAttempts: 3,
} as const

/** Finding the server of an address: somebody waits at a terminal. */
export const DISCOVERY = {
  lookUpMs: 2 * SECOND,
  pageMs: 5 * SECOND,
  /** An autoconfig file has one or two KB. */
  pageCharacters: 64 * KIB,
} as const

/** Mailboxes that cannot be entered: how often log-ins that fail are tried. Doubled after each failure, up to `longestPauseMs`. */
export const SUSPENSION = {
  /** Four failed log-ins in the first hour, at most one in four hours later. */
  firstPauseMs: 5 * MINUTE,
  /** What an administrator has to change takes longer, and Microsoft 365 needs up to an hour to notice. */
  administratorPauseMs: 30 * MINUTE,
  /** Whoever knocks at a restricted account prolongs the restriction. */
  restrictedPauseMs: 60 * MINUTE,
  longestPauseMs: 240 * MINUTE,
} as const

/** The relay: how long it may wait before it doubts, and how often it may knock. */
export const RELAY = {
  /**
   * One IDLE: then NOOP, and IDLE anew. RFC 2177 allows 29 minutes, Gmail hangs up after about ten. It is shorter because a connection
   * that died without a word shows only when something is asked: it is noticed within `renewMs` and `replyMs`, 4.5 minutes.
   */
  renewMs: 4 * MINUTE,
  /** Every answer while a folder is watched; then the connection counts as dead. */
  replyMs: 30 * SECOND,
  /** TCP keepalive: below the 350 s after which a NAT gateway forgets a silent connection. */
  keepAliveMs: 60 * SECOND,
  /** The second clock, for what IDLE did not tell: SELECT anew, and compare. Later or earlier by up to a fifth. */
  checkMs: 15 * MINUTE,

  /** A session that lived shorter than this is counted against the server: it may accept everybody and drop them. */
  settledMs: 5 * MINUTE,
  /** After a session that lived longer: up to this, so that a server that restarts does not get everybody back at once. */
  reconnectMs: 5 * SECOND,
  /** After the first short one from 5 to 10 s, then to 20, 40 … 300 s, all of it by chance: at most 12 log-ins a minute and connection. */
  reconnectLeastMs: 5 * SECOND,
  reconnectMostMs: 5 * MINUTE,
  /** Log-ins under way at the same time: TLS handshakes are what a small task has no CPU for. */
  logInsAtOnce: 16,
  logInsAtOncePerHost: 4,
  /** Between two log-ins to one host: 300 a minute at most, 2,000 mailboxes in seven minutes. */
  logInGapMs: 200,
  /** Connections of one mailbox, unless its provider says less: Dovecot allows ten per user and address, and drains need some. */
  connections: 6,
  /**
   * An OAuth session is left by chance between these before its token ends: before the server hangs up, and late enough for the next
   * log-in to get a new token, for one with more than CREDENTIALS.tokenMarginMs left is used again.
   */
  sessionLeastLeftMs: 1 * MINUTE,
  sessionMostLeftMs: 4 * MINUTE,
  /** How often a suspended mailbox is looked at for a changed credential. */
  credentialCheckMs: 1 * MINUTE,

  /** After a request, further arrivals wait for so long and are then one request. */
  windowMs: 2 * SECOND,
  /** A stream of mail that has not paused for this long is not a burst any more, and is drained in larger steps. */
  floodMs: 1 * MINUTE,
  floodWindowMs: 10 * SECOND,
  /** Both, where this process drains: it costs a log-in and no invocation, and what is asked for during a drain is one drain anyhow. */
  localWindowMs: 1 * SECOND,
  /** Between two tries to send a request that the queue did not take; doubled up to the second. */
  requestAgainMs: 1 * SECOND,
  requestAgainMostMs: 1 * MINUTE,

  /** A canary that is not announced by then is lost. Below the second clock, which would find it without IDLE. */
  canaryMs: 5 * MINUTE,
  /** How often the archive is asked for it. */
  canaryLookMs: 1 * SECOND,
  /** The shortest interval between two. */
  canaryEveryMs: 1 * MINUTE,

  drainsAtOnce: DRAIN.atOnce,
  /** Before a drain that failed is tried again; doubled up to the second. */
  drainAgainMs: 10 * SECOND,
  drainAgainMostMs: 15 * MINUTE,

  /** LOGOUT everywhere when the process is asked to end; what has not answered by then is dropped. */
  closingMs: 7 * SECOND,
} as const
