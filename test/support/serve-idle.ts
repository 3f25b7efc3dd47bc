import { type IdleServerOptions, startIdleServer } from './idle-server.ts'

// An IDLE server as a process of its own, so that the memory of the other is that of the relay alone. Options as JSON in the first argument;
// says its port on stdout, and delivers to the users that come on stdin, one a line.

const server = await startIdleServer(JSON.parse(process.argv[2] ?? '{}') as IdleServerOptions)
console.log(server.port)
process.stdin.setEncoding('utf8').on('data', (text: string) => {
  for (const user of text.split('\n').filter((line) => line !== '')) server.deliver(user)
})
process.stdin.on('end', () => process.exit())
